# SPDX-License-Identifier: GPL-2.0-or-later
"""Every source × destination × service × protocol × family, with real packets.

What should happen is worked out here from what the config says, by rules short enough to be seen to
be right; neither the ruleset nor the code that makes it has a part in it.
"""

import itertools

import pytest

from tests.harness.firewall import Firewall
from tests.harness.probe import Probe, reached
from tests.harness.site import BEHIND, FAMILIES, INTERFACES, NAT, V4, Site, address

INSIDE = {"web1", "mail1", "lost1"}
BOX = {"gate", "gate-wan"}
SOURCES = ("stranger", "office", "partner", "web1", "mail1", "lost1", "gate")
DESTINATIONS = ("web1", "mail1", "lost1", "gate", "gate-wan", "stranger", "office")

# service: (protocol, ports, who). Each line is written out once more in the configs below.
OPEN = {
    "web1": [("tcp", {80, 443}, {"any"}), ("tcp", {3389}, {"office"}),
             ("tcp", set(range(5000, 6000)), {"office"}), ("tcp", {5500}, {"partner"}),
             ("udp", set(range(27000, 28000)), {"any"}), ("icmp", {0}, {"any"})],
    "mail1": [("tcp", {25}, {"any"}), ("tcp", {22}, {"partner", "web1"}),
              ("udp", {53}, {"office", "web1"}), ("icmp", {0}, {"office"})],
    "lost1": [],
}
SERVERS = """
groups {
    office { 192.0.2.0/24; 2001:db8:7::/48; }
    partner { 198.51.100.77/32; 2001:db8:0:64::77/128; }
}
servers {
    web1 {
        address [ 203.0.113.10 2001:db8:d::10 ];
        allow http { tcp 80,443; from any; }
        allow rdp { tcp 3389; from office; }
        allow wide { tcp 5000-5999; from office; }
        allow inside-wide { tcp 5500; from partner; }
        allow game { udp 27000-27999; from any; }
        allow ping { icmp; from any; }
    }
    mail1 {
        address [ 203.0.113.20 2001:db8:d::20 ];
        allow smtp { tcp 25; from any; limit 900/second; }
        allow ssh { tcp 22; from [ partner web1 ]; log; }
        allow dns { udp 53; from [ office web1 ]; }
        allow ping { icmp; from office; limit 900/second; }
    }
}
"""
RELAY = """
relay {
    host-name relay.example.net;
    http plain { port 80; } http secure { port 443; tls; }
    account a { networks 203.0.113.0/26; from "*@a.example"; }
}
"""

PORTS = {"tcp": (22, 25, 80, 443, 465, 587, 3389, 4999, 5000, 5499, 5500, 5501, 5999, 6000),
         "udp": (53, 123, 26999, 27000, 27999, 28000), "icmp": (0,)}
ALL = [Probe(source, to, family, proto, port)
       for source, to, family in itertools.product(SOURCES, DESTINATIONS, FAMILIES)
       for proto, ports in PORTS.items() for port in ports
       if source != to and not (source == "gate" and to in BOX)]


# Those that lead nowhere would only go round: seen from outside they are dropped, which is enough.
NAT_PORTS = {"tcp": PORTS["tcp"] + (2525,), "udp": PORTS["udp"] + (5353,), "icmp": (0,)}
THROUGH_NAT = [
    Probe(source, to, family, proto, port)
    for source, to, family in itertools.product(SOURCES, BEHIND, FAMILIES)
    for proto, ports in NAT_PORTS.items() for port in ports
    if source not in INSIDE | BOX or not BEHIND[to][1] or (proto, port) in BEHIND[to][1]]


def inside(p):
    """The probe as it is once its destination has changed; None where it leads nowhere."""
    host, ports = BEHIND[p.to]
    if ports is None:
        return p._replace(to=host)
    port = ports.get((p.proto, p.port))
    return port and p._replace(to=host, port=port)


def open_to(services, probe):
    return any(probe.proto == proto and probe.port in ports and {"any", probe.source} & who
               for proto, ports, who in services)


