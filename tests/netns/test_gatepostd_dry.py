# SPDX-License-Identifier: GPL-2.0-or-later
"""gatepostd in a dry run: what it keeps, writes and answers, without root."""
import os
import random
import socket
import stat
import subprocess

import pytest

from tests.netns.gate import SITE, Gate, until


@pytest.fixture(name="gate")
def _gate(tmp_path):
    with Gate(tmp_path) as gate:
        yield gate


def test_start_applies_the_stored_config(gate):
    plan = (gate.run / "dry-run").read_text()
    assert "198.51.100.2/30" in plan and "203.0.113.1/26" in plan
    assert "table inet gatepost" in plan and "203.0.113.10" in plan
    status = gate.ask("status")
    assert status["revision"] == 1 and status["host"] == "gw1" and "closed" not in status


def test_relay_gets_its_settings(gate):
    relay = gate.relay_json()["gatepost:relay"]
    assert relay["host-name"] == "relay.example.net"
    assert relay["name-server"] == ["192.0.2.53"]  # the system's, as it has none of its own
    assert relay["account"][0]["user"][0]["password"] == "$y$j9T$secret$hash"
    assert relay["retry"]["first"] == 300  # defaults are written out
    assert "gatepost:system" not in gate.relay_json()
    mode = os.stat(gate.run / "relay.json").st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert gate.ask("commit", text=SITE.replace("relay {", "relay {\nname-server 192.0.2.9;"))["ok"]
    assert gate.relay_json()["gatepost:relay"]["name-server"] == ["192.0.2.9"]


def test_without_a_relay_there_are_no_settings_for_one(gate):
    assert gate.commit(SITE[:SITE.index("relay {")])["ok"]
    assert not (gate.run / "relay.json").exists()


@pytest.mark.parametrize("change, line, words", [
    (("tcp 80,443", "tcp 80,99999"), 25, ["servers web1 allow http tcp", '"80,99999"', "99999"]),
    (("from any", "from offce"), 26, ['"offce"', 'did you mean "office"?']),
    (("gateway 198.51.100.1", "gateway 198.51.101.1"), 9, ['"198.51.101.1"', "in no network"]),
    (("host-name gw1;", "hostname gw1;"), 2, ['"hostname"', 'did you mean "host-name"?']),
    (("    }\n}\ngroups", "    }\ngroups"), 15, ['"groups"', "not known here"]),
    (("source 203.0.113.6", "source 203.0.114.6"), None, ["203.0.114.6"]),  # found in compiling
])
def test_refused_config_changes_nothing(gate, change, line, words):
    before = gate.files()
    bad = SITE.replace(*change, 1)
    assert bad != SITE
    answer = gate.commit(bad)
    assert answer["ok"] is False
    for word in words:
        assert word in answer["error"]
    if line:
        assert f"line {line}" in answer["error"]
    assert gate.files() == before
    assert gate.ask("status")["revision"] == 1


def test_config_that_fails_at_the_last_step_changes_nothing(gate):
    """relay.json cannot be written: the steps before it are undone."""
    before = gate.files()
    (gate.run / "relay.json.new").mkdir()
    answer = gate.commit(SITE.replace("relay.example.net", "mx.example.net"))
    (gate.run / "relay.json.new").rmdir()
    assert answer["ok"] is False and "relay.json" in answer["error"]
    assert gate.files() == before
    assert gate.commit(SITE.replace("relay.example.net", "mx.example.net"))["ok"]


def test_store_that_cannot_be_written_changes_nothing(gate):
    before = gate.files()
    (gate.store / "gatepost.conf.new").mkdir()
    answer = gate.commit(SITE.replace("gw1", "gw2").replace("relay.example", "mx.example"))
    (gate.store / "gatepost.conf.new").rmdir()
    assert answer["ok"] is False and "gatepost.conf" in answer["error"]
    assert gate.files() == before
    assert gate.ask("status")["host"] == "gw1"


def test_comments_survive_commit_and_restart(gate):
    assert gate.commit("# head\n" + SITE)["ok"]
    gate.restart()
    text = gate.ask("config")["text"]
    assert text.startswith("# head\nsystem {\n") and "web1 { # the shop\n" in text


