# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing in the site's configuration is on the way from the laptop to the shell, and nothing of the
site, nor of the box but its console, is at the end of the laptop's cable."""
import socket

import pytest

from tests.harness.console import ADDRESS, Console
from tests.harness.net import Net
from tests.netns.gate import until

WAN, OUTSIDE, DMZ, SERVER = "198.51.100.2", "198.51.100.1", "203.0.113.1", "203.0.113.10"

# Nothing in, nothing out, on every hook that there is, beginning at the wire.
DROP = """
table inet drop_all {
    chain prerouting { type filter hook prerouting priority -500; policy drop; }
    chain input { type filter hook input priority -500; policy drop; }
    chain forward { type filter hook forward priority -500; policy drop; }
    chain output { type filter hook output priority -500; policy drop; }
    chain postrouting { type filter hook postrouting priority -500; policy drop; }
}
table arp drop_all {
    chain input { type filter hook input priority -500; policy drop; }
    chain output { type filter hook output priority -500; policy drop; }
}
table netdev drop_all {
    chain wan { type filter hook ingress device "wan" priority -500; policy drop; }
}
"""


@pytest.fixture(scope="module")
def console():
    """A box between outside and a server, forwarding, its services open to both, and the laptop."""
    with Net() as net, Console(net) as one:
        one.outside, one.server = net.host("outside"), net.host("server")
        net.link(one.outside, "eth0", one.box, "wan")
        net.link(one.server, "eth0", one.box, "dmz")
        one.box.addr("wan", f"{WAN}/30")
        one.box.addr("dmz", f"{DMZ}/26")
        one.outside.addr("eth0", f"{OUTSIDE}/30")
        one.server.addr("eth0", f"{SERVER}/26")
        one.outside.route("default", via=WAN)
        one.server.route("default", via=DMZ)
        one.box.forward()
        for host, address in ((one.box, "0.0.0.0"), (one.server, "0.0.0.0")):
            host.popen(["/usr/bin/python3", "-m", "http.server", "-b", address, "8080"],
                       stdout=-3, stderr=-3)
        one.plug(net.host("laptop"))
        until(lambda: reaches(one.outside, SERVER) and reaches(one.outside, WAN))
        yield one


def reaches(host, address, port=8080, timeout=0.5):
    s = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, timeout=timeout)
    try:
        s.connect((address, port))
        return True
    except OSError:
        return False
    finally:
        s.close()


def logs_in(console):
    return console.ssh("echo there").stdout == "there\n"


# -- from the laptop -------------------------------------------------------------------------------


def test_the_laptop_reaches_nothing_but_the_console(console):
    laptop = console.laptop
    # Whatever way it sends: to the console as its router, or by asking for the address itself.
    laptop.ip("route", "replace", "default", "via", ADDRESS)
    for address in (WAN, DMZ, SERVER, OUTSIDE):
        assert not reaches(laptop, address)
        assert laptop.run(["arping", "-c", "2", "-w", "1", "-i", "eth0", address],
                          check=False).returncode != 0
    laptop.ip("route", "replace", "default", "dev", "eth0")
    for address in (WAN, SERVER):
        assert not reaches(laptop, address)
    laptop.ip("route", "del", "default")
    for port in (8080, 25, 80):
        assert not reaches(laptop, ADDRESS, port)
    assert logs_in(console)


def test_who_is_logged_in_is_in_the_ports_namespace_where_nothing_is(console):
    assert console.ssh("ip -br addr").stdout.split() == ["lo", "DOWN"] + \
        console.ssh("ip -br addr show lan0").stdout.split()
    assert " 192.168.77." not in console.ssh("ip addr").stdout
    assert console.ssh("ip route; ip -6 route").stdout == ""
    for address in (WAN, SERVER, "127.0.0.1"):
        done = console.ssh(f"ping -c 1 -W 1 {address}", check=False)
        assert done.returncode != 0


# -- from the other ports --------------------------------------------------------------------------


def test_outside_and_servers_do_not_reach_the_console(console):
    for host in (console.outside, console.server):
        assert not reaches(host, ADDRESS, 22)
        assert host.run(["ping", "-c", "1", "-W", "1", ADDRESS], check=False).returncode != 0
        assert host.run(["arping", "-c", "2", "-w", "1", "-i", "eth0", ADDRESS],
                        check=False).returncode != 0
    assert ADDRESS not in console.box.ip("addr") and "lan0" not in console.box.ip("-br", "link")


# -- whatever the configuration does ---------------------------------------------------------------


def test_a_ruleset_that_drops_everything_is_not_asked(console):
    console.box.run(["nft", "-f", "-"], input=DROP)
    assert not reaches(console.outside, WAN)  # it is in force
    assert logs_in(console)
    console.box.run(["nft", "flush", "ruleset"])
    until(lambda: reaches(console.outside, WAN))


def test_without_addresses_routes_and_sane_sysctls(console):
    box = console.box
    for dev in ("wan", "dmz", "lo"):
        box.ip("addr", "flush", "dev", dev)
    box.ip("route", "flush", "table", "all")
    box.ip("rule", "flush")
    box.ip("link", "set", "lo", "down")
    for name, value in (("net.ipv4.ip_forward", 0), ("net.ipv4.conf.all.rp_filter", 1),
                        ("net.ipv4.icmp_echo_ignore_all", 1), ("net.ipv4.conf.all.arp_ignore", 8),
                        ("net.ipv6.conf.all.disable_ipv6", 1), ("net.ipv4.ip_default_ttl", 1),
                        ("net.ipv4.tcp_syncookies", 0)):
        box.sysctl(name, value)
    assert not reaches(console.outside, WAN)
    assert logs_in(console)


def test_the_sites_address_on_the_laptops_wire_and_the_consoles_on_the_sites(console):
    # The same network on another port, and the console's own address on the box.
    console.box.addr("wan", f"{ADDRESS}/24")
    console.box.addr("dmz", "192.168.77.2/24")
    assert logs_in(console)
    console.box.ip("link", "set", "wan", "down")
    console.box.ip("link", "set", "dmz", "down")
    assert logs_in(console)
