# SPDX-License-Identifier: GPL-2.0-or-later
"""gatepostd on a real kernel, in namespaces: a commit is whole or did not happen."""

import random
import re
import socket
import threading
import time

import pytest

from tests.harness.net import Net
from tests.netns.gate import SITE, Gate, until


@pytest.fixture(name="net")
def _net():
    with Net() as net:
        isp, gate, web = net.host("isp"), net.host("gate"), net.host("web1")
        net.link(isp, "eth0", gate, "eth0")
        net.link(web, "eth0", gate, "eth1")
        isp.addr("eth0", "198.51.100.1/30")
        isp.route("203.0.113.0/26", via="198.51.100.2")
        web.addr("eth0", "203.0.113.10/26")
        web.route("default", via="203.0.113.1")
        net.isp, net.gate, net.web = isp, gate, web
        yield net


def kernel(host):
    """What the kernel has, with nothing in it that changes by itself."""
    def said(*argv):
        return host.run(list(argv)).stdout
    rules = said("nft", "-s", "-a", "list", "ruleset")
    return {
        "addresses": said("ip", "-o", "addr"),
        "links": said("ip", "-o", "link"),
        "routes": said("ip", "route", "show", "table", "all"),
        "routes6": said("ip", "-6", "route", "show", "table", "all"),
        "neighbours": said("ip", "neigh", "show", "proxy"),
        "ruleset": rules,
        "forwarding": host.run(["sysctl", "net.ipv4.ip_forward",
                                "net.ipv6.conf.all.forwarding"]).stdout,
    }


def as_a_set(listing):
    """Addresses of different networks stand in the order they came; it has no meaning."""
    return sorted(listing.splitlines())


def answers(client, server, port, address):
    """Whether a TCP connection from client to server's port comes about."""
    listener = server.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen()
    s = client.socket(timeout=1.5)
    try:
        s.connect((address, port))
        return True
    except OSError:
        return False
    finally:
        s.close()
        listener.close()


def test_stored_config_is_in_force_after_the_start(net, tmp_path):
    with Gate(tmp_path, host=net.gate):
        state = kernel(net.gate)
        assert "198.51.100.2/30" in state["addresses"] and "203.0.113.1/26" in state["addresses"]
        assert "default via 198.51.100.1 dev eth0" in state["routes"]
        assert "net.ipv4.ip_forward = 1" in state["forwarding"]
        assert answers(net.isp, net.web, 80, "203.0.113.10")
        assert not answers(net.isp, net.web, 81, "203.0.113.10")


@pytest.mark.parametrize("change, says", [
    (("from any", "from offce"), '"offce"'),                          # found in validating
    (("source 203.0.113.6", "source 203.0.114.6"), "203.0.114.6"),    # in compiling
    (("device eth1", "device eth7"), "eth7"),                         # in applying
])
def test_refused_commit_leaves_the_kernel_as_it_was(net, tmp_path, change, says):
    with Gate(tmp_path, host=net.gate) as gate:
        before, files = kernel(net.gate), gate.files()
        bad = SITE.replace(*change).replace("198.51.100.2/30", "198.51.100.3/29").replace(
            "tcp 80,443", "tcp 8080")
        answer = gate.commit(bad)
        assert not answer["ok"] and says in answer["error"]
        assert kernel(net.gate) == before
        assert gate.files() == files


@pytest.mark.parametrize("step", ["services", "store"])
def test_failure_behind_the_kernel_s_step_undoes_it(net, tmp_path, step):
    """Addresses and ruleset are applied already when this fails: they are taken back in place."""
    with Gate(tmp_path, host=net.gate) as gate:
        before, files = kernel(net.gate), gate.files()
        before.pop("ruleset")
        trap = gate.run / "relay.json.new" if step == "services" else gate.store / "gatepost.conf.new"
        trap.mkdir()
        answer = gate.commit(SITE.replace("203.0.113.1/26", "203.0.113.2/26").replace(
            "relay.example", "mx.example").replace("tcp 80,443", "tcp 8080"))
        trap.rmdir()
        assert not answer["ok"]
        gate.tidy()
        after = kernel(net.gate)
        rules = after.pop("ruleset")
        assert as_a_set(after.pop("addresses")) == as_a_set(before.pop("addresses"))
        assert after == before
        assert gate.files() == files
        # The ruleset went back as a new generation: the same rules under another number.
        assert "8080" not in rules and answers(net.isp, net.web, 80, "203.0.113.10")
        assert not answers(net.isp, net.web, 8080, "203.0.113.10")


def test_bad_config_at_boot_forwards_nothing(net, tmp_path):
    with Gate(tmp_path, config=SITE.replace("tcp 80,443", "tcp 80-20"), host=net.gate) as gate:
        net.gate.addr("eth0", "198.51.100.2/30")  # as if the addresses were there all the same
        net.gate.addr("eth1", "203.0.113.1/26")
        net.gate.forward()
        assert not answers(net.isp, net.web, 80, "203.0.113.10")
        assert not answers(net.web, net.isp, 80, "198.51.100.1")
        assert "the range runs backwards" in gate.ask("status")["closed"]
        assert gate.commit(SITE)["ok"]
        assert answers(net.isp, net.web, 80, "203.0.113.10")


