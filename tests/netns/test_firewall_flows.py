# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections across commits: those still allowed lose nothing, those no longer allowed end."""

import socket
import threading
import time

import pytest

from tests.harness.firewall import Firewall
from tests.harness.relay import wait_for
from tests.harness.site import FAMILIES, INTERFACES, V4, V6, Site, address

OPEN = INTERFACES + """
system { ssh { allow any; } }
groups { office { 192.0.2.0/24; 2001:db8:7::/48; } }
servers {
    web1 {
        address [ 203.0.113.10 2001:db8:d::10 ];
        allow http { tcp 80; from any; }
        allow https { tcp 443; from any; }
        allow dns { udp 53; from any; }
        allow ping { icmp; from any; }
    }
    mail1 { address [ 203.0.113.20 2001:db8:d::20 ]; allow imap { tcp 143; from any; } }
}
policy { dmz-outbound { allow any; } dmz-internal { allow mail1; } }
"""
# http only for the office, no ssh, nothing from the DMZ outward or within.
NARROW = INTERFACES + """
groups { office { 192.0.2.0/24; 2001:db8:7::/48; } }
servers {
    web1 {
        address [ 203.0.113.10 2001:db8:d::10 ];
        allow http { tcp 80; from office; }
        allow https { tcp 443; from any; }
        allow dns { udp 53; from any; }
    }
    mail1 { address [ 203.0.113.20 2001:db8:d::20 ]; allow imap { tcp 143; from office; } }
}
"""


@pytest.fixture
def site():
    with Site() as site:
        yield site


@pytest.fixture
def fw(site, tmp_path):
    fw = Firewall(site.gate, tmp_path)
    fw.apply(OPEN)
    fw.net(OPEN)
    return fw


class Flow:
    """A TCP connection with both its ends."""

    def __init__(self, site, source, to, port, family=V4):
        self.listener = site[to].socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address(to, family), port))
        self.listener.listen()
        self.client = site[source].socket(family)
        self.client.connect(self.listener.getsockname()[:2])
        self.server, _ = self.listener.accept()
        for s in (self.client, self.server):
            s.setblocking(False)
        assert self.carries()

    def drain(self):
        """How much arrives at the client now."""
        got = 0
        try:
            while True:
                data = self.client.recv(65536)
                if not data:
                    return got
                got += len(data)
        except BlockingIOError:
            return got

    def carries(self, patience_s=5):
        """Whether what the server sends arrives."""
        self.server.send(b"x" * 100)
        end = time.monotonic() + patience_s
        got = 0
        while got < 100 and time.monotonic() < end:
            got += self.drain()
        return got >= 100

    def close(self):
        for s in (self.client, self.server, self.listener):
            s.close()


@pytest.mark.parametrize("family", FAMILIES, ids=("ipv4", "ipv6"))
def test_what_is_no_longer_allowed_is_cut_and_stays_cut(site, fw, family):
    cut = [Flow(site, "stranger", "web1", 80, family),    # a service
           Flow(site, "stranger", "gate", 22, family),    # the box
           Flow(site, "web1", "stranger", 8080, family),  # out of the DMZ
           Flow(site, "web1", "mail1", 993, family)]      # within it
    kept = [Flow(site, "stranger", "web1", 443, family),
            Flow(site, "office", "mail1", 143, family),
            Flow(site, "gate", "stranger", 9090, family)]
    fw.apply(NARROW)
    for flow in cut:
        flow.drain()
    assert fw.cut(NARROW) == len(cut)
    assert fw.cut(NARROW) == 0
    for flow in kept:
        assert flow.carries()
    for flow in cut:
        flow.drain()
        for _ in range(20):
            flow.server.send(b"y" * 1000)
    assert all(flow.carries() for flow in kept)
    assert [flow.drain() for flow in cut] == [0, 0, 0, 0]
    # Allowed once more, it does not come back to life: its next segment is no SYN.
    fw.apply(OPEN)
    for flow in cut:
        flow.server.send(b"z" * 1000)
    assert all(flow.carries() for flow in kept)
    assert [flow.drain() for flow in cut] == [0, 0, 0, 0]
    for flow in cut + kept:
        flow.close()


