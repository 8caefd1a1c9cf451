# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses, routes, neighbours and sysctls: set as the config says, and brought back exactly."""

import json
import os
import socket
import subprocess

import pytest

from tests.harness.firewall import Firewall, Refused
from tests.harness.net import Net

CONFIG = """
interfaces {
    wan {
        device eth0; mtu 1400;
        address [ 198.51.100.2/30 2001:db8:0:1::2/64 198.51.100.66/27 198.51.100.67/27 ];
        gateway [ 198.51.100.1 2001:db8:0:1::1 ];
        proxy-neighbour [ 203.0.113.16/30 2001:db8:d::/64 ];
    }
    dmz { device eth1; address [ 203.0.113.1/26 2001:db8:d::1/64 ]; }
}
servers { web1 { address [ 203.0.113.10 2001:db8:d::10 ]; } }
relay {
    host-name relay.example.net;
    pool a { source [ 203.0.113.5 2001:db8:d::5 ]; }
    account a { networks 203.0.113.0/26; from "*@a.example"; pool a; }
}
"""
MOVED = """
interfaces {
    wan { device eth0; address [ 192.0.2.2/30 ]; gateway 192.0.2.1; }
    dmz { device eth1; address [ 203.0.113.65/26 ]; }
}
"""


@pytest.fixture
def gate():
    with Net() as net:
        gate, peer = net.host("gate"), net.host("peer")
        net.link(gate, "eth0", peer, "eth0")
        net.link(gate, "eth1", peer, "eth1")
        net.link(gate, "eth9", peer, "eth9")
        net.settle()
        yield gate


@pytest.fixture
def fw(gate, tmp_path):
    fw = Firewall(gate, tmp_path)
    # Connection tracking has its sysctls from when it is first used.
    fw.apply(CONFIG)
    return fw


def state(host):
    """All that this is about, in the kernel's words."""
    got = {}
    for name, args in (("link", ["link"]), ("addr", ["addr"]), ("route", ["-4", "route"]),
                       ("route6", ["-6", "route"]), ("neigh", ["-4", "neigh", "show", "proxy"]),
                       ("neigh6", ["-6", "neigh", "show", "proxy"])):
        entries = json.loads(host.run(["ip", "-j", "-d", *args]).stdout or "[]")
        for entry in entries:
            for key in ("num_tx_queues", "num_rx_queues", "stats64", "txqlen"):
                entry.pop(key, None)
        got[name] = sorted(entries, key=lambda e: json.dumps(e)) if "route" in name else entries
    got["sysctl"] = host.run(["sh", "-c", "grep -rs . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf "
                              "/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/neigh "
                              "/proc/sys/net/ipv6/neigh | grep -v stable_secret | sort"]).stdout
    return got


def unordered(links):
    """Addresses of different networks stand in the order they came; it has no meaning."""
    return [(link["ifname"], sorted(json.dumps(a) for a in link["addr_info"])) for link in links]


def addresses(host, dev):
    info = json.loads(host.run(["ip", "-j", "addr", "show", dev]).stdout)[0]["addr_info"]
    return [(a["local"], a["prefixlen"]) for a in info if a["scope"] == "global"]


def proxies(host, family):
    return {line.split()[0] for line in host.ip(family, "neigh", "show", "proxy").splitlines()}


def test_the_kernel_gets_what_the_config_says(gate, fw):
    fw.net(CONFIG)
    assert fw.check(CONFIG) == ""
    assert [a for a in addresses(gate, "eth0") if ":" not in a[0]] == [
        ("198.51.100.2", 30), ("198.51.100.66", 27), ("198.51.100.67", 27)]
    assert ("203.0.113.5", 32) in addresses(gate, "eth1")
    assert ("2001:db8:d::5", 128) in addresses(gate, "eth1")
    assert "deprecated" in gate.ip("addr", "show", "to", "2001:db8:d::5")
    assert "tentative" not in gate.ip("-6", "addr", "show", "scope", "global")
    assert "default via 198.51.100.1 dev eth0 proto 103" in gate.ip("route")
    assert "default via 2001:db8:0:1::1 dev eth0 proto 103" in gate.ip("-6", "route")
    assert proxies(gate, "-4") == {f"203.0.113.{n}" for n in (16, 17, 18, 19)}
    assert proxies(gate, "-6") == {"2001:db8:d::1", "2001:db8:d::5", "2001:db8:d::10"}
    assert gate.sysfs("eth0/mtu") == "1400"


