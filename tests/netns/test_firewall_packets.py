# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that should not be, limits on those that may, and errors that must get through."""

import socket
import struct

import pytest

from tests.harness.firewall import Firewall
from tests.harness.probe import checksum
from tests.harness.relay import wait_for
from tests.harness.site import FAMILIES, INTERFACES, V4, V6, Site, address

CONFIG = INTERFACES + """
system { ssh { allow office; } }
groups { office { 192.0.2.0/24; 2001:db8:7::/48; } }
servers {
    web1 {
        address [ 203.0.113.10 2001:db8:d::10 ];
        allow dns { udp 53; from any; }
        allow http { tcp 80; from any; }
        allow few { tcp 81; from any; limit 7/hour; }
        allow few-too { tcp 82; from any; limit 7/hour; }
        allow few-but { tcp 83; from any; limit 7/hour; }
        allow office { tcp 83; from office; }
    }
    mail1 { address [ 203.0.113.20 2001:db8:d::20 ]; }
}
policy { dmz-outbound { allow any; } }
"""


@pytest.fixture
def site():
    with Site() as site:
        yield site


@pytest.fixture
def fw(site, tmp_path):
    fw = Firewall(site.gate, tmp_path)
    fw.apply(CONFIG)
    fw.net(CONFIG)
    return fw


def udp_packet(family, source, to, port, payload):
    """A whole IP packet."""
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", 4000, port, length, 0) + payload
    src, dst = socket.inet_pton(family, source), socket.inet_pton(family, to)
    pseudo = src + dst + struct.pack("!II", length, socket.IPPROTO_UDP)
    padded = udp + b"\0" * (len(udp) % 2)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + padded) or 0xffff) + udp[8:]
    if family == V6:
        return struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64) + src + dst + udp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 64, socket.IPPROTO_UDP, 0)
    head += src + dst
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp


def send_frame(host, dev, to_mac, family, packet):
    """Onto the wire as it is: the sender's own stack has no say."""
    with host.inside():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((dev, 0))
    frame = bytes.fromhex(to_mac.replace(":", "") + host.mac(dev).replace(":", ""))
    s.send(frame + struct.pack("!H", 0x86dd if family == V6 else 0x0800) + packet)
    s.close()


def listener(host, name, family, port):
    s = host.socket(family, socket.SOCK_DGRAM)
    s.bind((address(name, family), port))
    return s


SPOOFED = {  # sources that cannot be on this side, by the drop that counts them
    "wan": {V4: {"spoofed": ["203.0.113.20", "203.0.113.1", "203.0.113.63"],
                 "bogon": ["10.1.2.3", "100.64.0.1", "172.16.0.1", "192.168.1.1", "198.18.0.1",
                           "192.0.0.8", "169.254.1.1"]},
            V6: {"spoofed": ["2001:db8:d::20", "2001:db8:d::1"],
                 "bogon": ["fc00::1", "fec0::1", "100::1", "::192.0.2.1"]}},
    "dmz": {V4: {"spoofed": ["192.0.2.10", "198.51.100.1", "203.0.113.77", "10.0.0.1"]},
            V6: {"spoofed": ["2001:db8:7:1::10", "2001:db8:0:1::1", "fd00::1"]}},
}


@pytest.mark.parametrize("side", SPOOFED)
@pytest.mark.parametrize("family", FAMILIES, ids=("ipv4", "ipv6"))
def test_sources_that_cannot_be_are_dropped(site, fw, side, family):
    if side == "wan":
        sender, dev, gate_dev, to = site["isp"], "wan", "eth0", "web1"
    else:
        sender, dev, gate_dev, to = site["mail1"], "eth0", "eth1", "stranger"
    true_source = address("office" if side == "wan" else "mail1", family)
    server = listener(site[to], to, family, 53)
    # Neighbours are known before: what is held back while the gate asks for one might be dropped.
    gate_mac = site.gate.mac(gate_dev)

    def send(source, text):
        packet = udp_packet(family, source, address(to, family), 53, text.encode())
        send_frame(sender, dev, gate_mac, family, packet)

    send(true_source, "first")
    assert server.recv(100) == b"first"
    for reason, sources in SPOOFED[side][family].items():
        before = fw.counter(f"drop-{reason}")
        for source in sources:
            send(source, source)
        send(true_source, "fence")
        assert server.recv(100) == b"fence"
        assert fw.counter(f"drop-{reason}") - before == len(sources)


def knock(site, source, port, times, family=V4):
    """Opens so many connections to web1; how many were let in."""
    sockets = []
    for _ in range(times):
        s = site[source].socket(family)
        s.setblocking(False)
        s.bind((address(source, family), 0))
        s.connect_ex((address("web1", family), port))
        sockets.append(s)
    fence = site[source].socket(family)
    fence.connect((address("web1", family), 80))
    fence.close()

    def is_connected(s):
        try:
            s.getpeername()
            return True
        except OSError:
            return False

    wait_for("answers on their way", lambda: sum(map(is_connected, sockets)) >= 1)
    count = sum(map(is_connected, sockets))
    for s in sockets:
        s.close()
    return count


def serve_tcp(site, family, *ports):
    servers = []
    for port in ports:
        s = site["web1"].socket(family)
        s.bind((address("web1", family), port))
        s.listen(128)
        servers.append(s)
    return servers


