# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses that change on the way: whom each side sees, and what a commit does to flows of before.

Who gets through at all is in test_firewall_matrix.py."""

import socket

import pytest

from tests.harness.firewall import Firewall, Refused
from tests.harness.relay import wait_for
from tests.harness.site import FAMILIES, INTERFACES, NAT, V4, V6, Site, address

SERVERS = """
servers {
    web1 { address [ 203.0.113.10 2001:db8:d::10 ]; allow http { tcp 80; from any; } }
    mail1 { address [ 203.0.113.20 2001:db8:d::20 ]; allow smtp { tcp 25; udp 53; from any; } }
    lost1 { address [ 203.0.113.40 2001:db8:d::40 ]; allow http { tcp 80; from any; } }
}
"""
CONFIG = INTERFACES + SERVERS + NAT + "policy { dmz-outbound { allow any; } }"
REDIRECT = INTERFACES + SERVERS + """
policy { dmz-outbound { redirect-smtp; } }
relay { host-name relay.example.net; account a { networks 203.0.113.0/26; from "*@a.example"; } }
"""


@pytest.fixture
def site():
    with Site() as site:
        yield site


@pytest.fixture
def fw(site, tmp_path):
    fw = Firewall(site.gate, tmp_path)
    fw.net(CONFIG)
    fw.apply(CONFIG)
    return fw


def listen(site, host, family, port, at=None):
    s = site[host].socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((at or address(host, family), port))
    s.listen()
    return s


def connect(site, source, family, to, port):
    s = site[source].socket(family)
    s.bind((address(source, family), 0))
    s.connect((to, port))
    return s


def seen(site, source, family, to, port, listener):
    """Whom the listener sees when source connects to that address; the way back is tried too."""
    client = connect(site, source, family, to, port)
    served, peer = listener.accept()
    assert client.getpeername()[:2] == (to, port)
    served.sendall(b"welcome")
    assert client.recv(100) == b"welcome"
    client.close(), served.close()
    return peer[0]


@pytest.mark.parametrize("family", FAMILIES, ids=("ipv4", "ipv6"))
def test_each_side_sees_whom_it_should(site, fw, family):
    outside = listen(site, "stranger", family, 4000)
    stranger = address("stranger", family)
    # From inside: one to one, host for host, and the shared address of the others.
    assert seen(site, "web1", family, stranger, 4000, outside) == address("web1-out", family)
    assert seen(site, "lost1", family, stranger, 4000, outside) == address("lost1-out", family)
    assert seen(site, "mail1", family, stranger, 4000, outside) == address("gate-wan", family)
    # The box speaks for itself, from whichever of its addresses.
    for own in ("gate", "gate-wan"):
        assert seen(site, own, family, stranger, 4000, outside) == address(own, family)
    # From outside: the server sees who it is.
    web = listen(site, "web1", family, 80)
    lost = listen(site, "lost1", family, 80)
    mail = listen(site, "mail1", family, 25)
    for to, port, listener in (("web1-out", 80, web), ("lost1-out", 80, lost),
                               ("mail1-out", 2525, mail), ("web1", 80, web)):
        assert seen(site, "office", family, address(to, family), port, listener) == \
            address("office", family)
    # Hairpin: from inside by an address outside, even to itself, the box stands between.
    for source in ("web1", "mail1", "lost1"):
        for to, port, listener in (("web1-out", 80, web), ("lost1-out", 80, lost),
                                   ("mail1-out", 2525, mail)):
            assert seen(site, source, family, address(to, family), port, listener) == \
                address("gate", family)
    # The box itself reaches them by both addresses.
    assert seen(site, "gate", family, address("web1-out", family), 80, web) == \
        address("gate", family)
    for s in (outside, web, lost, mail):
        s.close()


@pytest.mark.parametrize("family", FAMILIES, ids=("ipv4", "ipv6"))
def test_errors_about_a_translated_flow_reach_the_machine_inside(site, fw, family):
    """A narrow link beyond the gate: what tells of it names the address outside."""
    web = listen(site, "web1", family, 80)
    site["isp"].ip("link", "set", "stranger", "mtu", "1300")
    client = connect(site, "stranger", family, address("web1-out", family), 80)
    served, _ = web.accept()
    served.sendall(b"x" * 100_000)
    got = 0
    while got < 100_000:
        got += len(client.recv(65536))
    for s in (client, served, web):
        s.close()


class Flow:
    """A TCP connection with both its ends."""

    def __init__(self, site, source, family, to, port, listener):
        self.client = connect(site, source, family, to, port)
        self.server, _ = listener.accept()
        for s in (self.client, self.server):
            s.setblocking(False)
        assert self.carries()

    def drain(self):
        got = 0
        try:
            while data := self.client.recv(65536):
                got += len(data)
        except BlockingIOError:
            pass
        return got

    def carries(self):
        self.server.send(b"x" * 100)
        got = [0]

        def arrived():
            got[0] += self.drain()
            return got[0] >= 100
        wait_for("what the server sends", arrived)
        return True

    def close(self):
        self.client.close(), self.server.close()


@pytest.mark.parametrize("family", FAMILIES, ids=("ipv4", "ipv6"))
def test_flows_that_would_be_led_elsewhere_now_are_cut_and_others_are_not(site, fw, family):
    web, mail = listen(site, "web1", family, 80), listen(site, "mail1", family, 25)
    outside = listen(site, "stranger", family, 4000)
    to = address("stranger", family)
    moved = [Flow(site, "office", family, address("web1-out", family), 80, web),
             Flow(site, "web1", family, to, 4000, outside)]
    kept = [Flow(site, "office", family, address("web1", family), 80, web),
            Flow(site, "office", family, address("mail1-out", family), 2525, mail),
            Flow(site, "mail1", family, to, 4000, outside)]
    # web1's address outside becomes lost1's, and web1 has another.
    config = CONFIG.replace("inside 203.0.113.10;", "inside 203.0.113.41;").replace(
        "inside 2001:db8:d::10;", "inside 2001:db8:d::41;")
    fw.apply(config)
    for flow in moved:
        flow.drain()
    assert fw.cut(config) == len(moved)
    assert fw.cut(config) == 0
    for flow in moved:
        flow.drain()
        for _ in range(20):
            flow.server.send(b"y" * 1000)
    assert all(flow.carries() for flow in kept)
    assert [flow.drain() for flow in moved] == [0, 0]
    for s in moved + kept + [web, mail, outside]:
        s.close()


@pytest.mark.parametrize("family", FAMILIES, ids=("ipv4", "ipv6"))
def test_mail_to_the_internet_ends_in_the_relay(site, fw, family):
    fw.apply(REDIRECT)
    relay = listen(site, "gate", family, 25, at="::" if family == V6 else "0.0.0.0")
    mx = listen(site, "stranger", family, 25)
    mail = listen(site, "mail1", family, 25)
    # The relay sees who sends, and the sender believes to be where it wanted to be.
    assert seen(site, "web1", family, address("stranger", family), 25, relay) == \
        address("web1", family)
    # Mail within the DMZ is none of its business, nor is what the relay itself sends.
    assert seen(site, "web1", family, address("mail1", family), 25, mail) == \
        address("web1", family)
    assert seen(site, "gate", family, address("stranger", family), 25, mx) == \
        address("gate", family)
    for s in (relay, mx, mail):
        s.close()


def test_addresses_on_the_uplinks_wire_are_answered_for(site, tmp_path):
    """ARP and ND from a neighbour for what stands in the WAN's own network."""
    config = INTERFACES.replace("198.51.100.2/30", "198.51.100.2/29") + SERVERS + """
    nat { one-to-one a { outside 198.51.100.4; inside 203.0.113.10; }
          one-to-one b { outside 2001:db8:0:1::4; inside 2001:db8:d::10; } }"""
    isp = site["isp"]
    isp.ip("addr", "del", "198.51.100.1/30", "dev", "wan")
    isp.addr("wan", "198.51.100.1/29")
    for line in ("203.0.113.0/26", "203.0.113.128/26"):
        isp.ip("route", "replace", line, "via", "198.51.100.2")
    fw = Firewall(site.gate, tmp_path)
    fw.net(config)
    fw.apply(config)
    assert fw.check(config) == "" and fw.verify(config) == ""
    for family, to in ((V4, "198.51.100.4"), (V6, "2001:db8:0:1::4")):
        web = listen(site, "web1", family, 80)
        assert seen(site, "office", family, to, 80, web) == address("office", family)
        web.close()


def test_two_sources_for_one_machine_are_refused(site, fw):
    config = CONFIG.replace("from 203.0.113.16/28;", "from [ 203.0.113.16/28 web1 ];").replace(
        "source others-six", "source web { from web1; address 198.51.100.2; } source others-six")
    with pytest.raises(Refused, match="nat source web: others has machines of it too"):
        fw.apply(config)