def test_bad_config_at_start_closes_the_gate_and_says_why(tmp_path):
    with Gate(tmp_path, config=SITE.replace("tcp 80,443", "tcp 0")) as gate:
        status = gate.ask("status")
        assert status["revision"] == 0
        assert f"{gate.config}:\nline 25" in status["closed"] and '"0"' in status["closed"]
        assert "203.0.113.10" not in (gate.run / "dry-run").read_text()
        assert not (gate.run / "relay.json").exists()
        assert "forwarding is closed" in gate.log()
        alarm = gate.cli("show", "alarms").stdout
        assert "! forwarding closed" in alarm and "0 is not a port" in alarm
        assert gate.commit(SITE)["ok"]  # and a good one opens it
        assert "closed" not in gate.ask("status")
        assert gate.cli("show", "alarms").stdout == "none\n"


def test_no_config_at_all_is_a_closed_box_with_an_answer(tmp_path):
    with Gate(tmp_path, config=None) as gate:
        assert gate.ask("status")["ok"]
        assert gate.ask("config")["text"] == ""
        assert gate.commit(SITE)["revision"] == 1


def test_revisions_and_the_way_back(gate):
    assert gate.commit(SITE.replace("gw1", "gw2"), comment="rename")["revision"] == 2
    rows = gate.ask("revisions")["rows"]
    assert [(r["revision"], r["comment"], r["current"]) for r in rows] == [
        (2, "rename", True), (1, "found at start", False)]
    old = gate.ask("config", revision=1)["text"]
    assert "host-name gw1;" in old
    assert gate.commit(old)["revision"] == 3
    gate.restart()
    assert gate.ask("status")["revision"] == 3 and gate.ask("status")["host"] == "gw1"


def test_same_config_again_is_no_new_revision(gate):
    text = gate.ask("config")["text"]
    first = gate.commit(text)["revision"]  # SITE was found as it was typed: this is its canonical form
    assert gate.commit(text)["revision"] == first


def test_commit_from_a_stale_base_is_told_first(gate):
    assert gate.commit(SITE.replace("gw1", "gw2"))["revision"] == 2
    answer = gate.commit(SITE.replace("gw1", "gw3"), base=1)
    assert not answer["ok"] and "revision 2 was committed since" in answer["error"]
    assert gate.ask("status")["host"] == "gw2"
    assert gate.commit(SITE.replace("gw1", "gw3"), base=answer["revision"])["ok"]


# ---- commit confirmed ----

def test_unconfirmed_commit_is_undone_at_its_deadline(gate):
    before = gate.ask("config")["text"]
    assert gate.commit(SITE.replace("gw1", "gw2"), confirm=1)["revision"] == 2
    assert gate.ask("status")["waiting"]["return_to"] == 1
    until(lambda: "waiting" not in gate.ask("status"))
    assert gate.ask("config")["text"] == before and gate.ask("status")["revision"] == 1
    assert "revision 2 is undone (not confirmed in time): back to revision 1" in gate.log()
    assert [r["revision"] for r in gate.ask("revisions")["rows"]] == [1]


def test_confirmed_commit_stays(gate):
    assert gate.commit(SITE.replace("gw1", "gw2"), confirm=3600)["revision"] == 2
    refused = gate.commit(SITE)
    assert not refused["ok"] and "waits to be confirmed" in refused["error"]
    assert gate.ask("confirm")["ok"]
    gate.restart()
    assert gate.ask("status")["revision"] == 2 and "waiting" not in gate.ask("status")


def test_unconfirmed_commit_can_be_undone_at_once(gate):
    assert gate.commit(SITE.replace("gw1", "gw2"), confirm=3600)["ok"]
    assert gate.ask("back")["revision"] == 1
    assert gate.ask("status")["host"] == "gw1"
    assert not gate.ask("back")["ok"]


def test_crash_before_the_confirmation_ends_in_the_confirmed_config(gate):
    assert gate.commit(SITE.replace("gw1", "gw2"), confirm=3600)["ok"]
    gate.restart()
    status = gate.ask("status")
    assert status["host"] == "gw1" and status["revision"] == 1 and "waiting" not in status
    assert "revision 2 was not confirmed before gatepostd ended: back to revision 1" in gate.log()
    assert gate.relay_json()["gatepost:relay"]["host-name"] == "relay.example.net"


# ---- crashes ----

