# SPDX-License-Identifier: GPL-2.0-or-later
"""gatepostd crashes at every start: what the command line still does on the store."""
import json
import os
import pty
import re
import socket
import subprocess

import pytest

from tests.netns.gate import GATEPOSTD, SITE, Gate, until

RESCUE = GATEPOSTD.parent / "gatepost-rescue"


class Rescue:
    """gatepost-rescue beside a gate, with a services folder whose pipes end here."""

    def __init__(self, gate, folder):
        self.gate, self.services, self.logs = gate, folder / "services", folder / "logs"
        self.power = folder / "power"
        self.pipes = {}
        for name in ("gatepostd", "relay"):
            supervise = self.services / name / "supervise"
            supervise.mkdir(parents=True)
            os.mkfifo(supervise / "control")
            self.pipes[name] = os.open(supervise / "control", os.O_RDONLY | os.O_NONBLOCK)
            (self.logs / name).mkdir(parents=True)
        self.power.mkdir()
        for name in ("reboot", "poweroff"):
            program = self.power / name
            program.write_text(f"#!/bin/sh\necho {name} >>{folder}/done\n")
            program.chmod(0o755)
        self.done = folder / "done"
        self.process = None

    def __enter__(self):
        self.gate.run.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [RESCUE, "--config", self.gate.config, "--run-dir", self.gate.run,
             "--services", self.services, "--logs", self.logs, "--power", self.power],
            stdin=subprocess.DEVNULL)
        until((self.gate.run / "rescue.sock").exists)
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        for pipe in self.pipes.values():
            os.close(pipe)

    def told(self, service):
        """What runsv would have read since."""
        return os.read(self.pipes[service], 64).decode()


def crash_at_start(gate):
    """gatepostd, as runsv starts it again and again, on a model that it cannot read."""
    got = subprocess.run([GATEPOSTD, "--config", gate.config, "--run-dir", gate.run,
                          "--yang", "/nonexistent", "--guest", "--dry-run"], check=False,
                         capture_output=True, text=True, timeout=60)
    assert got.returncode != 0
    return got.stderr


@pytest.fixture(name="gate")
def _gate(tmp_path):
    """Three revisions, then gatepostd goes and never comes back."""
    with Gate(tmp_path) as gate:
        assert gate.commit(SITE.replace("gw1", "gw2"), comment="second")["ok"]
        assert gate.commit(SITE.replace("gw1", "gw3"), comment="third")["ok"]
    gate.socket.unlink(missing_ok=True)
    yield gate
    gate.stop()  # where a test brought it back


@pytest.fixture(name="rescue")
def _rescue(gate, tmp_path):
    with Rescue(gate, tmp_path) as rescue:
        stamps = "".join(f"2026-11-24_00:00:{i:02}.00000 line {i}\n" for i in range(60))
        (rescue.logs / "gatepostd" / "@400000006abc.s").write_text("older line\n")
        stamps = stamps[:-1] + " \x1b[2J\n"
        (rescue.logs / "gatepostd" / "current").write_text(stamps + crash_at_start(gate))
        yield rescue


def test_log_and_why_it_is_down(gate, rescue):
    assert "cannot" in crash_at_start(gate)
    shown = gate.do("show log")
    assert len(shown.splitlines()) == 50 and "line 59" in shown and "older line" not in shown
    assert r"line 59 \x1B[2J" in shown  # nothing in a log drives a terminal
    assert gate.do("show log gatepostd limit 200").startswith("older line\n")
    alarm = gate.do("show alarms")
    assert "! gatepostd is down" in alarm and "request service restart gatepostd" in alarm
    got = gate.cli("-c", "show log nobody")
    assert got.returncode == 1 and '"nobody": no service of this name has a log' in got.stderr
    got = gate.cli("-c", "show log ../run")
    assert got.returncode == 1 and "no service of this name" in got.stderr


def test_stored_config_is_looked_at_checked_and_rolled_back(gate, rescue):
    assert "host-name gw3;" in gate.do("show configuration system")
    assert "set system host-name gw3\n" in gate.do("show configuration | display set")
    rows = json.loads(gate.do("show revisions | display json"))
    assert [(r["revision"], r["comment"], r["current"]) for r in rows] == \
        [(3, "third", True), (2, "second", False), (1, "found at start", False)]
    assert "host-name gw1;" in gate.do("show revision 1")
    assert "-   host-name gw3;\n+   host-name gw2;" in \
        gate.do("configure; rollback 2; show | compare; discard")
    assert "the model takes it" in gate.do("configure; commit check")
    out = gate.do('configure; rollback 2; commit comment "back"')
    assert out == "revision 4 is stored; gatepostd starts with it\n"
    assert rescue.told("gatepostd") == "tu"
    gate.start()
    status = gate.ask("status")
    assert status["host"] == "gw2" and status["revision"] == 4
    assert gate.ask("revisions")["rows"][0]["comment"] == "back"


