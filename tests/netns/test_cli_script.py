# SPDX-License-Identifier: GPL-2.0-or-later
"""gatepost in scripts: one command, several, a file of them; what it prints, how it ends."""
import json
import os
import socket
import subprocess
import threading

import pytest

from tests.netns.gate import GATEPOST, MODEL, Gate


@pytest.fixture(name="gate")
def _gate(tmp_path):
    with Gate(tmp_path) as gate:
        yield gate


OK, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3


def test_one_command_as_words_or_as_a_line(gate):
    shown = gate.cli("show", "configuration", "servers", "web1")
    assert shown.returncode == OK and shown.stdout.startswith("address 203.0.113.10;\nallow http {\n")
    assert gate.cli("-c", "show configuration servers web1").stdout == shown.stdout
    assert gate.cli("show configuration servers web1").stdout == shown.stdout
    assert gate.cli("sh", "conf", "servers", "web1").stdout == shown.stdout


def test_forced_command_of_an_ssh_key_runs_what_was_asked_for(gate):
    def ssh(asked):
        return subprocess.run(gate.command(), input="", text=True, capture_output=True, check=False,
                              timeout=60, env=dict(os.environ, SSH_ORIGINAL_COMMAND=asked))
    assert "KERNEL" in ssh("show version").stdout
    assert "revision 2" in ssh("configure; set system host-name gw8; commit").stdout
    got = ssh("show nonsense")
    assert got.returncode == USAGE and '"nonsense": not known here' in got.stderr


def test_show_configuration_in_every_form(gate):
    text = gate.do("show configuration")
    assert text == gate.ask("config")["text"]
    assert "# the shop" in text
    sets = gate.do("show configuration | display set")
    assert "set servers web1 allow http tcp 80,443\n" in sets
    assert all(line.startswith("set ") for line in sets.splitlines())
    tree = json.loads(gate.do("show configuration | display json"))
    assert tree["gatepost:servers"]["server"][0]["name"] == "web1"
    part = json.loads(gate.do("show configuration groups | display json"))
    assert part["gatepost:groups"]["group"][0]["member"] == ["192.0.2.0/24"]
    assert gate.do("show configuration groups office | display set") == \
        "set groups office 192.0.2.0/24\n"


def test_a_change_from_begin_to_commit(gate):
    out = gate.do("""
        configure
        set servers mail1 address 203.0.113.20
        set servers mail1 allow smtp tcp 25      # the mail server
        set servers mail1 allow smtp from [ any office ]
        delete servers mail1 allow smtp from office
        show | compare
        commit comment "mail; and more"
        run show revisions | match mail
        exit""".strip())
    assert "[servers]\n+   mail1 {\n+       address 203.0.113.20;\n" in out
    assert "revision 2 is in force\n" in out
    assert "in force  mail; and more\n" in out
    assert gate.do("show configuration servers mail1 allow smtp") == "tcp 25;\nfrom any;\n"
    assert "203.0.113.20" in (gate.run / "dry-run").read_text()


def test_editing_from_a_place_inside(gate):
    out = gate.do("""configure
edit servers web1
set allow ssh tcp 22
set allow ssh from office
show allow ssh
up
show web1 address
top
show groups
commit""")
    assert "tcp 22;\nfrom office;\n" in out
    assert "address 203.0.113.10;\n" in out
    assert "office {\n    192.0.2.0/24;\n}\n" in out