def test_killed_in_a_commit_it_starts_whole_old_or_new(gate):
    """The kill comes at a random moment around a commit; what starts is one config, not a mixture."""
    rng = random.Random(5)
    names = ["gw1"]
    for i in range(12):
        names.append(f"round{i}")
        text = SITE.replace("gw1", names[-1]).replace("relay.example", f"{names[-1]}.example")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(gate.socket))
            s.sendall(b'{"verb":"commit","text":' + _json(text) + b"}\n")
            s.settimeout(rng.random() * 0.03)
            try:
                s.recv(65536)
            except TimeoutError:
                pass
            gate.kill()
        gate.start()
        host = gate.ask("status")["host"]
        assert host in names[-2:]
        want = "relay.example.net" if host == "gw1" else f"{host}.example.net"
        assert gate.relay_json()["gatepost:relay"]["host-name"] == want
        assert "closed" not in gate.ask("status")
        assert not list((gate.store / "revisions").glob("*.new"))
        names = [host]


def _json(text):
    import json
    return json.dumps(text).encode()


# ---- whatever comes in ----

def test_random_edits_end_in_a_clean_refusal_or_a_clean_commit(gate):
    rng = random.Random(int(os.environ.get("GATEPOST_SEED", "7")))
    rounds = 1500 if os.environ.get("GATEPOST_SOAK") else 150
    good = SITE
    pieces = [line.strip() for line in SITE.splitlines() if line.strip()]
    for _ in range(rounds):
        text = good
        for _ in range(rng.randint(1, 3)):
            at, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
            end = min(end, at + 12)
            text = rng.choice([
                lambda: text[:at] + text[end:],
                lambda: text[:at] + rng.choice(pieces) + text[at:],
                lambda: text[:at] + rng.choice('{};[]"#\n\\/* 0') + text[at:],
                lambda: text[:at] + text[at:end] * 3 + text[end:],
                lambda: text[:at] + chr(rng.randrange(1, 0x250)) + text[end:],
            ])()
        before = gate.files()
        answer = gate.commit(text)
        if answer["ok"]:
            assert gate.ask("config")["text"] == gate.config.read_text()
        else:
            assert answer["error"].strip()
            assert gate.files() == before
    assert gate.process.poll() is None


@pytest.mark.parametrize("request_bytes, says", [
    (b"\n", "not a JSON object"),
    (b"[]\n", "not a JSON object"),
    (b'{"verb":"nonsense"}\n', "no such verb"),
    (b'{"verb":["status"]}\n', "no such verb"),
    (b'{"verb":"commit"}\n', "no text"),
    (b'{"verb":"commit","text":7}\n', "no text"),
    (b'{"verb":"check","text":"\\u0000"}\n', "not a JSON object"),
    (b'{"verb":"check","text":"\\u0001"}\n', "not text"),
    (b'{"verb":"config","revision":99}\n', "no revision 99"),
    (b'{"verb":"config","form":"xml"}\n', '"xml"'),
    (b'{"verb":"show","what":"../../etc"}\n', "nothing to show"),
    (b'{"verb":"commit","text":"","confirm":999999}\n', "too long"),
    (b'{"verb":"ping","host":"-f"}\n', "not an address"),
    (b'{"verb":"ping","host":"a b"}\n', "not an address"),
    (b'{"verb":"relay"}\n', "no verb"),
    (b"\xff\xfe\n", "not a JSON object"),
    (b'{"verb":"status"' + b" " * 100000 + b"\n", "not a JSON object"),
])
def test_odd_requests_get_an_answer(gate, request_bytes, says):
    answer = gate.raw(request_bytes)
    assert answer["ok"] is False and says in answer["error"]
    assert gate.ask("status")["ok"]


def test_several_requests_on_one_connection_are_answered_in_order(gate):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(gate.socket))
        s.sendall(b'{"verb":"status"}\n{"verb":"nonsense"}\n{"verb":"relay","request":{"verb":"log"}}\n'
                  b'{"verb":"config"}\n')
        lines = s.makefile("rb")
        got = [lines.readline() for _ in range(4)]
    assert b'"host":"gw1"' in got[0] and b"no such verb" in got[1]
    assert b"it is not running" in got[2] and b"web1" in got[3]


