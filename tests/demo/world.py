# SPDX-License-Identifier: GPL-2.0-or-later
"""The world around the box: an Internet, an office, a DMZ, and the box's first configuration.

    stranger, desktop ---+                                   +--- web1   203.0.113.10
    mx, yahoo, names  ---+--- isp --- wan [the box] dmz -----+--- mail1  203.0.113.20
    office            ---+                                   +--- shop1  203.0.113.30

Everybody has IPv6 as well. All addresses are documentation's (RFC 5737, RFC 3849).
"""
import base64
import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

from tests.harness.blklog import replay
from tests.harness.dns import Dns
from tests.harness.net import Net
from tests.harness.qemu import Machine, TapFd
from tests.harness.sink import Sink

IMAGES = Path(__file__).resolve().parents[2] / "output" / "images"

BOX_WAN, BOX_DMZ = "198.51.100.2", "203.0.113.1"
BOX_WAN6, BOX_DMZ6 = "2001:db8:0:1::2", "2001:db8:d::1"
CERTIFIED, SHARED = "203.0.113.5", "203.0.113.6"
NAMES = "198.51.100.66"
SERVERS = {"web1": 10, "mail1": 20, "shop1": 30}
OUTSIDE = {  # host: (subnet, last byte)
    "names": ("198.51.100.64/27", 66),
    "stranger": ("198.51.100.128/26", 130),
    "desktop": ("198.51.100.128/26", 131),
    "mx": ("198.51.100.192/26", 195),
    "yahoo": ("198.51.100.192/26", 196),
    "office": ("192.0.2.0/24", 10),
}
SUBNET6 = {"198.51.100.64/27": "2001:db8:0:64::", "198.51.100.128/26": "2001:db8:0:128::",
           "198.51.100.192/26": "2001:db8:0:192::", "192.0.2.0/24": "2001:db8:7:1::"}

CONFIG = """
system {{ host-name gw1; name-server 198.51.100.66; }}
interfaces {{
    wan {{
        device eth0;
        address [ 198.51.100.2/30 2001:db8:0:1::2/64 ];
        gateway [ 198.51.100.1 2001:db8:0:1::1 ];
    }}
    dmz {{ device eth1; address [ 203.0.113.1/26 2001:db8:d::1/64 ]; }}
}}
groups {{ office {{ 192.0.2.0/24; 2001:db8:7::/48; }} }}
servers {{
    web1 {{
        address [ 203.0.113.10 2001:db8:d::10 ];
        allow http {{ tcp 80,443; from any; }}
        allow rdp {{ tcp 3389; from office; }}
        allow dns {{ udp 53; from any; }}
    }}
    mail1 {{ address [ 203.0.113.20 2001:db8:d::20 ]; }}
    shop1 {{ address 203.0.113.30; }}
}}
policy {{ dmz-outbound {{ allow any; deny {{ tcp 25; }} }} }}
relay {{
    host-name relay.example.net;
    no-dnssec;
    tracking {{ host t.example.net; }}
    retry {{ first 2; longest 4; }}
    pool certified {{ source 203.0.113.5; host-name certified.example.net; members [ acme partner ]; }}
    pool shared {{ source 203.0.113.6; host-name shared.example.net; }}
    route yahoo {{ domain yahoo.example; pool certified; }}
    account acme {{
        networks 203.0.113.20/32;
        from "*@acme.example";
        user alice@acme.example {{ password "{password}"; }}
        track {{ opens; clicks; }}
        sign {{ domain acme.example; selector g1; dkim; domainkeys; }}
        pool certified;
        workers 2;
    }}
    account partner {{ networks 203.0.113.20/32; from "*@partner.example"; }}
    account shop {{ networks 203.0.113.30/32; from "*@shop.example"; }}
}}
"""
PASSWORD = "correct horse battery staple"


def host_part(subnet, last):
    return subnet.rsplit(".", 1)[0] + f".{last}"


def hang_up(s):
    """Closes a socket that another thread may be waiting on."""
    with contextlib.suppress(OSError):
        s.shutdown(socket.SHUT_RDWR)
    s.close()


def tap(host, name):
    """A tap of that name in the host's namespace, held open for QEMU."""
    with host.inside():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        flags = 0x0002 | 0x1000 | 0x4000  # IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
        fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), flags))
    return fd