def outbound_all_but_some(p):
    """Everything but mail and, towards the office, remote desktops."""
    if p.to == "office" and (p.proto, p.port) == ("tcp", 3389):
        return False
    return (p.proto, p.port) != ("tcp", 25)


def outbound_office_only(p):
    return p.to == "office" and (p.proto, p.port) != ("tcp", 25)


# name: (config, what the box offers, what leaves the DMZ, who may be reached within it)
CASES = {
    "the box relays mail": (
        SERVERS + RELAY + """
        system { ssh { allow [ office partner ]; } }
        policy {
            dmz-outbound { allow any; deny { tcp 3389; to office; } }
            dmz-internal { allow 203.0.113.40; }
            box { ping [ office web1 ]; }
        }""",
        [("tcp", {25, 465, 587, 80, 443}, {"any"}), ("tcp", {22}, {"office", "partner"}),
         ("icmp", {0}, {"office", "web1"})],
        outbound_all_but_some, lambda p: p.to == "lost1" and p.family == V4),
    "the box only routes": (
        SERVERS + """
        policy {
            dmz-outbound { allow office; }
            dmz-internal { allow [ web1 2001:db8:d::20 ]; }
        }""",
        [], outbound_office_only,
        lambda p: p.to == "web1" or (p.to == "mail1" and p.family != V4)),
    "addresses change": (
        SERVERS + RELAY + NAT + """
        policy { dmz-outbound { allow any; redirect-smtp; } dmz-internal { allow lost1; } }
        servers { lost1 { address [ 203.0.113.40 2001:db8:d::40 ];
                          allow ping { icmp; from office; } allow web { tcp 80; from any; } } }
        """,
        [("tcp", {25, 465, 587, 80, 443}, {"any"})],
        lambda p: True, lambda p: p.to == "lost1"),
}
LOST_OPEN = [("tcp", {80}, {"any"}), ("icmp", {0}, {"office"})]


def passes(case, p):
    """What the config says of one probe."""
    config, box, outbound, internal = CASES[case]
    if p.to in BEHIND:
        p = inside(p)
        return p is not None and passes(case, p)
    if p.source == "gate":
        return True
    if p.to in BOX:
        return open_to(box, p)
    if p.to not in INSIDE:
        return p.source in INSIDE and outbound(p)
    services = LOST_OPEN if p.to == "lost1" and "lost1 {" in config else OPEN[p.to]
    return open_to(services, p) or (p.source in INSIDE and internal(p))


@pytest.mark.parametrize("case", CASES)
def test_what_passes_is_what_the_config_says(tmp_path, case):
    # Whoever comes from the Internet to another of its hosts does not cross the gate.
    some = ALL + THROUGH_NAT if NAT in CASES[case][0] else ALL
    probes = [p for p in some if p.source in INSIDE | BOX or p.to in INSIDE | BOX | set(BEHIND)]
    expected = {p for p in probes if passes(case, p)}
    config = INTERFACES + CASES[case][0]
    with Site() as site:
        fw = Firewall(site.gate, tmp_path)
        path = fw.file(config)
        fw.apply(path)
        fw.net(path)
        got = reached(site, probes, expected, fences_of(expected))
        assert describe(got - expected) == [], "passes, but must not"
        assert describe(expected - got) == [], "must pass, but does not"
        assert fw.verify(path) == "" and fw.check(path) == ""
        said = {p for p in probes if fw.allows(path, address(p.source, p.family),
                                               address(p.to, p.family), p.proto, p.port)[0]}
        assert describe(said ^ expected) == [], "the policy says otherwise"


def fences_of(expected):
    """One of those that pass for every source and family: packets of one source do not overtake
    each other on the wire to the gate, which is where they are dropped."""
    fences = {}
    for p in sorted(expected):
        fences.setdefault((p.source, p.family), p)
    return list(fences.values())


def describe(probes):
    return [f"{p.source} -> {p.to} {p.proto} {p.port} IPv{4 if p.family == V4 else 6}"
            for p in sorted(probes)]