def test_clients_that_hang_do_not_stop_others(gate):
    hanging = []
    for i in range(40):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(gate.socket))
        s.sendall(b'{"verb":"config"}\n' * (i % 3) + b'{"verb":')
        hanging.append(s)
    assert gate.ask("status")["ok"]
    for s in hanging:
        s.close()
    assert gate.ask("status")["ok"]


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_others_may_read_but_neither_change_nor_see_secrets(gate):
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    for folder in [gate.run, *gate.run.parents]:
        if os.stat(folder).st_uid == os.geteuid() and str(folder) != "/":
            os.chmod(folder, os.stat(folder).st_mode | 0o011)
    closed = subprocess.run(nobody + gate.command("show", "version"), capture_output=True, text=True,
                            check=False)
    assert closed.returncode == 3  # the socket is not theirs to open
    os.chmod(gate.socket, 0o666)

    def run(commands):
        return subprocess.run(nobody + gate.command("-c", commands), capture_output=True, text=True,
                              check=False)
    shown = run("show configuration")
    assert shown.returncode == 0 and "web1" in shown.stdout
    assert "secret" not in shown.stdout and 'password "(hidden)";' in shown.stdout
    assert "secret" not in run("show configuration | display set").stdout
    assert run("show configuration | display json").returncode == 1
    assert "secret" not in run("show revision 1").stdout
    denied = run("configure")
    assert denied.returncode == 1 and "administrator" in denied.stderr
    assert gate.ask("status")["revision"] == 1


def test_ssh_from_outside_is_served_only_while_somebody_may(gate):
    mark = gate.run / "ssh.conf"
    assert not mark.exists()
    assert gate.commit(SITE.replace("name-server", "ssh { allow office; }\nname-server"))["ok"]
    assert mark.read_text() == "on\n"
    assert gate.commit(SITE)["ok"]
    assert not mark.exists()


def test_the_lan_port_is_set_beside_the_configuration(gate):
    (gate.store / "system").mkdir()
    file = gate.store / "system" / "lan-port"
    assert gate.cli("show", "lan-port").stdout == "address 192.168.77.1/24\ndhcp on\n"
    assert gate.cli("request", "lan-port", "dhcp", "off").returncode == 0
    done = gate.cli("request", "lan-port", "address", "10.9.8.1/30")
    assert done.stdout == "address 10.9.8.1/30\ndhcp off\n"
    assert file.read_text() == done.stdout
    before = gate.ask("config")["text"]
    done = gate.cli("request", "lan-port", "address", "10.9.8.0/30")
    assert done.returncode == 1
    assert '"address 10.9.8.0/30": address takes an IPv4 address' in done.stdout + done.stderr
    assert file.read_text() == "address 10.9.8.1/30\ndhcp off\n"
    assert gate.ask("config")["text"] == before


def test_time_servers_are_written_for_chrony(gate):
    assert not (gate.run / "chrony.conf").exists()
    assert gate.commit(SITE.replace("name-server", "ntp [ 192.0.2.1 2001:db8::1 ];\nname-server"))["ok"]
    lines = (gate.run / "chrony.conf").read_text().splitlines()
    assert lines[:2] == ["server 192.0.2.1 iburst", "server 2001:db8::1 iburst"]
    assert "port 0" in lines and "cmdport 0" in lines
    assert gate.commit(SITE)["ok"]
    assert not (gate.run / "chrony.conf").exists()


def test_the_dmz_gets_the_time_and_dns_only_where_that_is_said(gate):
    system = "ntp [ 192.0.2.1 ]; serve-dmz { ntp; dns; }\nname-server 2001:db8::53; name-server"
    assert gate.commit(SITE.replace("name-server", system, 1))["ok"]
    chrony = (gate.run / "chrony.conf").read_text().splitlines()
    assert "allow 0/0" in chrony and "allow ::/0" in chrony and "port 0" not in chrony
    dns = (gate.run / "dnsmasq.conf").read_text().splitlines()
    assert dns[:3] == ["server=2001:db8::53", "server=192.0.2.53", "listen-address=203.0.113.1"]
    assert gate.commit(SITE)["ok"]
    assert not (gate.run / "dnsmasq.conf").exists()


def test_syslog_receivers_are_written_one_a_line(gate):
    assert gate.commit(SITE.replace("name-server",
                                    "syslog [ 192.0.2.9 2001:db8::9 ];\nname-server"))["ok"]
    assert (gate.run / "syslog").read_text() == "192.0.2.9\n2001:db8::9\n"
    assert gate.commit(SITE)["ok"]
    assert not (gate.run / "syslog").exists()
