# SPDX-License-Identifier: GPL-2.0-or-later
"""What the box does for the DMZ and for a log receiver, by the programs that do it."""

import os
import socket
import struct
import subprocess

import pytest

from tests.harness.firewall import BUILD, Firewall
from tests.harness.relay import wait_for
from tests.harness.site import FAMILIES, INTERFACES, V4, V6, Site, address
from tests.netns.gate import Gate

CONFIG = INTERFACES + """
system { name-server [ 192.0.2.10 2001:db8:7:1::10 ]; serve-dmz { dns; } }
"""


@pytest.fixture
def site():
    with Site() as site:
        yield site


def query(number):
    """A question for the address of h<number>.example (RFC 1035 section 4.1)."""
    name = b"".join(bytes([len(part)]) + part for part in (b"h%d" % number, b"example")) + b"\0"
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", 1, 1)


def serve_dns(sockets):
    """Answers what has come: every name has the address 192.0.2.77."""
    for s in sockets:
        try:
            question, peer = s.recvfrom(512)
        except BlockingIOError:
            continue
        end = question.index(b"\0", 12) + 5
        s.sendto(question[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + question[12:end]
                 + struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) + socket.inet_aton("192.0.2.77"), peer)


def test_dns_is_answered_for_the_dmz_alone(site, tmp_path):
    with Gate(tmp_path, config=CONFIG) as gate:  # dry: it writes what the programs read
        conf = (gate.run / "dnsmasq.conf").read_text()
    path = tmp_path / "dnsmasq.conf"
    path.write_text(conf.replace("gp-dns", "nobody").replace("group=nobody", "group=nogroup"))
    fw = Firewall(site.gate, tmp_path)
    fw.net(CONFIG)
    fw.apply(CONFIG)
    upstream = []
    for family in FAMILIES:
        s = site["office"].socket(family, socket.SOCK_DGRAM)
        s.bind((address("office", family), 53))
        s.setblocking(False)
        upstream.append(s)
    dnsmasq = site.gate.popen(["dnsmasq", "--keep-in-foreground", "--log-facility=-",
                               "--pid-file=", f"--conf-file={path}"], stderr=subprocess.DEVNULL)
    for number, family in enumerate(FAMILIES, 1):
        client = site["web1"].socket(family, socket.SOCK_DGRAM)
        client.setblocking(False)
        answer = []

        def answered():
            assert dnsmasq.poll() is None
            if not answer:
                client.sendto(query(number), (address("gate", family), 53))
            serve_dns(upstream)
            try:
                answer.append(client.recv(512))
            except (BlockingIOError, ConnectionRefusedError):
                return False
            return answer[0][:2] == struct.pack("!H", number) and \
                answer[0].endswith(socket.inet_aton("192.0.2.77"))
        wait_for("an answer", answered)
        client.close()
        # Nobody outside is answered, at whichever of the box's addresses.
        before = fw.counter("drop-denied")
        outsider = site["stranger"].socket(family, socket.SOCK_DGRAM)
        for name in ("gate", "gate-wan"):
            outsider.sendto(query(9), (address(name, family), 53))
        wait_for("the drops", lambda: fw.counter("drop-denied") >= before + 2)
        outsider.close()
    for s in upstream:
        s.close()


def test_log_lines_are_sent_across_rotations(site, tmp_path):
    """svlogd writes and rotates; every line arrives, by IPv4 and IPv6."""
    site.gate.addr("eth0", "198.51.100.2/30")
    site.gate.addr("eth0", "2001:db8:0:1::2/64")
    receivers = []
    for family, at in ((V4, "198.51.100.1"), (V6, "2001:db8:0:1::1")):
        s = site["isp"].socket(family, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((at, 514))
        s.setblocking(False)
        receivers.append(s)
    (tmp_path / "receivers").write_text("198.51.100.1\n2001:db8:0:1::1\n")
    logs = tmp_path / "relay"
    logs.mkdir()
    (logs / "config").write_text("s4096\nn50\n")
    program = site.gate.popen([BUILD / "bin" / "gatepost-syslog", tmp_path / "receivers", logs],
                              stderr=subprocess.PIPE, text=True)
    assert "ready" in program.stderr.readline()
    writer = site.gate.popen(["svlogd", "-tt", logs], stdin=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
    got = [set(), set()]

    def all_came(count):
        for s, lines in zip(receivers, got):
            try:
                while True:
                    line = s.recv(4096).decode()
                    assert line.startswith("<30>1 20") and " relay - - - line " in line
                    lines.add(int(line.rsplit(" ", 1)[1]))
            except BlockingIOError:
                pass
        return [len(lines) for lines in got] == [count, count]

    for burst in range(1, 21):  # some 40 KB: it rotates about ten times
        for n in range(50):
            os.write(writer.stdin.fileno(), b"line %d\n" % (burst * 50 + n - 50))
        wait_for("the burst", lambda: all_came(burst * 50))
    assert len(list(logs.glob("@*"))) > 3
    for s in receivers:
        s.close()
