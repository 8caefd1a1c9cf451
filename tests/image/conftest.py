# SPDX-License-Identifier: GPL-2.0-or-later
"""Built images for the tests that boot them."""
import os
import subprocess

import pytest

from tests.harness.qemu import IMAGES, ROOT


def build(board, folder=ROOT):
    """make image BOARD=..., quick when nothing changed; the folder it fills."""
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    # Under sudo, what is built still belongs to the one who called.
    whose = {"user": int(env["SUDO_UID"]), "group": int(env["SUDO_GID"])} \
        if os.geteuid() == 0 and "SUDO_UID" in env else {}
    done = subprocess.run(["make", "-s", "image", f"BOARD={board}"], cwd=folder, env=env,
                          capture_output=True, text=True, check=False, **whose)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / IMAGES.relative_to(ROOT) / board


@pytest.fixture(scope="session")
def image():
    """image(board): its folder, built once a session."""
    built = {}

    def get(board):
        if board not in built:
            built[board] = build(board)
        return built[board]
    return get