class World:
    """Everything outside the box, and the box itself in self.box."""

    def __init__(self, folder, board):
        self.folder, self.board = Path(folder), board
        self.stack = contextlib.ExitStack()
        self.net = self.stack.enter_context(Net())
        self.hosts, self.sinks = {}, {}
        self.taps = {}
        self.box = None

    def __enter__(self):
        try:
            self.build_outside()
            self.build_inside()
            self.build_services()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if self.box:
            self.box.stop()
        self.stack.close()

    def __getattr__(self, name):
        try:
            return self.__dict__["hosts"][name]
        except KeyError:
            raise AttributeError(name) from None

    # -- wires -------------------------------------------------------------------------------

    def build_outside(self):
        isp = self.hosts["isp"] = self.net.host("isp")
        isp.forward()
        self.plug(isp, "wan")
        isp.addr("wan", "198.51.100.1/30")
        isp.addr("wan", "2001:db8:0:1::1/64")
        isp.route("203.0.113.0/26", via=BOX_WAN)
        isp.route("2001:db8:d::/48", via=BOX_WAN6)
        for i, (subnet, subnet6) in enumerate(SUBNET6.items()):
            switch = self.net.switch(f"net{i}")
            self.net.link(isp, f"net{i}", switch)
            first = int(subnet.split("/")[0].rsplit(".", 1)[1]) + 1
            length = subnet.split("/")[1]
            isp.addr(f"net{i}", host_part(subnet, first) + "/" + length)
            isp.addr(f"net{i}", subnet6 + "1/64")
            for name, (mine, last) in OUTSIDE.items():
                if mine != subnet:
                    continue
                host = self.hosts[name] = self.net.host(name)
                self.net.link(host, "eth0", switch)
                host.addr("eth0", host_part(subnet, last) + "/" + length)
                host.addr("eth0", f"{subnet6}{last}/64")
                host.route("default", via=host_part(subnet, first))
                host.route("default", via=subnet6 + "1")

    def build_inside(self):
        dmz = self.hosts["dmz"] = self.net.host("dmz")
        dmz.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        dmz.ip("link", "add", "name", "bridge", "type", "bridge", "forward_delay", "0",
               "mcast_snooping", "0")
        self.plug(dmz, "dmz")
        dmz.ip("link", "set", "dmz", "master", "bridge")
        dmz.up("bridge")
        for name, last in SERVERS.items():
            host = self.hosts[name] = self.net.host(name)
            self.net.link(host, "eth0", dmz, name)
            dmz.ip("link", "set", name, "master", "bridge")
            host.addr("eth0", f"203.0.113.{last}/26")
            host.addr("eth0", f"2001:db8:d::{last}/64")
            host.route("default", via=BOX_DMZ)
            host.route("default", via=BOX_DMZ6)
        lan = self.hosts["lan"] = self.net.host("lan")
        self.plug(lan, "lan")

    def plug(self, host, port):
        self.taps[port] = tap(host, port)
        self.stack.callback(os.close, self.taps[port])
        host.up(port)

    # -- services ----------------------------------------------------------------------------

    def build_services(self):
        zones = {
            "example.net": "relay A 198.51.100.2\nt A 198.51.100.2\n"
                           f"certified A {CERTIFIED}\nshared A {SHARED}\n",
            "b.example": "@ MX 10 mx\nmx A 198.51.100.195\n",
            "yahoo.example": "@ MX 10 mx\nmx A 198.51.100.196\n",
            "acme.example": "@ MX 10 mx.b.example.\n" + self.make_keys(),
        }
        self.stack.enter_context(Dns(zones, address=NAMES, command=self.names.command, port=53))
        for name in ("mx", "yahoo"):
            self.sinks[name] = self.stack.enter_context(Sink(
                listener=self.listener(self.hosts[name], 25), host=f"{name}.example"))
        for port in (80, 443, 3389, 8080):
            self.greet(self.web1, port)
        for port in (80, 25):
            self.greet(self.stranger, port)

    def listener(self, host, port):
        s = host.socket(socket.AF_INET6)
        s.settimeout(None)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", port))
        s.listen(64)
        return s

    def greet(self, host, port):
        """A server that says who it is and who called."""
        s = self.listener(host, port)
        self.stack.callback(hang_up, s)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    conn, peer = s.accept()
                    conn.sendall(f"{host.name} {port} {peer[0]}\n".encode())
                    conn.close()
        threading.Thread(target=serve, daemon=True).start()

    def make_keys(self):
        """acme's signing key in the folder that becomes /config; its record for the zone."""
        keys = self.folder / "config" / "keys"
        keys.mkdir(parents=True)
        private = keys / "acme.example.g1.pem"
        subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True,
                       capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-outform", "DER"],
                                check=True, capture_output=True).stdout
        self.dkim_record = "k=rsa; p=" + base64.b64encode(public).decode()
        half = len(self.dkim_record) // 2
        return (f'g1._domainkey TXT "{self.dkim_record[:half]}" "{self.dkim_record[half:]}"\n')

    # -- the box -----------------------------------------------------------------------------

    def write_config_disk(self):
        """/config as an administrator has left it: the configuration and the signing key."""
        hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True,
                                capture_output=True, text=True).stdout.strip()
        source = self.folder / "config"
        (source / "gatepost.conf").write_text(CONFIG.format(password=hashed))
        disks = self.folder / "disks"
        disks.mkdir(exist_ok=True)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "gp-config", "-d", source,
                        disks / "config.img", "64M"], check=True)
        shutil.rmtree(source)

    def boot(self, **how):
        """Starts the box on its disks; a World has one at a time."""
        self.box = Machine(IMAGES / self.board, disks=self.folder / "disks",
                           nics={port: TapFd(fd) for port, fd in self.taps.items()}, **how)
        self.box.start()
        return self.box

    def forget_unflushed(self, role):
        """After a power cut: the disk as it is when it kept only what a completed flush covers.
        How many writes it lost."""
        disk = self.folder / "disks" / f"{role}.img"
        log = disk.with_suffix(".log")
        size = disk.stat().st_size
        disk.unlink()
        with open(disk, "wb") as blank:  # as it was before the first boot, when the log began
            blank.truncate(size)
        _, dropped = replay(log, disk)
        log.unlink()
        return dropped