def test_the_same_again_changes_nothing(gate, fw):
    fw.net(CONFIG)
    watch = gate.popen(["ip", "monitor", "link", "addr", "route", "neigh"],
                       stdout=subprocess.PIPE, text=True)
    before = state(gate)
    fw.net(CONFIG)
    assert state(gate) == before
    gate.ip("link", "set", "eth9", "alias", "the-fence")
    seen = []
    for line in iter(watch.stdout.readline, ""):
        if "the-fence" in gate.ip("link", "show", "eth9") and "eth9" in line:
            break
        seen.append(line)
    assert [line for line in seen if "REACHABLE" not in line and "STALE" not in line] == []


@pytest.mark.parametrize("first", ["nothing", "another config", "somebody's hands"])
def test_undo_brings_back_exactly_what_was_there(gate, fw, first):
    if first == "another config":
        fw.net(MOVED)
    if first == "somebody's hands":
        gate.run(["sh", "-ec", """
            ip addr add 198.51.100.67/27 dev eth0 label eth0:x
            ip addr add 198.51.100.66/27 dev eth0
            ip addr add 10.0.0.9/8 brd 10.1.1.1 dev eth1
            ip -6 addr add 2001:db8:77::1/64 dev eth1 preferred_lft 0 nodad
            ip route add default via 198.51.100.65 dev eth0 mtu 1280 advmss 1000
            ip route add 192.0.2.0/24 via 198.51.100.65 metric 7 proto static
            ip -6 route add 2001:db8:99::/48 via 2001:db8:77::2 dev eth1
            ip neigh add proxy 10.3.3.3 dev eth0
            ip link set eth1 mtu 1450
            echo 2 > /proc/sys/net/ipv6/conf/eth0/accept_ra
        """])
    before = state(gate)
    fw.net(CONFIG)
    assert fw.check(CONFIG) == ""
    assert state(gate) != before
    fw.undo()
    after = state(gate)
    for part in before:
        assert after[part] == before[part], part


def test_one_config_follows_another_without_a_trace(gate, fw):
    fw.net(MOVED)
    before = state(gate)
    fw.net(CONFIG)
    fw.net(MOVED)
    gate.ip("link", "set", "eth0", "mtu", "1500")  # not said in the config, so left as it was
    after = state(gate)
    for part in ("addr", "route", "route6", "neigh", "neigh6"):
        assert after[part] == before[part], part


def test_devices_that_the_config_does_not_name_are_left_alone(gate, fw):
    gate.run(["sh", "-ec", """
        ip addr add 10.9.9.1/24 dev eth9
        ip route add 10.10.0.0/16 via 10.9.9.2
        ip neigh add proxy 10.3.3.3 dev eth9
    """])
    before = [line for line in (gate.ip("addr", "show", "eth9") + gate.ip("route")
              + gate.ip("neigh", "show", "proxy")).splitlines()]
    fw.net(CONFIG)
    after = [line for line in (gate.ip("addr", "show", "eth9") + gate.ip("route")
             + gate.ip("neigh", "show", "proxy")).splitlines()]
    assert set(before) <= set(after)


def test_a_port_that_is_no_longer_configured_loses_what_we_gave_it(gate, fw):
    fw.net(CONFIG)
    fw.net("interfaces { dmz { device eth9; address 203.0.113.1/26; } }")
    assert addresses(gate, "eth0") == [] and addresses(gate, "eth1") == []
    assert addresses(gate, "eth9") == [("203.0.113.1", 26)]
    assert "default" not in gate.ip("route") + gate.ip("-6", "route")
    assert gate.ip("neigh", "show", "proxy") == ""


def test_the_order_of_addresses_is_the_configs(gate, fw):
    def config(*last):
        listed = " ".join(f"192.0.2.{n}/24" for n in last)
        return f"interfaces {{ wan {{ device eth0; address [ {listed} ]; }} }}"

    for order in ((1, 2, 3), (3, 2, 1), (2, 3, 1), (4, 2), (2, 4, 1, 3), (3,)):
        fw.net(config(*order))
        assert addresses(gate, "eth0") == [(f"192.0.2.{n}", 24) for n in order]
        assert fw.check(config(*order)) == ""
        route = gate.ip("route", "show", "192.0.2.0/24")
        assert f"src 192.0.2.{order[0]}" in route
    fw.undo()
    assert addresses(gate, "eth0") == [(f"192.0.2.{n}", 24) for n in (2, 4, 1, 3)]


