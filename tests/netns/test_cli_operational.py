# SPDX-License-Identifier: GPL-2.0-or-later
"""What operational commands show of a real kernel, and what they do there."""
import io
import json
import os
import re
import subprocess
import tarfile

import pexpect
import pytest

from tests.harness.net import Net
from tests.netns.gate import SITE, Gate, until


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory):
    """isp - gate - web1, with web1 reachable on port 80."""
    with Net() as net:
        isp, gate, web = net.host("isp"), net.host("gate"), net.host("web1")
        net.link(isp, "eth0", gate, "eth0")
        net.link(web, "eth0", gate, "eth1")
        isp.addr("eth0", "198.51.100.1/30")
        isp.route("203.0.113.0/26", via="198.51.100.2")
        web.addr("eth0", "203.0.113.10/26")
        web.route("default", via="203.0.113.1")
        net.isp, net.web = isp, web
        with Gate(tmp_path_factory.mktemp("gate"), host=gate) as net.gate:
            yield net


@pytest.fixture(name="talk")
def _talk(site):
    """A connection from the isp to web1's port 80, over which 100 kB have gone."""
    listener = site.web.socket()
    listener.bind(("0.0.0.0", 0))
    port = 80
    listener.close()
    listener = site.web.socket()
    listener.setsockopt(1, 2, 1)  # SO_REUSEADDR
    listener.bind(("0.0.0.0", port))
    listener.listen()
    client = site.isp.socket()
    client.connect(("203.0.113.10", port))
    server, _ = listener.accept()
    client.sendall(b"x" * 100000)
    left = 100000
    while left:
        left -= len(server.recv(65536))
    yield client
    for s in (client, server, listener):
        s.close()


def test_flows_of_one_server_with_what_they_moved(site, talk):
    rows = json.loads(site.gate.do("show flows server web1 | display json"))
    mine = [r for r in rows if r["from"] == f"198.51.100.1:{talk.getsockname()[1]}"]
    assert len(mine) == 1, rows
    row = mine[0]
    assert (row["protocol"], row["to"], row["server"]) == ("tcp", "203.0.113.10:80", "web1")
    assert row["state"] in ("open", "offloaded") and row["bytes"] > 100000 and row["packets"] > 2
    table = site.gate.do("show flows limit 1000")
    assert re.search(r"tcp +198\.51\.100\.1:\d+ +203\.0\.113\.10:80 +web1", table)
    got = site.gate.cli("-c", "show flows server web7")
    assert got.returncode == 1 and '"web7": no server has this name' in got.stderr


def test_policy_is_tested_without_a_packet_in_force_and_in_the_candidate(site):
    gate = site.gate
    out = gate.do("test policy from 198.51.100.1 to web1 tcp 80")
    assert re.search(r"198\.51\.100\.1 +wan +203\.0\.113\.10 +dmz +allowed +web1 allow http", out)
    assert "denied" in gate.do("test policy from 198.51.100.1 to web1 tcp 22")
    out = gate.do("configure; set servers web1 allow ssh tcp 22; set servers web1 allow ssh from "
                  "198.51.100.0/24; test policy from 198.51.100.1 to web1 tcp 22; discard; exit")
    assert "web1 allow ssh" in out
    for line, says in (("from nobody to web1 tcp 80", '"nobody": no address, server or group'),
                       ("from web1 to 192.0.2.1 tcp 99999", "not a port")):
        got = gate.cli("-c", f"test policy {line}")
        assert got.returncode != 0 and says in got.stderr
    assert not [r for r in json.loads(gate.do("show flows limit 1000 | display json"))
                if r["to"].endswith(":22")]