@pytest.mark.parametrize("family", FAMILIES, ids=("ipv4", "ipv6"))
def test_a_limit_is_each_sources_and_each_services_own(site, fw, family):
    servers = serve_tcp(site, family, 80, 81, 82, 83)
    assert knock(site, "stranger", 81, 20, family) == 7
    assert fw.counter("over-limit") >= 13  # more where a SYN was sent again
    assert knock(site, "partner", 81, 20, family) == 7
    assert knock(site, "stranger", 82, 20, family) == 7
    assert knock(site, "office", 83, 20, family) == 20, "another allow has no limit"
    assert knock(site, "stranger", 83, 20, family) == 7
    fw.apply(CONFIG)
    before = fw.counter("over-limit")
    late = site["stranger"].socket(family)
    late.setblocking(False)
    late.connect_ex((address("web1", family), 81))
    wait_for("the refusal", lambda: fw.counter("over-limit") > before)
    for s in servers + [late]:
        s.close()


def test_an_ipv6_limit_counts_a_whole_64(site, fw):
    servers = serve_tcp(site, V6, 80, 81)
    site["stranger"].addr("eth0", "2001:db8:0:128::99/64")
    assert knock(site, "stranger", 81, 20, V6) == 7
    other = site["stranger"].socket(V6)
    other.bind(("2001:db8:0:128::99", 0))
    other.setblocking(False)
    before = fw.counter("over-limit")
    other.connect_ex((address("web1", V6), 81))
    wait_for("the refusal", lambda: fw.counter("over-limit") > before)
    for s in servers + [other]:
        s.close()


def test_a_flood_of_syns_is_dropped_and_others_are_served(site, fw):
    servers = serve_tcp(site, V4, 80)
    src = address("stranger", V4)

    def syn(port):
        tcp = struct.pack("!HHIIBBHHH", port, 80, 1, 0, 0x50, 2, 1000, 0, 0)
        pseudo = socket.inet_aton(src) + socket.inet_aton(address("web1", V4))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + struct.pack("!HH", 6, 20) + tcp)) \
            + tcp[18:]
        head = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0) + pseudo
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + tcp

    mac = site.gate.mac("eth0")
    with site["isp"].inside():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("wan", 0))
    frame = bytes.fromhex(mac.replace(":", "") + site["isp"].mac("wan").replace(":", "")) + b"\x08\0"
    for port in range(10000, 20000):
        wire.send(frame + syn(port))
    wire.close()
    dropped = fw.counter("drop-syn-flood")
    assert 10000 - dropped >= 1000, "the burst is let through"
    assert dropped > 0
    client = site["office"].socket(V4)
    client.connect((address("web1", V4), 80))
    client.close()
    for s in servers:
        s.close()


@pytest.mark.parametrize("loose", [0, 1])
def test_a_tcp_that_does_not_begin_with_syn_begins_nothing(site, fw, loose):
    """Both conntrack, when it is strict, and the rule by itself see to it."""
    site.gate.sysctl("net.netfilter.nf_conntrack_tcp_loose", loose)
    before = fw.counter("drop-no-syn") + fw.counter("drop-invalid")
    src, dst = address("stranger", V4), address("web1", V4)
    raw = site["stranger"].socket(V4, socket.SOCK_RAW, socket.IPPROTO_TCP)
    flags = [0x10, 0x12, 0x11, 0x04, 0x00, 0x29, 0x03, 0x06]
    for n, flag in enumerate(flags):
        tcp = struct.pack("!HHIIBBHHH", 5000 + n, 80, 1, 1, 0x50, flag, 1000, 0, 0)
        pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!HH", 6, 20)
        raw.sendto(tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:], (dst, 0))
    raw.close()
    assert fw.counter("drop-no-syn") + fw.counter("drop-invalid") - before == len(flags)
    assert fw.counter("server-web1") == 0


@pytest.mark.parametrize("family", FAMILIES, ids=("ipv4", "ipv6"))
def test_path_mtu_errors_get_through(site, fw, family):
    """A server's large packets meet a narrow link beyond the gate; it must hear of it."""
    servers = serve_tcp(site, family, 80)
    site["isp"].ip("link", "set", "stranger", "mtu", "1300")
    client = site["stranger"].socket(family)
    client.connect((address("web1", family), 80))
    served, _ = servers[0].accept()
    served.sendall(b"x" * 100_000)
    got = 0
    while got < 100_000:
        got += len(client.recv(65536))
    client.close(), served.close(), servers[0].close()


def test_neighbours_and_addresses_work_from_cold_in_ipv6(site, fw):
    """Neighbour discovery passes, unicast and multicast, on both sides."""
    for host in ("gate", "web1", "isp", "mail1"):
        site[host].ip("-6", "neigh", "flush", "all")
    site.gate.run(["ping", "-c", "1", "-W", "5", address("web1", V6)])
    site.gate.run(["ping", "-c", "1", "-W", "5", "2001:db8:0:1::1"])
    for host in ("gate", "web1", "isp", "mail1"):
        site[host].ip("-6", "neigh", "flush", "all")
    server = listener(site["web1"], "web1", V6, 53)
    s = site["stranger"].socket(V6, socket.SOCK_DGRAM)
    s.sendto(b"hello", (address("web1", V6), 53))
    assert server.recv(100) == b"hello"


def test_nothing_passes_before_there_is_a_config(site, tmp_path):
    fw = Firewall(site.gate, tmp_path)
    fw.net(CONFIG)
    fw.apply("")
    stranger = site["stranger"].socket(V4, socket.SOCK_DGRAM)
    server = listener(site["web1"], "web1", V4, 53)
    before = fw.counter("drop-denied")
    stranger.sendto(b"hello", (address("web1", V4), 53))
    wait_for("the drop", lambda: fw.counter("drop-denied") == before + 1)
    fw.apply(CONFIG)
    stranger.sendto(b"now", (address("web1", V4), 53))
    assert server.recv(100) == b"now"