@pytest.mark.parametrize("fault, config", [
    ("device eth7: there is no such device",
     CONFIG.replace("device eth1", "device eth7")),
    ("route to 0.0.0.0/0 via 198.51.100.1 on eth0: a route to the same place on eth9",
     CONFIG),
    ("relay pool a source 192.0.2.5: in no network of interfaces wan or dmz",
     CONFIG.replace("source [ 203.0.113.5", "source [ 192.0.2.5")),
    ("proxy-neighbour 10.0.0.0/8: more than 4096 addresses",
     CONFIG.replace("203.0.113.16/30", "10.0.0.0/8")),
])
def test_what_cannot_be_is_refused_and_leaves_nothing(gate, fw, fault, config):
    gate.addr("eth9", "10.9.9.1/24")
    if "eth9" in fault:
        gate.route("default", via="10.9.9.2")
    before = state(gate)
    with pytest.raises(Refused) as refusal:
        fw.net(config)
    assert fault in str(refusal.value)
    after = state(gate)
    for part in before:
        assert after[part] == before[part], part


@pytest.mark.parametrize("change", [
    "addr del 203.0.113.1/26 dev eth1", "addr add 203.0.113.2/26 dev eth1",
    "route del default", "route add 192.0.2.0/24 via 198.51.100.1",
    "-6 route del default", "link set eth1 down", "link set eth0 mtu 1500",
    "neigh del proxy 203.0.113.17 dev eth0", "neigh add proxy 203.0.113.77 dev eth0",
    "addr change 2001:db8:d::5/128 dev eth1 preferred_lft forever",
    "addr del 198.51.100.66/27 dev eth0",
])
def test_a_change_by_others_is_noticed_and_mended(gate, fw, change):
    fw.net(CONFIG)
    gate.ip(*change.split())
    assert fw.check(CONFIG) != ""
    fw.net(CONFIG)
    assert fw.check(CONFIG) == ""


def test_the_gate_answers_for_its_neighbours(gate, fw):
    """ARP and ND for what is behind it, asked from the wire where nobody else would answer."""
    with Net() as net:
        gate, isp = net.host("gate2"), net.host("isp")
        net.link(gate, "eth0", isp, "eth0")
        net.link(gate, "eth1", isp, "unused")
        isp.addr("eth0", "198.51.100.1/30")
        isp.addr("eth0", "2001:db8:0:1::1/64")
        isp.route("203.0.113.16/30", dev="eth0")
        isp.route("2001:db8:d::/64", dev="eth0")
        second = Firewall(gate, fw.directory)
        second.apply(CONFIG)
        second.net(CONFIG)
        for address in ("203.0.113.17", "2001:db8:d::10"):
            isp.run(["ping", "-c", "1", "-W", "1", address], check=False)
            assert gate.mac("eth0") in isp.ip("neigh", "show", address)


def test_vlans_come_and_go_with_the_config(gate, fw):
    if gate.run(["ip", "link", "add", "link", "eth0", "name", "v", "type", "vlan", "id", "7"],
                check=False).returncode:
        pytest.skip("this kernel has no VLANs")
    gate.ip("link", "del", "v")
    config = CONFIG.replace("device eth0; mtu 1400;", "device eth0; vlan 10;").replace(
        "device eth1;", "device eth0; vlan 20;")
    before = state(gate)
    fw.net(config)
    assert fw.check(config) == ""
    assert ("203.0.113.1", 26) in addresses(gate, "eth0.20")
    fw.undo()
    assert state(gate) == before
    fw.net(config)
    fw.net(MOVED)
    assert "eth0.20" not in gate.ip("link")
    fw.undo()
    assert fw.check(config) == ""


FLAT = """
interfaces {
    topology flat;
    wan { device eth0; address [ 203.0.113.2/26 2001:db8:d::2/64 ]; gateway 203.0.113.1; }
    dmz { device eth1; }
}
"""