def test_offloaded_flows_are_cut_too(site, fw):
    if not fw.has_flowtable():
        pytest.skip("this kernel has no flowtables")
    cut, kept = Flow(site, "stranger", "web1", 80), Flow(site, "stranger", "web1", 443)

    def both_are_offloaded():
        assert cut.carries() and kept.carries()
        return site.gate.run(["conntrack", "-L"]).stdout.count("[OFFLOAD]") == 2

    wait_for("the short way", both_are_offloaded)
    fw.apply(NARROW)
    assert fw.cut(NARROW) == 1
    cut.drain()
    for _ in range(20):
        cut.server.send(b"y" * 1000)
        assert kept.carries()
    assert cut.drain() == 0
    cut.close(), kept.close()


def test_flows_without_connections_are_cut_too(site, fw):
    server = site["web1"].socket(V4, socket.SOCK_DGRAM)
    server.bind((address("web1", V4), 53))
    client = site["stranger"].socket(V4, socket.SOCK_DGRAM)
    client.sendto(b"query", server.getsockname())
    _, peer = server.recvfrom(100)
    site["stranger"].run(["ping", "-c", "1", address("web1", V4)])
    nothing = INTERFACES
    fw.apply(nothing)
    assert fw.cut(nothing) == 2
    server.sendto(b"late answer", peer)
    wait_for("the drop", lambda: fw.counter("drop-denied") >= 1)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(100)
    server.close(), client.close()


def test_the_gates_own_flows_are_left_alone(site, fw):
    """Its loopback, what it sends, its neighbours by link-local address."""
    loop = site.gate.socket(V6)
    loop.bind(("::1", 0))
    loop.listen()
    inside = site.gate.socket(V6)
    inside.connect(loop.getsockname()[:2])
    out = Flow(site, "gate", "stranger", 25)
    fw.apply(INTERFACES)
    assert fw.cut(INTERFACES) == 0
    assert out.carries()
    loop.close(), inside.close(), out.close()


def test_a_commit_loses_no_packet(site, fw):
    """Datagrams of one flow, and new connections, all along 30 commits."""
    server = site["web1"].socket(V4, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    server.bind((address("web1", V4), 53))
    client = site["stranger"].socket(V4, socket.SOCK_DGRAM)
    client.connect(server.getsockname())
    listener = site["web1"].socket(V4)
    listener.bind((address("web1", V4), 443))
    listener.listen(128)
    counts = {"sent": 0, "received": 0, "connected": 0}
    stop, done = threading.Event(), threading.Event()

    def receive():
        server.settimeout(0.1)
        while not done.is_set():
            try:
                server.recv(100)
                counts["received"] += 1
            except TimeoutError:
                pass

    def send():
        while not stop.is_set():
            # Never more under way than the receiver's buffer holds.
            if counts["sent"] - counts["received"] < 200:
                client.send(b"datagram")
                counts["sent"] += 1

    def connect():
        while not stop.is_set():
            with site["office"].socket(V4, timeout=20) as s:
                s.connect(listener.getsockname())
                counts["connected"] += 1
            listener.accept()[0].close()

    senders = [threading.Thread(target=f) for f in (send, connect)]
    receiver = threading.Thread(target=receive)
    for thread in senders + [receiver]:
        thread.start()
    try:
        for _ in range(15):
            for config in (NARROW, OPEN):
                before = dict(counts)
                fw.apply(config)
                fw.cut(config)
                wait_for("traffic behind the commit",
                         lambda: all(counts[k] > before[k] for k in counts))
        stop.set()
        for thread in senders:
            thread.join()
        wait_for(f"the last of {counts['sent']} datagrams",
                 lambda: counts["received"] == counts["sent"], patience_s=10)
    finally:
        stop.set()
        done.set()
        for thread in senders + [receiver]:
            thread.join()
    for s in (server, client, listener):
        s.close()
