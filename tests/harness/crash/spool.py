# SPDX-License-Identifier: GPL-2.0-or-later
"""The spool's store by itself, driven by spool_driver.c."""
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.harness.crash.disk import HERE, ROOT

STORE = ["store", "state", "mend", "move", "bodies", "segment", "segment_format", "segment_read",
         "record", "reserve", "envelope",
         "crc32c", "journal", "work_in"]
LIB = ["buf", "wire", "log", "addr", "utf8"]


def build_driver(directory):
    """spool_driver, built into a directory. Without sanitizers: it runs under a preload layer."""
    driver = Path(directory, "spool_driver")
    sources = [f"relay/spool/{name}.c" for name in STORE] + ["relay/messages.c"] + \
        [f"lib/{name}.c" for name in LIB]
    subprocess.run(["gcc", "-std=c11", "-O1", "-g", "-D_GNU_SOURCE", "-Wall", "-Werror", "-I.",
                    "-o", driver, HERE / "spool_driver.c", *sources, "-llmdb"],
                   cwd=ROOT, check=True)
    return driver


class Found(NamedTuple):
    digests: list  # sha256 of each message's bytes
    damaged: int  # messages that were set aside


def read_spool(driver, spool, copy):
    """What a store finds in a copy of the spool, which stays as it is."""
    out = Path(copy, "out")
    out.mkdir(parents=True)
    for path in Path(spool).iterdir():
        if path.name not in ("reserve", "lock"):
            shutil.copy(path, copy)
    done = subprocess.run([driver, "export", "out"], cwd=copy, stdout=subprocess.PIPE, text=True,
                          check=True)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()]
    shutil.rmtree(copy)
    return Found(digests, int(done.stdout.split()[1]))