# -- what hosts try ------------------------------------------------------------------------------


def call(host, address, port, timeout=3):
    """Connects: the greeting, or "refused", or "silence" when nothing came back."""
    s = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, timeout=timeout)
    try:
        s.connect((address, port))
        return s.recv(200).decode().strip() or "closed"
    except (TimeoutError, socket.timeout):
        return "silence"
    except OSError as why:
        return "silence" if why.errno in (110, 113) else "refused"
    finally:
        s.close()


class Datagrams:
    """Counts, by the sender's address, the datagrams that reach a port of a host."""

    def __init__(self, host, port, family=socket.AF_INET):
        self.socket = host.socket(family, socket.SOCK_DGRAM, timeout=0.1)
        self.socket.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        self.first_at = {}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                _, peer = self.socket.recvfrom(2000)
                self.first_at.setdefault(peer[0], time.monotonic())

    def close(self):
        self.stop.set()
        self.thread.join()
        self.socket.close()


def forge(host, source, target, port):
    """One UDP datagram whose source address is not the host's own."""
    payload = b"forged"
    length = 8 + len(payload)
    if ":" in target:
        s = host.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        pseudo = (socket.inet_pton(socket.AF_INET6, source)
                  + socket.inet_pton(socket.AF_INET6, target) + struct.pack("!I3xB", length, 17))
        head = struct.pack("!IHBB", 6 << 28, length, 17, 60) + pseudo[:32]
        to = (target, 0)
    else:
        s = host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        pseudo = (socket.inet_aton(source) + socket.inet_aton(target)
                  + struct.pack("!BBH", 0, 17, length))
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 60, 17, 0) + pseudo[:8]
        to = (target, 0)
    udp = struct.pack("!HHHH", 4000, port, length, 0) + payload
    total = sum(struct.unpack(f"!{(len(pseudo) + len(udp)) // 2}H",
                              (pseudo + udp)[:(len(pseudo) + len(udp)) // 2 * 2]))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    udp = udp[:6] + struct.pack("!H", ~total & 0xFFFF) + udp[8:]
    with contextlib.suppress(OSError):
        s.sendto(head + udp, to)
    s.close()
