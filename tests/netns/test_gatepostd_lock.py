# SPDX-License-Identifier: GPL-2.0-or-later
"""The edit lock and the announcements: what one session does, the others see."""
import os
import pty
import subprocess

import pytest

from tests.netns.gate import SITE, Gate, until


@pytest.fixture(name="gate")
def _gate(tmp_path):
    with Gate(tmp_path) as gate:
        yield gate


def test_who_edits_is_seen_by_others_and_keeps_them_out(gate):
    with gate.session() as one, gate.session() as two:
        assert one.ask("lock")["ok"] and one.ask("lock")["ok"]
        assert one.ask("status")["lock"]["yours"] is True
        seen = two.ask("status")["lock"]
        assert seen["yours"] is False and seen["user"] == "root"
        for refused in (two.ask("lock"), two.ask("commit", text=SITE.replace("gw1", "gw2")),
                        gate.commit(SITE.replace("gw1", "gw2"))):
            assert not refused["ok"] and "root edits the config since" in refused["error"]
        assert two.ask("check", text=SITE)["ok"]  # looking is free
        assert one.ask("commit", text=SITE.replace("gw1", "gw3"))["ok"]
        assert one.ask("unlock")["ok"] and two.ask("lock")["ok"]
        assert two.ask("commit", text=SITE)["ok"]


def test_lock_dies_with_its_session(gate):
    with gate.session() as two:
        with gate.session() as one:
            assert one.ask("lock")["ok"] and not two.ask("lock")["ok"]
        until(lambda: "lock" not in two.ask("status"))
        assert two.ask("lock")["ok"]


def test_broken_lock_changes_hands_and_who_lost_it_cannot_commit(gate):
    with gate.session() as one, gate.session() as two:
        assert one.ask("lock")["ok"]
        assert two.ask("break") == {"ok": True, "user": "root"}
        assert two.ask("status")["lock"]["yours"] is True
        assert "root edits the config" in one.ask("lock")["error"]
        lost = one.ask("commit", text=SITE)
        assert not lost["ok"] and "broke your lock" in lost["error"]
        assert two.ask("unlock")["ok"]
        # Still refused: its candidate was made before somebody else's changes.
        assert "broke your lock" in one.ask("commit", text=SITE)["error"]
        assert one.ask("lock")["ok"] and one.ask("commit", text=SITE)["ok"]


def test_confirm_and_undo_do_not_wait_for_a_lock(gate):
    with gate.session() as one:
        assert gate.commit(SITE.replace("gw1", "gw2"), confirm=600)["ok"]
        assert one.ask("lock")["ok"]
        assert gate.ask("back")["ok"] and gate.ask("status")["host"] == "gw1"


def test_undo_is_announced_on_the_terminal_of_every_session_and_in_the_log(gate):
    ours, theirs = pty.openpty()
    with subprocess.Popen(gate.command(), stdin=theirs, stdout=theirs, stderr=theirs) as shell:
        os.close(theirs)
        screen = b""
        while b"> " not in screen:
            screen += os.read(ours, 4096)
        assert gate.commit(SITE.replace("gw1", "gw2"), confirm=1)["ok"]
        while b"***\r" not in screen:
            screen += os.read(ours, 4096)
        shell.kill()
    os.close(ours)
    line = "revision 2 is undone (not confirmed in time): back to revision 1"
    assert f"*** {line} ***".encode() in screen
    assert line in gate.log()
