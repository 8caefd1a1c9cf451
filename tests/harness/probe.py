# SPDX-License-Identifier: GPL-2.0-or-later
"""Who really reaches what: many connection attempts at one time, and which of them got there.

Nothing is concluded from a time-out. All attempts are sent; those that are expected to pass are
waited for; then a last packet (a fence) is sent along every way that anything was sent on. Packets
do not overtake each other here, so what has not passed when the fences have will not pass.
"""

import collections
import errno
import resource
import select
import socket
import struct

from tests.harness.relay import wait_for
from tests.harness.site import V4, V6, address

Probe = collections.namedtuple("Probe", "source to family proto port")

ECHO = {V4: (8, 0, socket.IPPROTO_ICMP), V6: (128, 129, socket.IPPROTO_ICMPV6)}


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def echo_request(family, ident, seq):
    packet = struct.pack("!BBHHH", ECHO[family][0], 0, 0, ident, seq)
    if family == V6:
        return packet  # the kernel fills the checksum in
    return packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]


class Servers:
    """Every destination listens on every port that is asked for, in both families."""

    def __init__(self, site, probes):
        self.tcp, self.udp = [], []
        heard = {(site[p.to].name, p.family, p.proto, site.heard_at(*p[1:]))
                 for p in probes if p.proto != "icmp"}
        for host, family, proto, where in sorted(heard):
            s = site[host].socket(family,
                                  socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(where)
            s.setblocking(False)
            (self.tcp if proto == "tcp" else self.udp).append(s)
            if proto == "tcp":
                s.listen(64)

    def echo(self):
        """Sends back each datagram that has come."""
        for s in readable(self.udp):
            data, peer = s.recvfrom(100)
            s.sendto(data, peer)

    def close(self):
        for s in self.tcp + self.udp:
            s.close()


def readable(sockets):
    poll = select.poll()
    by_fd = {s.fileno(): s for s in sockets}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    return [by_fd[fd] for fd, _ in poll.poll(0)]


class Attempt:
    """One probe under way; passed() once the other side has answered."""

    def __init__(self, site, probe, ident):
        self.probe, self.ident, self.done = probe, ident, False
        self.to = (address(probe.to, probe.family), 0 if probe.proto == "icmp" else probe.port)
        kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "icmp": socket.SOCK_RAW}
        proto = ECHO[probe.family][2] if probe.proto == "icmp" else 0
        self.socket = site[probe.source].socket(probe.family, kind[probe.proto], proto)
        self.socket.setblocking(False)
        self.socket.bind((address(probe.source, probe.family), 0))
        self.send()

    def send(self):
        if self.probe.proto == "tcp":
            error = self.socket.connect_ex(self.to)
            assert error in (0, errno.EINPROGRESS), (self.probe, errno.errorcode[error])
        elif self.probe.proto == "udp":
            self.socket.sendto(b"probe", self.to)
        else:
            self.socket.sendto(echo_request(self.probe.family, self.ident, 1), self.to)

    def passed(self):
        if not self.done:
            self.done = self._look()
        return self.done

    def _look(self):
        if self.probe.proto == "tcp":
            try:
                self.socket.getpeername()
                return True
            except OSError:
                return False
        try:
            while True:
                data, peer = self.socket.recvfrom(200)
                if self.probe.proto == "udp":
                    return True
                reply = data[20:] if self.probe.family == V4 else data
                if (reply[0], struct.unpack("!H", reply[4:6])[0]) == (
                        ECHO[self.probe.family][1], self.ident):
                    return True
        except BlockingIOError:
            return False

    def close(self):
        self.socket.close()


def reached(site, probes, expected, fences):
    """The probes that pass. expected: those that are waited for. fences: probes that certainly
    pass, one on each way where order matters."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    servers = Servers(site, list(probes) + list(fences))
    attempts = [Attempt(site, p, 1000 + i) for i, p in enumerate(probes)]
    last = []

    def all_passed(some):
        servers.echo()
        return all([a.passed() for a in some])

    try:
        wanted = [a for a in attempts if a.probe in expected]
        try:
            wait_for("what should pass", lambda: all_passed(wanted), patience_s=10)
        except AssertionError:
            pass  # the caller sees what did not
        last = [Attempt(site, p, 60000 + i) for i, p in enumerate(fences)]
        wait_for("the fences", lambda: all_passed(last))
        all_passed(attempts)
        return {a.probe for a in attempts if a.passed()}
    finally:
        for a in attempts + last:
            a.close()
        servers.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
