# SPDX-License-Identifier: GPL-2.0-or-later
"""The firewall on the image's own kernel: what a test host may lack is here.

    isp, stranger, office --- wan [the box] dmz --- web1, mail1, lost1

Everybody outside is one host with several addresses, and so is everybody inside: QEMU's two wires
lead to them.
"""
import contextlib
import itertools
import json
import os
import re
import socket
import struct
import threading
import time

import pytest

from tests.demo.world import tap
from tests.harness.net import Net
from tests.harness.probe import Probe, reached
from tests.harness.qemu import Machine, TapFd
from tests.harness.site import ADDRESSES, FAMILIES, V4, V6, address
from tests.netns.test_firewall_matrix import OPEN, PORTS, SERVERS, describe, fences_of, open_to

OUTSIDE = ("stranger", "office", "partner")
INSIDE = ("web1", "mail1", "lost1")
FLAT = SERVERS + """
interfaces {
    topology flat;
    wan {
        device eth0;
        address [ 203.0.113.1/26 2001:db8:d::1/64 ];
        gateway [ 203.0.113.62 2001:db8:d::3e ];
    }
    dmz { device eth1; }
}
policy { dmz-outbound { allow any; deny { tcp 3389; to office; } } box { ping office; } }
"""
ROUTED = """
interfaces {
    wan { device eth0; address [ 198.51.100.2/30 2001:db8:0:1::2/64 ];
          gateway [ 198.51.100.1 2001:db8:0:1::1 ]; }
    dmz { device eth1; address [ 203.0.113.1/26 2001:db8:d::1/64 ]; }
}
"""


class Wires:
    """The two hosts, and what tests.harness.probe asks of a site."""

    def __init__(self, stack):
        net = stack.enter_context(Net())
        self.outside, self.inside = net.host("outside"), net.host("inside")
        self.nics = {}
        for role, host in (("wan", self.outside), ("dmz", self.inside)):
            fd = tap(host, role)
            stack.callback(os.close, fd)
            host.up(role)
            self.nics[role] = TapFd(fd)
        for name in OUTSIDE:
            for text, length in zip(ADDRESSES[name], (32, 128)):
                self.outside.addr("lo", f"{text}/{length}")
        for name in INSIDE:
            for text, length in zip(ADDRESSES[name], (26, 64)):
                self.inside.addr("dmz", f"{text}/{length}")

    def __getitem__(self, name):
        return self.outside if name in OUTSIDE + ("outside",) else self.inside

    def heard_at(self, name, family, _proto, port):
        return address(name, family), port


@pytest.fixture
def wires():
    with contextlib.ExitStack() as stack:
        yield Wires(stack)


def commit(box, text):
    """What the commit said."""
    box.must(f"cat >/tmp/site.conf <<'END'\n{text}\nEND")
    return box.must("gatepost <<'END'\nconfigure\nload /tmp/site.conf\ncommit\nexit\nexit\nEND\n",
                    timeout=90)


def until(what, seconds=60):
    """Waits for a condition; seconds is when to give up, not how long it may take."""
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)
    return value


def connected(wires, source, to, port, family=V4):
    """A TCP connection, its client's end and its server's."""
    listener = wires[to].socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address(to, family), port))
    listener.listen()
    client = wires[source].socket(family, timeout=30)
    client.bind((address(source, family), 0))
    client.connect((address(to, family), port))
    server, _ = listener.accept()
    server.settimeout(30)
    listener.close()
    return client, server