def test_edited_config_is_refused_here_when_it_is_wrong(gate, rescue):
    before = gate.files()
    got = gate.cli("-c", "configure; set servers web1 allow http from offce; commit")
    assert got.returncode == 1 and 'did you mean "office"?' in got.stderr
    got = gate.cli("-c", "configure; set system host-name gw9; commit confirmed 90s")
    assert got.returncode == 1 and "needs gatepostd" in got.stderr
    assert gate.files() == before and rescue.told("gatepostd") == ""


def test_what_needs_gatepostd_says_so(gate, rescue):
    for command in ("show routes", "ping 127.0.0.1", "confirm", "show relay log"):
        got = gate.cli("-c", command)
        assert got.returncode != 0 and "not running" in got.stderr, command


def test_services_power_and_factory_reset(gate, rescue):
    gate.do("request service restart relay")
    assert rescue.told("relay") == "tu"
    got = gate.cli("-c", "request service restart nothing")
    assert got.returncode == 1 and '"nothing": no service' in got.stderr
    for command in ("reboot", "poweroff", "factory-reset"):
        got = gate.cli("-c", f"request {command}")
        assert got.returncode == 1 and f"'request {command} confirmed' does it" in got.stderr
    assert not rescue.done.exists() and not (gate.store / "factory-reset").exists()
    gate.do("request reboot confirmed")
    until(lambda: rescue.done.exists() and rescue.done.read_text() == "reboot\n")
    gate.do("request factory-reset confirmed")
    until(lambda: rescue.done.read_text() == "reboot\nreboot\n")
    assert (gate.store / "factory-reset").exists()


def test_store_is_gatepostd_s_while_it_runs_and_the_logs_are_there_all_the_same(gate, rescue):
    gate.start()
    assert "line 59" in gate.do("show log gatepostd")
    assert "alarm" not in gate.do("show alarms")
    for verb in ("status", "config", "commit"):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(gate.run / "rescue.sock"))
            s.sendall(json.dumps({"verb": verb, "text": "system { host-name x; }"}).encode() + b"\n")
            answer = json.loads(s.makefile("rb").readline())
        assert not answer["ok"] and "the store is its own" in answer["error"]
    gate.stop()


def test_person_at_the_console_is_told_and_can_go_back(gate, rescue):
    ours, theirs = pty.openpty()
    with subprocess.Popen(gate.command(), stdin=theirs, stdout=theirs, stderr=theirs,
                          env=dict(os.environ, TERM="dumb")) as shell:
        os.close(theirs)
        screen = ""

        def until_seen(pattern):
            nonlocal screen
            while not re.search(pattern, screen):
                screen += os.read(ours, 4096).decode()
            seen, screen = screen, ""
            return seen
        assert "! gatepostd is down" in until_seen(r"@\S+\(offline\)> ")
        os.write(ours, b"configure\rrollback 1\rcommit\r")
        until_seen("revision 4 is stored")
        gate.start()  # with what was stored
        until_seen(r"\(offline\)# ")
        os.write(ours, b"\r")
        until_seen(r"@gw1# ")
        os.write(ours, b"set system host-name gw5\rcommit\r")
        until_seen("revision 5 is in force")
        shell.kill()
    os.close(ours)
    gate.stop()


def test_hostile_questions_get_an_answer_or_none_and_the_next_one_is_served(gate, rescue):
    for junk in (b"\n", b"{}\n", b"[]\n", b'{"verb":7}\n', b'{"verb":"log","service":"../x"}\n',
                 b'{"verb":"config","revision":99999999999}\n', b'{"verb":"commit"}\n',
                 b"\xff\xfe\n", b'{"verb":"restart","service":"a/b"}\n', b"no end"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(gate.run / "rescue.sock"))
            s.sendall(junk)
            s.shutdown(socket.SHUT_WR)
            line = s.makefile("rb").readline()
        assert not line or json.loads(line)["ok"] is False
    assert "line 59" in gate.do("show log")
