# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody else does to the kernel's state is noticed, told, and put back; nobody polls.

Each kind of object that a commit installs is removed, altered or added to, one at a time.
"""
import json
import re

import pytest

from tests.harness.net import Net
from tests.netns.gate import SITE, Gate, until
from tests.netns.test_gatepostd_net import kernel

CONFIG = SITE.replace("device eth1;", "device eth1; mtu 1400;").replace(
    "gateway 198.51.100.1;", "gateway 198.51.100.1; proxy-neighbour 203.0.113.32/30;").replace(
    "from any;", "from office; limit 9/second; log;")


@pytest.fixture(name="net", scope="module")
def _net():
    with Net() as net:
        isp, gate, web = net.host("isp"), net.host("gate"), net.host("web1")
        net.link(isp, "eth0", gate, "eth0")
        net.link(web, "eth0", gate, "eth1")
        net.isp, net.gate, net.web = isp, gate, web
        yield net


def objects(host, kind):
    """What our table has of a kind, as nft's JSON has it."""
    said = json.loads(host.run(["nft", "-j", "list", "ruleset"]).stdout)
    return [o[kind] for o in said["nftables"]
            if kind in o and o[kind].get("table") == "gatepost"]


def state(host):
    """The kernel's state without the numbers of generations, and in no order where none counts."""
    got = kernel(host)
    rules = re.sub(r"(?<=[a-z0-9_])-\d+\b", "-N", got.pop("ruleset"))
    rules = re.sub(r" # handle \d+", "", rules)
    got["rules"] = sorted(line.strip() for line in re.split(r"[\n,]|elements = {", rules)
                          if not line.strip().startswith("update @"))
    got["links"] = re.findall(r"\d+: (\S+): <(\S*)> mtu (\d+)", got["links"])
    got["links"] = [(n, "UP" in flags.split(","), mtu) for n, flags, mtu in got["links"]]
    for name in ("addresses", "routes", "routes6", "neighbours"):
        got[name] = sorted(re.sub(r"^\d+: |\bpref \S+|(?<=eth1):\d+", "", line)
                           for line in got[name].splitlines() if "fe80::" not in line
                           and "multicast" not in line)
    got["more"] = host.run(["sysctl", "net.ipv4.conf.eth0.accept_redirects"]).stdout
    return got


def nft(host, *words):
    host.run(["nft", *words])


def a_chain(host, base):
    return next(c["name"] for c in objects(host, "chain") if ("hook" in c) == base
                and any(r["chain"] == c["name"] for r in objects(host, "rule")))


def delete_a_rule(host, base):
    rule = next(r for r in objects(host, "rule") if r["chain"] == a_chain(host, base))
    nft(host, "delete", "rule", "inet", "gatepost", rule["chain"], "handle", str(rule["handle"]))


def a_map(host):
    return next(m for m in objects(host, "map") if m.get("elem") and m.get("map") == "verdict")


def words(value):
    return " . ".join(map(str, value["concat"])) if isinstance(value, dict) else str(value)


def delete_an_element(host):
    found = a_map(host)
    nft(host, "delete", "element", "inet", "gatepost", found["name"],
        "{", words(found["elem"][0][0]), "}")


def add_an_element(host):
    found = next(s for s in objects(host, "set") if s["type"] in ("ipv4_addr", "ipv6_addr")
                 and "timeout" not in s["flags"] and "dynamic" not in s["flags"])
    extra = "9.9.9.9" if found["type"] == "ipv4_addr" else "2001:db8:9::9"
    nft(host, "add", "element", "inet", "gatepost", found["name"], "{", extra, "}")


def flip_a_policy(host):
    chain = next(c for c in objects(host, "chain") if c.get("policy") == "drop")
    nft(host, f"add chain inet gatepost {chain['name']} {{ policy accept; }}")


