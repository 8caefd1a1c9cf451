# SPDX-License-Identifier: GPL-2.0-or-later
"""`make run`: the box in this terminal, as a newcomer meets it."""
import os
import sys

import pexpect

from tests.harness.qemu import ROOT


def test_the_box_in_a_terminal(image, tmp_path):
    box = pexpect.spawn(sys.executable, [str(ROOT / "tests/harness/run.py"),
                                         str(image("qemu-x86_64")), str(tmp_path)],
                        cwd="/", encoding="utf-8", timeout=90, env=dict(os.environ))
    try:
        box.expect(r"local port \d+ leads to [0-9.]+ port 22")
        box.expect(r"First password: (\S+)\s")
        password = box.match.group(1)
        box.expect("login: ")
        box.send("admin\r")
        box.expect("Password: ")
        box.send(f"{password}\r")
        box.expect(r"[>#$] ")
        box.send("\x01x")  # Ctrl-A x
        box.expect(pexpect.EOF)
    finally:
        box.close(force=True)
    assert (tmp_path / "config.img").stat().st_size > 0