@pytest.mark.parametrize("commands, status, says", [
    ("shw", USAGE, '"shw": not known here; did you mean "show"?'),
    ("show", USAGE, "more is needed: configuration"),
    ("show interfaces | grep x", USAGE, '"| grep": not known'),
    ("show interfaces | match", USAGE, "more is needed"),
    ('show interfaces | match "["', USAGE, "not a pattern"),
    ("show interfaces |", USAGE, "must follow"),
    ("show interfaces | display set", USAGE, "goes with what shows a config"),
    ("show configuration | compare", USAGE, "while configuring"),
    ("show configuration nowhere", USAGE, "nowhere: not known here"),
    ('show "configuration', USAGE, "not closed"),
    ("show {", USAGE, '"{" belongs in a config'),
    ("show revision 99", FAILED, "there is no revision 99"),
    ("show revision x", USAGE, '"x": not a revision'),
    ("show relay log", FAILED, "it is not running"),
    ("ping -f", FAILED, "not an address"),
    ("confirm", FAILED, "no commit waits"),
    ("configure; set servers web1 allow http tcp 0", USAGE,
     'servers web1 allow http tcp: "0": 0 is not a port'),
    ("configure; set servers web1 colour red", USAGE, '"colour": not known here'),
    ("configure; set servers web1 address", USAGE, "missing: an address"),
    ("configure; set relay pool", USAGE, "missing: a text"),
    ("configure; set", USAGE, "what is to be set?"),
    ("configure; delete", USAGE, "would delete everything"),
    ("configure; delete servers web7", FAILED, "not set: servers web7"),
    ("configure; delete servers web1 address 192.0.2.99", FAILED, "192.0.2.99"),
    ("configure; edit servers web1 address", USAGE, "'set' gives it a value"),
    ("configure; up", FAILED, "the top already"),
    ("configure; rollback 77", FAILED, "no revision 77"),
    ("configure; rollback x", USAGE, '"x": not a revision'),
    ("configure; commit confirmed soon", USAGE, '"soon": not a time'),
    ("configure; load /nonexistent", FAILED, "cannot read /nonexistent"),
    ("configure; run configure", USAGE, "not from within"),
    ("configure; set system host-name gw9", FAILED, "changes were not committed"),
    ("configure; set system host-name gw9; exit", FAILED, "'discard' forgets them"),
])
def test_what_goes_wrong_is_said_and_in_the_exit_status(gate, commands, status, says):
    before = gate.files()
    got = gate.cli("-c", commands)
    assert got.returncode == status, got.stdout + got.stderr
    assert says in got.stderr
    assert gate.files() == before


def test_refused_commit_names_path_text_and_line(gate):
    before = gate.files()
    got = gate.cli("-c", "configure; set servers web1 allow http from offce; commit")
    assert got.returncode == FAILED
    assert 'servers web1 allow http from: "offce": no group or server has this name; did you mean ' \
        '"office"?' in got.stderr
    number = int(got.stderr.split("line ")[1].split(":")[0])
    shown = gate.do("configure; set servers web1 allow http from offce; show; discard")
    assert shown.splitlines()[number - 1].strip() == "from [ any offce ];"
    assert f"{number} |" in got.stderr and "offce" in got.stderr.split("|")[1]
    assert gate.files() == before
    check = gate.cli("-c", "configure; set servers web1 allow http from offce; commit check")
    assert check.returncode == FAILED and "offce" in check.stderr


def test_script_stops_at_the_first_failure(gate):
    got = gate.cli(stdin="configure\nset system host-name gw5\nset nonsense\ncommit\n")
    assert got.returncode == USAGE and "(at: set nonsense)" in got.stderr
    assert gate.ask("status")["host"] == "gw1"
    got = gate.cli(stdin="configure\n\n# a comment; commit\nset system host-name gw5\ncommit\n")
    assert got.returncode == OK and gate.ask("status")["host"] == "gw5"


def test_load_and_save(gate, tmp_path):
    saved = tmp_path / "saved.conf"
    gate.do(f"configure; save {saved}")
    assert saved.read_text() == gate.ask("config")["text"]
    changed = tmp_path / "changed.conf"
    changed.write_text(saved.read_text().replace("gw1", "gw6"))
    assert "+   host-name gw6;" in gate.do(f"configure; load {changed}; show | compare; commit")
    bad = tmp_path / "bad.conf"
    bad.write_text("system {\n    host-name gw7;\n    ntp nowhere;\n}\n")
    got = gate.cli("-c", f"configure; load {bad}")
    assert got.returncode == FAILED
    assert 'line 3, column 9: system ntp: "nowhere": not an address' in got.stderr
    assert "     3 |     ntp nowhere;" in got.stderr
    sets = tmp_path / "sets.conf"
    sets.write_text(gate.do("show configuration | display set"))
    assert gate.do(f"configure; load {sets}; show | compare") == ""