def test_a_bridge_comes_and_goes_with_the_flat_topology(gate, fw):
    before = state(gate)
    fw.net(FLAT)
    assert fw.check(FLAT) == ""
    assert addresses(gate, "site")[0] == ("203.0.113.2", 26) and addresses(gate, "eth0") == []
    assert sorted(os.listdir(f"/proc/{gate.pid}/root/sys/class/net/site/brif")) == ["eth0", "eth1"]
    assert gate.run(["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "0\n"
    fw.undo()
    after = state(gate)
    for part in before:
        assert after[part] == before[part], part
    # From one topology to the other and back, each way without a trace of the other.
    fw.net(CONFIG)
    routed = state(gate)
    fw.net(FLAT)
    flat = state(gate)
    assert fw.check(FLAT) == "" and "site" not in str(routed["link"])
    fw.undo()
    assert fw.check(CONFIG) == ""
    for part in ("route", "route6", "sysctl"):
        assert state(gate)[part] == routed[part], part
    assert unordered(state(gate)["addr"]) == unordered(routed["addr"])
    fw.net(FLAT)
    fw.net(CONFIG)
    assert fw.check(CONFIG) == "" and "site" not in str(state(gate)["link"])
    fw.undo()
    assert fw.check(FLAT) == ""
    assert {a["ifname"] for a in state(gate)["addr"]} == {a["ifname"] for a in flat["addr"]}


@pytest.mark.parametrize("change", ["link set eth1 nomaster", "link del site",
                                    "addr del 203.0.113.2/26 dev site"])
def test_a_bridge_changed_by_others_is_noticed_and_mended(gate, fw, change):
    fw.net(FLAT)
    gate.ip(*change.split())
    assert fw.check(FLAT) != ""
    fw.net(FLAT)
    assert fw.check(FLAT) == ""


def test_routes_and_outside_addresses_come_and_go_with_the_config(gate, fw):
    config = CONFIG + """
    routes { 10.9.0.0/16 { via 203.0.113.9; } 2001:db8:99::/48 { via 2001:db8:d::9; }
             192.0.2.0/24 { via 198.51.100.1; } }
    nat { one-to-one web1 { outside 198.51.100.70; inside 203.0.113.10; }
          one-to-one far { outside 192.0.2.70; inside 203.0.113.11; } }"""
    fw.net(CONFIG)
    before = state(gate)
    fw.net(config)
    assert fw.check(config) == ""
    assert "10.9.0.0/16 via 203.0.113.9 dev eth1 proto 103" in gate.ip("route")
    assert "192.0.2.0/24 via 198.51.100.1 dev eth0 proto 103" in gate.ip("route")
    assert "2001:db8:99::/48 via 2001:db8:d::9 dev eth1" in gate.ip("-6", "route")
    assert ("198.51.100.70", 32) in addresses(gate, "eth0")
    assert "192.0.2.70" not in gate.ip("addr")
    gate.ip("route", "del", "10.9.0.0/16")
    assert "route to 10.9.0.0/16 via 203.0.113.9 on eth1: missing" in fw.check(config)
    fw.net(CONFIG)
    for part in before:
        assert state(gate)[part] == before[part], part


def test_servers_reach_each_other_through_the_box_where_that_is_said(tmp_path):
    """A switch that keeps its ports apart: the box answers ARP and ND for one towards the other."""
    config = """
    interfaces { dmz { device eth1; address [ 203.0.113.1/26 2001:db8:d::1/64 ]; } }
    servers { web1 { address [ 203.0.113.10 2001:db8:d::10 ]; }
              mail1 { address [ 203.0.113.20 2001:db8:d::20 ]; allow smtp { tcp 25; from web1; } } }
    policy { dmz-internal { through-box; } }
    """
    with Net() as net:
        gate, switch = net.host("gate"), net.switch("dmz")
        hosts = {n: net.host(name) for n, name in ((10, "web1"), (20, "mail1"))}
        net.link(gate, "eth1", switch)
        for n, host in hosts.items():
            net.link(host, "eth0", switch)
            host.addr("eth0", f"203.0.113.{n}/26")
            host.addr("eth0", f"2001:db8:d::{n}/64")
        net.settle()
        for port in ("port2", "port3"):
            switch.run(["bridge", "link", "set", "dev", port, "isolated", "on"])
        fw = Firewall(gate, tmp_path)
        fw.apply(config)
        fw.net(config)
        gate.sysctl("net.ipv4.ip_forward", 1)  # there is no wan here
        gate.sysctl("net.ipv6.conf.all.forwarding", 1)
        for family, to in ((socket.AF_INET, "203.0.113.20"), (socket.AF_INET6, "2001:db8:d::20")):
            server = hosts[20].socket(family)
            server.bind((to, 25))
            server.listen()
            client = hosts[10].socket(family)
            client.connect((to, 25))
            server.accept()[0].close()
            client.close(), server.close()
        assert fw.counter("server-mail1") == 2
        assert gate.mac("eth1") in hosts[10].ip("neigh", "show", "203.0.113.20")
        assert gate.mac("eth1") in hosts[10].ip("neigh", "show", "2001:db8:d::20")
