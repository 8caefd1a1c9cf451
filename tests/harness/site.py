# SPDX-License-Identifier: GPL-2.0-or-later
"""A site in namespaces: an Internet, a gate to be programmed, a DMZ.

    stranger ---+                                     +--- web1    203.0.113.10
    office   ---+--- isp --- eth0 [ gate ] eth1 ------+--- mail1   203.0.113.20
    partner  ---+                                     +--- lost1   203.0.113.40 (not configured)

Servers of the DMZ reach each other through the gate, so that it has a say. All have IPv6 as well.
"""

import socket

from tests.harness.net import Net

V4, V6 = socket.AF_INET, socket.AF_INET6
FAMILIES = (V4, V6)

ADDRESSES = {  # host: IPv4, IPv6
    "stranger": ("198.51.100.130", "2001:db8:0:128::82"),
    "office": ("192.0.2.10", "2001:db8:7:1::10"),
    "partner": ("198.51.100.77", "2001:db8:0:64::77"),
    "web1": ("203.0.113.10", "2001:db8:d::10"),
    "mail1": ("203.0.113.20", "2001:db8:d::20"),
    "lost1": ("203.0.113.40", "2001:db8:d::40"),
    "gate": ("203.0.113.1", "2001:db8:d::1"),
    "gate-wan": ("198.51.100.2", "2001:db8:0:1::2"),
    # Addresses outside of machines inside, where the config has nat (see NAT).
    "web1-out": ("203.0.113.130", "2001:db8:e::130"),
    "mail1-out": ("203.0.113.131", "2001:db8:e::131"),
    "lost1-out": ("203.0.113.136", "2001:db8:e::40"),
}
# host: the one behind it, and what (protocol, port) becomes on the way; None: everything, unchanged
BEHIND = {
    "web1-out": ("web1", None),
    "mail1-out": ("mail1", {("tcp", 2525): 25, ("tcp", 22): 22, ("udp", 5353): 53}),
    "lost1-out": ("lost1", None),
}
NAT = """
nat {
    one-to-one web1 { outside 203.0.113.130; inside 203.0.113.10; }
    one-to-one web1-six { outside 2001:db8:e::130; inside 2001:db8:d::10; }
    forward smtp { address 203.0.113.131; tcp 2525; to 203.0.113.20; to-port 25; }
    forward ssh { address 203.0.113.131; tcp 22; to 203.0.113.20; }
    forward dns { address 203.0.113.131; udp 5353; to 203.0.113.20; to-port 53; }
    forward smtp-six { address 2001:db8:e::131; tcp 2525; to 2001:db8:d::20; to-port 25; }
    forward ssh-six { address 2001:db8:e::131; tcp 22; to 2001:db8:d::20; }
    forward dns-six { address 2001:db8:e::131; udp 5353; to 2001:db8:d::20; to-port 53; }
    prefix lost { outside 203.0.113.136/29; inside 203.0.113.40/29; }
    prefix lost-six { outside 2001:db8:e::40/124; inside 2001:db8:d::40/124; }
    source others { from 203.0.113.16/28; address 198.51.100.2; }
    source others-six { from 2001:db8:d::20/128; address 2001:db8:0:1::2; }
}
"""
OUTSIDE = {"stranger": ("198.51.100.129/26", "2001:db8:0:128::1/64"),
           "office": ("192.0.2.1/24", "2001:db8:7:1::1/64"),
           "partner": ("198.51.100.65/27", "2001:db8:0:64::1/64")}  # the isp's end
INSIDE = ("web1", "mail1", "lost1")

INTERFACES = """
interfaces {
    wan {
        device eth0;
        address [ 198.51.100.2/30 2001:db8:0:1::2/64 ];
        gateway [ 198.51.100.1 2001:db8:0:1::1 ];
    }
    dmz { device eth1; address [ 203.0.113.1/26 2001:db8:d::1/64 ]; }
}
"""


def address(host, family):
    return ADDRESSES[host][family == V6]


class Site(Net):
    """The gate has wires, but no addresses: those are the config's."""

    def __init__(self):
        super().__init__()
        self.named = {}
        isp = self.named["isp"] = self.host("isp")
        isp.forward()
        self.gate = self.named["gate"] = self.host("gate")
        self.link(isp, "wan", self.gate, "eth0")
        self.dmz = self.switch("dmz")
        self.link(self.gate, "eth1", self.dmz)
        isp.addr("wan", "198.51.100.1/30")
        isp.addr("wan", "2001:db8:0:1::1/64")
        isp.route("203.0.113.0/26", via="198.51.100.2")
        isp.route("2001:db8:d::/64", via="2001:db8:0:1::2")
        isp.route("203.0.113.128/26", via="198.51.100.2")
        isp.route("2001:db8:e::/64", via="2001:db8:0:1::2")
        for name, ends in OUTSIDE.items():
            self._outside(isp, name, ends)
        for name in INSIDE:
            self._inside(name)
        for name in INSIDE:
            for other in INSIDE:
                for family, length, via in ((V4, 32, "203.0.113.1"), (V6, 128, "2001:db8:d::1")):
                    if name != other:
                        self.named[name].route(f"{address(other, family)}/{length}", via=via)

    def _outside(self, isp, name, ends):
        host = self.named[name] = self.host(name)
        self.link(isp, name, host, "eth0")
        for family, end in zip(FAMILIES, ends):
            length = end.split("/")[1]
            isp.addr(name, end)
            host.addr("eth0", f"{address(name, family)}/{length}")
            host.route("default", via=end.split("/")[0])

    def _inside(self, name):
        host = self.named[name] = self.host(name)
        self.link(host, "eth0", self.dmz)
        # The way back to a neighbour leads through the gate too, whatever the gate says of it.
        host.sysctl("net.ipv4.conf.all.accept_redirects", 0)
        host.sysctl("net.ipv4.conf.eth0.accept_redirects", 0)
        host.sysctl("net.ipv6.conf.eth0.accept_redirects", 0)
        for family, length, via in ((V4, 26, "203.0.113.1"), (V6, 64, "2001:db8:d::1")):
            host.addr("eth0", f"{address(name, family)}/{length}")
            host.route("default", via=via)

    def __getitem__(self, name):
        name, _ = BEHIND.get(name, (name, None))
        return self.named["gate" if name == "gate-wan" else name]

    def heard_at(self, name, family, proto, port):
        """Where a server must listen to be reached as NAME at that port."""
        behind, ports = BEHIND.get(name, (name, None))
        return address(behind, family), (ports or {}).get((proto, port), port)