def test_a_bridge_does_what_the_same_policy_says(image, tmp_path, wires):
    wires.outside.addr("wan", "203.0.113.62/26")
    wires.outside.addr("wan", "2001:db8:d::3e/64")
    wires.inside.route("default", via="203.0.113.62")
    wires.inside.route("default", via="2001:db8:d::3e")
    probes = [Probe(source, to, family, proto, port)
              for ones, others in ((OUTSIDE, INSIDE), (INSIDE, OUTSIDE))
              for source, to, family in itertools.product(ones, others, FAMILIES)
              for proto, ports in PORTS.items() for port in ports]

    def passes(p):
        if p.to in INSIDE:
            return open_to(OPEN[p.to], p)
        # lost1 is not listed: nobody knows it to be a server.
        return p.source != "lost1" and (p.proto, p.port) != ("tcp", 25) and \
            not (p.to == "office" and (p.proto, p.port) == ("tcp", 3389))

    expected = {p for p in probes if passes(p)}
    with Machine(image("qemu-x86_64"), tmp_path, wires.nics) as box:
        box.wait_ready()
        commit(box, FLAT)
        got = reached(wires, probes, expected, fences_of(expected))
        assert describe(got - expected) == [], "passes, but must not"
        assert describe(expected - got) == [], "must pass, but does not"
        # What nft lists, nft can load.
        box.must("nft list table bridge gatepost >/tmp/bridge.nft && nft -c -f /tmp/bridge.nft")
        # The box itself answers whom it should, on the bridge.
        wires.outside.run(["ping", "-c", "1", "-W", "20", "-I", address("office", V4), "203.0.113.1"])
        box.must(f"ping -c 1 -w 20 {address('web1', V4)} && ping -c 1 -w 20 203.0.113.62")
        # A server's address, and the box's, from the wrong side.
        before = box.must("nft list counter bridge gatepost drop-spoofed")
        wires.outside.addr("lo", "203.0.113.20/32")
        s = wires.outside.socket(V4, socket.SOCK_DGRAM)
        s.bind(("203.0.113.20", 0))
        s.sendto(b"spoofed", (address("web1", V4), 27000))
        until(lambda: box.must("nft list counter bridge gatepost drop-spoofed") != before)
        wires.outside.ip("addr", "del", "203.0.113.20/32", "dev", "lo")
        # Flows that became forbidden are cut, and stay cut; the others lose nothing.
        cut, kept = connected(wires, "stranger", "web1", 80), connected(wires, "office", "web1", 443)
        said = commit(box, FLAT.replace("tcp 80,443; from any;", "tcp 443; from any;"))
        assert re.search(r"^\d+ connections? cut", said, re.M)  # the probes' old ones too
        cut[0].setblocking(False)
        for _ in range(20):
            cut[1].send(b"y" * 1000)
        kept[1].sendall(b"still here")
        assert kept[0].recv(100) == b"still here"
        with pytest.raises(BlockingIOError):
            cut[0].recv(100)
        # Read back: a rule of the bridge's table that somebody took away is seen by a commit.
        box.must("nft flush chain bridge gatepost forward")
        commit(box, FLAT)
        assert "jump forward" in box.must("nft list chain bridge gatepost forward")
        # And back to a router, in one go.
        commit(box, ROUTED + SERVERS)
        assert "bridge gatepost" not in box.must("nft list tables")
        assert "site" not in box.must("ip -o link")


NAT = ROUTED + """
system { name-server 192.0.2.10; syslog [ 192.0.2.10 2001:db8:7:1::10 ]; serve-dmz { dns; } }
servers {
    web1 { address [ 203.0.113.10 2001:db8:d::10 ]; allow http { tcp 80; from any; } }
    mail1 { address 203.0.113.20; allow http { tcp 80; from any; } }
}
nat {
    one-to-one web1 { outside 203.0.113.130; inside 203.0.113.10; }
    forward alt { address 198.51.100.2; tcp 8080; to 203.0.113.20; to-port 80; }
    forward six { address 2001:db8:0:1::2; tcp 8080; to 2001:db8:d::10; to-port 80; }
    prefix lost { outside 203.0.113.136/29; inside 203.0.113.40/29; }
}
policy { dmz-outbound { allow any; } }
"""


def routed(wires):
    wires.outside.addr("wan", "198.51.100.1/30")
    wires.outside.addr("wan", "2001:db8:0:1::1/64")
    wires.outside.route("203.0.113.0/24", via="198.51.100.2")
    wires.outside.route("2001:db8:d::/64", via="2001:db8:0:1::2")
    wires.inside.route("default", via="203.0.113.1")
    wires.inside.route("default", via="2001:db8:d::1")


def listening(wires, name, family, port):
    s = wires[name].socket(family, timeout=30)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address(name, family), port))
    s.listen()
    return s


def seen(wires, source, family, to, port, listener):
    """Whom the listener sees when source connects to that address."""
    client = wires[source].socket(family, timeout=30)
    client.bind((address(source, family), 0))
    client.connect((to, port))
    served, peer = listener.accept()
    served.sendall(b"welcome")
    assert client.recv(100) == b"welcome"
    client.close(), served.close()
    return peer[0]