def test_ping_traceroute_and_capture_run_where_the_site_is(site, talk):
    gate = site.gate
    assert "203.0.113.10" in gate.do("ping 203.0.113.10 count 1")
    assert "198.51.100.1" in gate.do("traceroute 198.51.100.1")
    capture = subprocess.Popen(gate.command("-c", "capture interface dmz protocol tcp port 80 "
                                            "count 2"), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    seen = ""
    while "listening on eth1" not in seen:
        line = capture.stdout.readline()
        assert line, seen
        seen += line
    while capture.poll() is None:  # it ends by its count
        talk.sendall(b"y")
        try:
            capture.wait(0.2)
        except subprocess.TimeoutExpired:
            pass
    assert "203.0.113.10.80" in capture.stdout.read()
    got = gate.cli("-c", "capture host -w")
    assert got.returncode == 1 and "not an address" in got.stderr


def test_what_the_box_is_like(site):
    gate = site.gate
    assert re.search(r"^kernel +\S+", gate.do("show boot"), re.M)
    assert "SENSOR" in gate.do("show temperature") or gate.do("show temperature") == "none\n"
    assert "PACKETS" in gate.do("show firewall counters")
    shown = gate.do("show firewall log")
    assert shown == "none\n" or "VERDICT" in shown


def test_names_that_are_there_are_offered(site):
    env = dict(os.environ, TERM="dumb")
    command = site.gate.command()
    p = pexpect.spawn(command[0], command[1:], env=env, dimensions=(24, 80), timeout=60,
                      encoding="utf-8")
    p.expect("@gw1> ")
    p.send("show flows server we\t")
    p.expect("server web1 ")
    p.sendcontrol("u")
    p.send("show relay log account a\t")
    p.expect("account acme ")
    p.sendcontrol("u")
    p.send("capture interface eth\t")
    p.expect("eth0 .*eth1 ")
    p.sendcontrol("u")
    p.send("show configuration servers w\tall\t")
    p.expect("servers web1 allow ")
    p.sendcontrol("u")
    p.send("configure\r")
    p.expect("@gw1# ")
    p.send("rename servers w\tt\t")
    p.expect("servers web1 to ")
    p.sendcontrol("u")
    p.send("set interfaces wan device eth\t")
    p.expect("eth0 .*eth1 ")
    p.close(force=True)


# ---- monitor ----

def test_monitor_in_a_script_prints_each_look_below_the_last(site, talk):
    out = site.gate.do("monitor interfaces interval 1 count 3")
    assert len(re.findall(r"UTC  interfaces$", out, re.M)) == 3 and "\x1b" not in out
    rows = re.findall(r"^eth1 +dmz +up +(\d+) +(\d+) ", out, re.M)
    assert len(rows) == 2, out  # the first look has nothing to compare with
    assert "COUNTER" in site.gate.do("monitor firewall interval 1 count 1")
    got = site.gate.cli("-c", "monitor firewall interval 0")
    assert got.returncode == 2 and '"0": not a number of seconds' in got.stderr


@pytest.mark.parametrize("term", ["dumb", "vt100"])
def test_monitor_at_a_terminal_keeps_to_one_screen_until_q(site, term):
    env = dict(os.environ, TERM=term)
    command = site.gate.command()
    p = pexpect.spawn(command[0], command[1:], env=env, dimensions=(24, 80), timeout=60,
                      encoding="utf-8")
    p.expect("@gw1> ")
    p.send("monitor firewall interval 1\r")
    for _ in range(2):
        p.expect("UTC  firewall +.q ends.")
        p.expect("COUNTER")
    p.send("q")
    p.expect("@gw1> ")
    if term == "dumb":
        assert "\x1b" not in p.before
    p.send("show version\r")
    p.expect("KERNEL")
    p.close(force=True)


# ---- support ----

def test_support_archive_holds_it_all_but_no_secret(site, tmp_path):
    gate = site.gate
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----"
    path = tmp_path / "support.tar.gz"
    assert gate.do(f"request support {path}") == f"{path}\n"
    piped = subprocess.run(gate.command("request", "support", "-"), capture_output=True,
                           check=True, timeout=120).stdout
    for archive in (path.read_bytes(), piped):
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            files = {m.name.split("/")[1]: tar.extractfile(m).read().decode()
                     for m in tar.getmembers()}
        assert 'password "(hidden)";' in files["config.txt"]
        assert "host-name gw1;" in files["config.txt"]
        assert "KERNEL" in files["version.txt"] and "eth1" in files["interfaces.txt"]
        assert "table inet gatepost" in files["firewall-ruleset.txt"]
        assert "it is not running" in files["relay-queue.txt"]
        for text in files.values():
            assert "$y$" not in text and key not in text
    got = gate.cli("-c", "request support /nonexistent/x")
    assert got.returncode == 1 and "cannot write /nonexistent/x" in got.stderr