TABLE = ("inet", "gatepost")
MUTATIONS = {
    "the table": lambda h: nft(h, "delete", "table", *TABLE),
    "everything": lambda h: nft(h, "flush", "ruleset"),
    "all rules": lambda h: nft(h, "flush", "table", *TABLE),
    "a base chain's rule": lambda h: delete_a_rule(h, True),
    "a chain's rule": lambda h: delete_a_rule(h, False),
    "a rule more": lambda h: nft(h, "insert", "rule", *TABLE, a_chain(h, True), "accept"),
    "a chain's rules": lambda h: nft(h, "flush", "chain", *TABLE, a_chain(h, False)),
    "a chain more": lambda h: nft(h, "add", "chain", *TABLE, "extra"),
    "a chain's name": lambda h: nft(h, "rename", "chain", *TABLE, a_chain(h, False), "other"),
    "a policy": flip_a_policy,
    "a map's element": delete_an_element,
    "a set's element more": add_an_element,
    "a set more": lambda h: nft(h, "add set inet gatepost extra { type ipv4_addr; }"),
    "a counter more": lambda h: nft(h, "add", "counter", *TABLE, "extra"),
    "a port down": lambda h: h.ip("link", "set", "eth1", "down"),
    "an mtu": lambda h: h.ip("link", "set", "eth1", "mtu", "1300"),
    "an address": lambda h: h.ip("addr", "del", "198.51.100.2/30", "dev", "eth0"),
    "an address more": lambda h: h.ip("addr", "add", "198.51.100.9/32", "dev", "eth0"),
    "an address more, IPv6": lambda h: h.ip("addr", "add", "2001:db8:9::1/64", "dev", "eth0"),
    "a pool's address": lambda h: h.ip("addr", "del", "203.0.113.6/32", "dev", "eth1"),
    "the default route": lambda h: h.ip("route", "del", "default"),
    "the default route's way": lambda h: h.ip("route", "replace", "default", "via",
                                              "203.0.113.9", "dev", "eth1"),
    "a route more": lambda h: h.ip("route", "add", "192.0.2.0/24", "via", "198.51.100.1"),
    "forwarding": lambda h: h.sysctl("net.ipv4.ip_forward", 0),
    "a port's sysctl": lambda h: h.sysctl("net.ipv4.conf.eth0.accept_redirects", 1),
}


@pytest.fixture(name="gate", scope="module")
def _gate(net, tmp_path_factory):
    with Gate(tmp_path_factory.mktemp("drift"), config=CONFIG, host=net.gate) as gate:
        assert "closed" not in gate.ask("status")
        yield gate


@pytest.mark.parametrize("what", MUTATIONS)
def test_change_from_outside_is_noticed_told_and_put_back(net, gate, what):
    gate.restart()  # mends what the last one left, and may mend as often again
    before, told = state(net.gate), gate.log().count("changed from outside, and put back")
    MUTATIONS[what](net.gate)
    until(lambda: gate.log().count("changed from outside, and put back") > told)
    until(lambda: gate.ask("status")["tidy"] and state(net.gate) == before)
    alarms = {a["alarm"]: a["says"] for a in gate.ask("show", what="alarms")["rows"]}
    assert "changed from outside" in alarms and "not as configured" not in alarms


def test_lost_port_is_an_alarm_until_it_is_back(net, gate):
    gate.restart()
    before = state(net.gate)
    net.gate.ip("link", "set", "eth1", "name", "eth7")
    def alarms():
        return [a["alarm"] for a in gate.ask("show", what="alarms")["rows"]]
    until(lambda: "not as configured" in alarms())
    net.gate.ip("link", "set", "eth7", "down")
    net.gate.ip("link", "set", "eth7", "name", "eth1")
    until(lambda: "not as configured" not in alarms(), seconds=90)
    until(lambda: gate.ask("status")["tidy"] and state(net.gate) == before)


def test_proxy_neighbour_is_put_back_with_the_next_notice(net, gate):
    """The kernel tells nobody of these: gateway/drift.h says so."""
    gate.restart()
    before = state(net.gate)
    net.gate.ip("neigh", "del", "proxy", "203.0.113.33", "dev", "eth0")
    net.gate.ip("addr", "add", "198.51.100.9/32", "dev", "eth0")
    until(lambda: state(net.gate) == before)


def test_who_keeps_changing_it_is_not_fought_for_ever(net, gate):
    gate.restart()
    def log_lines():
        return gate.log().count("cannot be put back")
    told = log_lines()
    def change():
        net.gate.run(["ip", "addr", "add", "198.51.100.9/32", "dev", "eth0"], check=False)
        return log_lines() > told
    until(change, step=0.2, seconds=60)
    assert "not as configured" in [a["alarm"] for a in gate.ask("show", what="alarms")["rows"]]


def test_other_programs_tables_are_not_ours_to_mind(net, gate):
    gate.restart()
    told = gate.log().count("changed from outside, and")
    nft(net.gate, "add table inet other; add chain inet other x; delete table inet other")
    net.gate.ip("addr", "add", "127.9.9.9/8", "dev", "lo")
    net.gate.ip("addr", "del", "127.9.9.9/8", "dev", "lo")
    nft(net.gate, "add", "counter", *TABLE, "extra")  # the notice behind them
    until(lambda: gate.log().count("changed from outside, and") > told)
    assert gate.log().count("changed from outside, and") == told + 1