def test_addresses_change_and_log_lines_leave_on_this_kernel_too(image, tmp_path, wires):
    routed(wires)
    receivers = []
    for family in FAMILIES:
        s = wires.outside.socket(family, socket.SOCK_DGRAM, timeout=60)
        s.bind((address("office", family), 514))
        receivers.append(s)
    with Machine(image("qemu-x86_64"), tmp_path, wires.nics) as box:
        box.wait_ready()
        commit(box, NAT)
        office = address("office", V4)
        web = listening(wires, "web1", V4, 80)
        mail = listening(wires, "mail1", V4, 80)
        six = listening(wires, "web1", V6, 80)
        outside = listening(wires, "stranger", V4, 4000)
        assert seen(wires, "office", V4, "203.0.113.130", 80, web) == office
        assert seen(wires, "office", V4, "198.51.100.2", 8080, mail) == office
        assert seen(wires, "office", V6, "2001:db8:0:1::2", 8080, six) == address("office", V6)
        assert seen(wires, "web1", V4, address("stranger", V4), 4000, outside) == "203.0.113.130"
        assert seen(wires, "lost1", V4, address("stranger", V4), 4000, outside) == "203.0.113.136"
        assert seen(wires, "mail1", V4, "203.0.113.130", 80, web) == "203.0.113.1"
        # Log lines of a service and of the kernel, to both receivers.
        until(lambda: box.sh("ps | grep -q '[g]atepost-syslog'")[0] == 0)
        box.must("echo '<4>gatepost: a line for the receivers' >/dev/kmsg")
        for s in receivers:
            line = ""
            while "a line for the receivers" not in line:
                line = s.recv(4096).decode()
            assert re.match(r"<\d+>1 \d{4}-\d\d-\d\dT[0-9:.]+Z \S+ \S+ - - - ", line), line
        for s in (web, mail, six, outside, *receivers):
            s.close()


MEGABYTES = 1024  # of an offloaded transfer


def pump(client, server, megabytes):
    """The server sends so much; whatever is not read is not sent."""
    piece = b"z" * (1 << 20)
    client.settimeout(60)

    def send():
        for _ in range(megabytes):
            server.sendall(piece)
    sender = threading.Thread(target=send)
    sender.start()
    left = megabytes << 20
    while left:
        left -= len(client.recv(min(left, 1 << 18)))
    sender.join()


def test_established_flows_take_the_short_way_and_are_counted(image, tmp_path, wires):
    routed(wires)
    with Machine(image("qemu-x86_64"), tmp_path, wires.nics) as box:
        box.wait_ready()
        commit(box, NAT)
        tables = json.loads(box.must("nft -j list flowtables"))["nftables"]
        assert sorted(tables[1]["flowtable"]["dev"]) == ["eth0", "eth1"]
        for family in FAMILIES:
            client, server = connected(wires, "office", "web1", 80, family)
            pump(client, server, MEGABYTES if family == V4 else 16)
            assert "[OFFLOAD]" in box.must("conntrack -L -f ipv4; conntrack -L -f ipv6")
            flows = json.loads(box.must("gatepost -c 'show flows server web1 | display json'"))
            counted = max(flow["bytes"] for flow in flows
                          if ("2001:" in flow["from"]) == (family == V6))
            sent = (MEGABYTES if family == V4 else 16) << 20
            assert sent <= counted <= sent * 1.01, "headers and acknowledgements are in it"
            client.close(), server.close()


def arp_request(mac, sender, target, vlan):
    """A tagged question who has that address."""
    frame = b"\xff" * 6 + mac + struct.pack("!HH", 0x8100, vlan)
    return frame + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + mac + \
        socket.inet_aton(sender) + b"\0" * 6 + socket.inet_aton(target)


def test_a_port_with_a_vlan_speaks_with_its_tag(image, tmp_path, wires):
    with wires.inside.inside():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind(("dmz", 0))
    wire.settimeout(1)
    wire.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the tag, which the kernel takes off
    mac = bytes.fromhex(wires.inside.mac("dmz").replace(":", ""))

    def answered(vlan):
        wire.send(arp_request(mac, "203.0.113.9", "203.0.113.1", vlan))
        try:
            while True:
                frame, extra, _, _ = wire.recvmsg(2048, 128)
                if frame[12:14] != b"\x08\x06" or frame[20:22] != b"\0\x02":
                    continue
                return [struct.unpack("=IIIHHHH", data[:20])[5] for _, _, data in extra] == [vlan]
        except TimeoutError:
            return False

    with Machine(image("qemu-x86_64"), tmp_path, wires.nics) as box:
        box.wait_ready()
        commit(box, ROUTED.replace("device eth1;", "device eth1; vlan 20;") + SERVERS)
        assert "vlan protocol 802.1Q id 20" in box.must("ip -d link show eth1.20")
        until(lambda: answered(20))
        assert not answered(21)
        commit(box, ROUTED + SERVERS)
        assert "eth1.20" not in box.must("ip -o link")
    wire.close()