def test_killed_in_a_commit_it_starts_whole_old_or_new(net, tmp_path):
    """Two configs, turn about; the kill comes at any moment. After the restart the addresses, the
    ruleset and the relay's settings are those of one of them."""
    rng = random.Random(11)
    sides = [SITE, SITE.replace("203.0.113.1/26", "203.0.113.61/26").replace(
        "tcp 80,443", "tcp 8080").replace("relay.example", "mx.example")]
    marks = [("203.0.113.1/26", "203.0.113.10 . tcp . 80 ", "relay.example.net"),
             ("203.0.113.61/26", "203.0.113.10 . tcp . 8080 ", "mx.example.net")]
    with Gate(tmp_path, host=net.gate) as gate:
        now = 0
        seen = set()
        for _ in range(12):
            then = 1 - now
            thread = threading.Thread(target=_try_commit, args=(gate, sides[then]))
            thread.start()
            time.sleep(rng.random() * 0.06)
            gate.kill()
            thread.join()
            gate.start()
            state = kernel(net.gate)
            relay = gate.relay_json()["gatepost:relay"]["host-name"]
            found = [i for i, (address, _, name) in enumerate(marks)
                     if address in state["addresses"] and name == relay]
            assert len(found) == 1, state["addresses"] + relay
            assert marks[1 - found[0]][0] not in state["addresses"]
            assert marks[found[0]][1] in state["ruleset"]
            assert marks[1 - found[0]][1] not in state["ruleset"]
            assert gate.ask("config")["text"].replace(" # the shop", "") == \
                sides[found[0]].replace(" # the shop", "")
            seen.add((now, found[0]))
            now = found[0]
        assert len(seen) > 1  # some commits came through, some did not


def _try_commit(gate, text):
    try:
        gate.commit(text)
    except (OSError, ValueError):
        pass


def retransmitted(host):
    """TCP segments that host had to send again."""
    names, values = [line.split() for line in host.run(["cat", "/proc/net/snmp"]).stdout.splitlines()
                     if line.startswith("Tcp:")]
    return int(values[names.index("RetransSegs")])


def test_gatepostd_may_die_and_come_back_without_traffic_noticing(net, tmp_path):
    with Gate(tmp_path, host=net.gate) as gate:
        listener = net.web.socket()
        listener.bind(("0.0.0.0", 80))
        listener.listen(1024)
        client = net.isp.socket()
        client.connect(("203.0.113.10", 80))
        server, _ = listener.accept()
        gate.kill()
        client.sendall(b"while it is away")
        assert server.recv(64) == b"while it is away"
        stop, lost = threading.Event(), []
        new = threading.Thread(target=_connect_all_the_time, args=(net, stop, lost))
        before = retransmitted(net.isp)
        new.start()
        for _ in range(3):
            gate.start()
            assert gate.ask("status")["revision"] == 1
            gate.kill()
        stop.set()
        new.join()
        client.sendall(b"and after")
        assert server.recv(64) == b"and after"
        # No new connection failed while it started, nor did a SYN have to be sent twice.
        assert lost == [] and retransmitted(net.isp) == before
        for s in (client, server, listener):
            s.close()


def _connect_all_the_time(net, stop, lost):
    while not stop.is_set():
        s = net.isp.socket(timeout=10)
        try:
            s.connect(("203.0.113.10", 80))
        except OSError as e:
            lost.append(e)
        finally:
            s.close()
        time.sleep(0.002)


def test_connection_that_is_no_longer_allowed_is_cut_and_counted(net, tmp_path):
    with Gate(tmp_path, host=net.gate) as gate:
        listener = net.web.socket()
        listener.bind(("0.0.0.0", 443))
        listener.listen()
        client = net.isp.socket()
        client.connect(("203.0.113.10", 443))
        server, _ = listener.accept()
        answer = gate.commit(SITE.replace("tcp 80,443", "tcp 80"))
        assert answer["ok"] and "1 connection cut that is no longer allowed" in answer["notes"]
        server.settimeout(1)
        client.sendall(b"still here?")
        with pytest.raises(TimeoutError):
            server.recv(64)
        for s in (client, server, listener):
            s.close()


def test_unconfirmed_commit_takes_the_kernel_back_with_it(net, tmp_path):
    # The second may be over before a busy machine looks, so the kernel's own notices are read.
    seen = tmp_path / "notices"

    def listening():
        for verb in ("add", "del"):
            net.gate.ip("address", verb, "192.0.2.1/32", "dev", "lo")
        return "192.0.2.1" in seen.read_text()

    with seen.open("w") as notices, Gate(tmp_path, host=net.gate) as gate:
        net.gate.popen(["ip", "-o", "monitor", "address"], stdout=notices)
        until(listening)
        before = as_a_set(kernel(net.gate)["addresses"])
        assert gate.commit(SITE.replace("203.0.113.1/26", "203.0.113.61/26"), confirm=1)["ok"]
        until(lambda: "waiting" not in gate.ask("status"))
        assert as_a_set(kernel(net.gate)["addresses"]) == before
        until(lambda: re.search(r"^Deleted.* 203\.0\.113\.61/26 ", seen.read_text(), re.M))
    assert re.search(r"^\d.* 203\.0\.113\.61/26 ", seen.read_text(), re.M)


def test_show_tells_what_the_kernel_has(net, tmp_path):
    with Gate(tmp_path, host=net.gate) as gate:
        assert answers(net.isp, net.web, 80, "203.0.113.10")
        def cli(words):
            got = net.gate.run(gate.command("-c", words))
            return got.stdout
        wan = [line.split() for line in cli("show interfaces").splitlines() if "eth0" in line][0]
        assert wan[1:3] == ["wan", "up"] and "198.51.100.2/30" in wan
        assert ["0.0.0.0/0", "198.51.100.1", "eth0", "static", "0"] in \
            [line.split() for line in cli("show routes").splitlines()]
        counter = [line.split() for line in cli("show firewall").splitlines() if "web1" in line][0]
        assert int(counter[1]) >= 1
        assert "203.0.113.10" in cli("show neighbours")
        assert "1 packets transmitted" in cli("ping 198.51.100.1 count 1")