def test_rollback_and_compare_with_a_revision(gate):
    gate.do("configure; set system host-name gw2; commit")
    gate.do("configure; set system host-name gw3; commit")
    assert gate.do("configure; show | compare 1") == \
        "[system]\n-   host-name gw1;\n+   host-name gw3;\n"
    assert "revision 4 is in force" in gate.do("configure; rollback 1; commit")
    assert gate.ask("status")["host"] == "gw1"
    gate.do("configure; set system host-name x; rollback 0; exit")


def test_commit_confirmed_and_confirm(gate):
    out = gate.do("configure; set system host-name gw2; commit confirmed 5m")
    assert "'confirm' within 300 seconds keeps it; otherwise revision 1 comes back" in out
    assert "! commit not confirmed" in gate.do("show alarms")
    assert "revision 2 is confirmed and kept" in gate.do("confirm")
    gate.do("configure; set system host-name gw3; commit confirmed 90s; rollback now")
    assert gate.ask("status")["host"] == "gw2"


def editing(gate, name):
    """Somebody who has begun to edit, and waits."""
    one = subprocess.Popen(gate.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    one.stdin.write(f"configure\nset system host-name {name}\nrun show version\n")
    one.stdin.flush()
    assert "UP" in iter_until(one.stdout, "UP")
    return one


def test_two_people_do_not_overwrite_each_other_unknowingly(gate):
    with editing(gate, "first") as first:
        gate.restart()  # and with it the lock is gone
        gate.do("configure; set system host-name second; commit")
        _, errors = first.communicate("commit\n")
    assert first.returncode == FAILED and "revision 2 was committed since" in errors
    assert gate.ask("status")["host"] == "second"


def test_who_edits_keeps_others_out_until_an_administrator_breaks_the_lock(gate):
    with editing(gate, "first") as first:
        got = gate.cli("-c", "configure; set system host-name second; commit")
        assert got.returncode == FAILED and "root edits the config since" in got.stderr
        assert "'request lock break' takes it from them" in got.stderr
        gate.do("show configuration; test policy from 192.0.2.1 to web1 tcp 80")  # may look
        assert gate.do("request lock break; configure; set system host-name second; commit; exit; "
                       "request lock break") == \
            "the lock of root is broken\nrevision 2 is in force\nnobody held it\n"
        _, errors = first.communicate("commit\n")
    assert first.returncode == FAILED and "root broke your lock" in errors
    assert gate.ask("status")["host"] == "second"


def iter_until(stream, word):
    for line in stream:
        if word in line:
            return line
    return ""


def test_pipes(gate):
    assert gate.do("show configuration | match host-name") == \
        "    host-name gw1;\n    host-name relay.example.net;\n"
    assert gate.do("show configuration | match host-name | except gw1 | count") == "1 line\n"
    assert gate.do("show configuration | match nothing | count") == "0 lines\n"
    assert gate.do("show configuration servers | match ALLOW|tcp") == \
        "    allow http {\n        tcp 80,443;\n"
    rows = json.loads(gate.do("show interfaces | display json"))
    assert any(row["name"] == "lo" and "127.0.0.1/8" in row["addresses"] for row in rows)


def test_operational_commands_show_what_is(gate):
    assert "lo" in gate.do("show interfaces") and "ADDRESSES" in gate.do("show interfaces")
    assert "KERNEL" in gate.do("show version")
    assert gate.do("show routes").splitlines()[0].startswith("TO") or \
        gate.do("show routes") == "none\n"
    assert "table inet gatepost" in gate.do("show firewall ruleset")
    assert "1 packets transmitted" in gate.do("ping 127.0.0.1 count 1") or \
        "1 packets received" in gate.do("ping 127.0.0.1 count 1")
    assert gate.do("show alarms") == "none\n"
    assert "show relay log" in gate.do("help")
    assert "commit check" in gate.do("configure; help")


def test_ping_that_gets_no_answer_fails(gate):
    got = gate.cli("ping", "host.invalid", "count", "1")
    assert got.returncode == FAILED


def test_gatepostd_down_is_told_with_its_own_status(tmp_path):
    got = subprocess.run([GATEPOST, "--control", tmp_path / "none", "--yang", MODEL, "show", "version"],
                         capture_output=True, text=True, check=False)
    assert got.returncode == UNREACHABLE
    assert f"gatepostd does not answer at {tmp_path / 'none'}: it is not running" in got.stderr


def test_gatepostd_restarted_between_two_commands(gate):
    p = subprocess.Popen(gate.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    p.stdin.write("configure\nset system host-name gw4\nrun show version\n")
    p.stdin.flush()
    assert "UP" in iter_until(p.stdout, "UP")
    gate.restart()
    out, _ = p.communicate("commit\n")
    assert p.returncode == OK and "revision 2 is in force" in out


# ---- the relay, asked through gatepostd ----

class RelayEnd:
    """The other end of the relay's control socket: answers each line with what it is told to."""

    def __init__(self, path, answer):
        self.requests = []
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with s:
                line = s.makefile("rb").readline()
                if line:
                    self.requests.append(json.loads(line))
                    s.sendall(self.answer)

    def close(self):
        self.listener.close()


@pytest.fixture(name="relay_path")
def _relay_path(gate, tmp_path):
    path = tmp_path / "r.sock"
    gate.do(f"configure; set relay directory control {path}; commit")
    return path


def test_relay_log_is_asked_for_and_laid_out(gate, relay_path):
    row = {"time": "2026-11-23T18:04:05.123Z", "message": "0123456789ABC", "event": "delivered",
           "class": "", "account": "acme", "from": "a@acme.example", "to": "b@b.example",
           "detail": "250 ok \x1b[2J", "peer": "192.0.2.7", "url": ""}
    end = RelayEnd(relay_path, json.dumps({"ok": True, "rows": [row], "more": True}).encode() + b"\n")
    out = gate.do("show relay log to b@b.example account acme limit 7 since 1h")
    assert end.requests == [{"verb": "log", "to": "b@b.example", "account": "acme", "limit": 7,
                             "since": "1h"}]
    lines = out.splitlines()
    assert lines[0].split() == ["TIME", "MESSAGE", "EVENT", "ACCOUNT", "TO", "DETAIL"]
    assert lines[1].startswith("11-23 18:04:05  0123456789ABC  delivered  acme")
    assert "\x1b" not in out and "\\x1B[2J" in out  # what a peer said does not drive the terminal
    assert "there is more" in out
    out = gate.do("show relay message 0123456789ABC")
    assert end.requests[-1] == {"verb": "log", "message": "0123456789ABC"}
    assert "Account acme, from a@acme.example" in out
    assert json.loads(gate.do("show relay log | display json"))[0]["peer"] == "192.0.2.7"
    end.close()


@pytest.mark.parametrize("answer, says", [
    (b'{"ok":false,"error":"no such account: \'x\'"}\n', "no such account: 'x'\n"),
    (b"nonsense\n", "cannot be read"),
    (b"[]\n", "cannot be read"),
    (b"", "without an answer"),
    (b'{"ok":true', "without an answer"),
])
def test_relay_that_answers_badly(gate, relay_path, answer, says):
    end = RelayEnd(relay_path, answer)
    got = gate.cli("show", "relay", "queue")
    assert got.returncode == FAILED and says in got.stderr
    assert gate.ask("status")["ok"]
    end.close()


def test_relay_queue_shows_whatever_rows_there_are(gate, relay_path):
    end = RelayEnd(relay_path, b'{"ok":true,"rows":[{"message":"A","age_s":5},'
                               b'{"message":"B","age_s":70}],"held":0}\n')
    out = gate.do("show relay queue")
    assert out == "rows:\nMESSAGE  AGE-S\nA            5\nB           70\nheld: 0\n"
    end.close()
