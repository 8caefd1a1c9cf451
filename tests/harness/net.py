# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts, links, switches and taps in network namespaces of their own.

    with Net() as net:
        isp, gate, web1 = net.host("isp"), net.host("gate"), net.host("web1")
        net.link(isp, "eth0", gate, "eth0")
        isp.addr("eth0", "198.51.100.1/30")
        web1.route("default", via="203.0.113.1")
        isp.run(["ping", "-c1", "198.51.100.2"])
        server = web1.popen(["nc", "-lk", "80"])
        s = isp.socket(AF_INET, SOCK_STREAM)        # a socket of this process, living in isp

        lan = net.switch("dmz")                     # an Ethernet switch
        net.link(web1, "eth0", lan)
        vm = net.host("vm")                         # QEMU runs inside: vm.popen(["qemu-...", ...])
        net.tap(vm, "tap0", lan)      # for -netdev tap,ifname=tap0,script=no,downscript=no
        net.tap(vm, "tap1", isp, "eth1")            # a wire from that port to isp's eth1

No namespace has a name: each is held by a process that ends when this one does, however it ends,
and everything inside ends with it. So nothing is left over, and any number of runs may go on at
one time. Needs root.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000

# Runs inside the new namespaces; ends when its standard input does.
_HOLDER = """
set -e
mount -t sysfs sysfs /sys
ip link set lo up
echo ready
exec cat >/dev/null
"""


class Failed(Exception):
    """A command that a host ran did not end well; the message holds what it said."""


class Host:
    """One machine: a network namespace and a mount namespace. Made by Net.host()."""

    def __init__(self, net, name, files, dad):
        self.net = net
        self.name = name
        self._procs = []
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _HOLDER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._holder.stdout.readline() != "ready\n":
            raise Failed(f"{name}: no namespace could be made; this needs root")
        self.pid = self._holder.pid
        self._fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if not dad:
            self.sysctl("net.ipv6.conf.all.accept_dad", 0)
            self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        for path, text in (files or {}).items():
            self.file(path, text)

    # -- running things ----------------------------------------------------------------------

    def command(self, argv):
        """argv, wrapped to run inside this host; the process keeps one pid all along."""
        wrapped = ["nsenter", f"--net=/proc/{self.pid}/ns/net", f"--mount=/proc/{self.pid}/ns/mnt",
                   f"--wd={os.getcwd()}", "--", *map(str, argv)]
        # The signal comes when the thread that forked ends, so only the main one may ask for it.
        if threading.current_thread() is threading.main_thread():
            wrapped = ["setpriv", "--pdeathsig", "KILL", *wrapped]
        return wrapped

    def run(self, argv, check=True, timeout=60, **kw):
        """Runs to the end; a CompletedProcess with text stdout and stderr."""
        self.net.settle()
        return self._run(argv, check, timeout, **kw)

    def _run(self, argv, check=True, timeout=60, **kw):
        if "input" not in kw:
            kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("text", True)
        done = subprocess.run(self.command(argv), capture_output=True, timeout=timeout, **kw)
        if check and done.returncode:
            raise Failed(f"{self.name}: {' '.join(map(str, argv))}: status {done.returncode}\n"
                         f"{done.stdout}{done.stderr}")
        return done

    def popen(self, argv, **kw):
        """Starts a program that is ended with the net at the latest; a subprocess.Popen."""
        self.net.settle()
        kw.setdefault("stdin", subprocess.DEVNULL)
        proc = subprocess.Popen(self.command(argv), **kw)
        self._procs.append(proc)
        return proc

    def python(self, source, *args, **kw):
        """Runs Python source to the end, like run()."""
        return self.run(["/usr/bin/python3", "-c", source, *args], **kw)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0, timeout=5.0):
        """A socket of this process that lives in this host."""
        self.net.settle()
        with self.inside():
            s = socket.socket(family, kind, proto)
        s.settimeout(timeout)
        return s

    @contextlib.contextmanager
    def inside(self):
        """This thread's network is the host's for as long as the block lasts."""
        with open("/proc/thread-self/ns/net") as home:
            _setns(self._fd)
            try:
                yield self
            finally:
                _setns(home.fileno())

    # -- settings ----------------------------------------------------------------------------

    def ip(self, *args):
        return self._run(["ip", *args]).stdout

    def up(self, dev):
        self.ip("link", "set", dev, "up")

    def down(self, dev):
        self.net.pending = [p for p in self.net.pending if p != (self, dev)]
        self.ip("link", "set", dev, "down")

    def addr(self, dev, address):
        """Adds 192.0.2.1/24 or 2001:db8::1/64, usable at once."""
        self.ip("addr", "add", address, "dev", dev, *(["nodad"] if ":" in address else []))

    def route(self, dest, via=None, dev=None):
        """dest is a prefix, or "default" in the family of via."""
        gateway = ["via", via] if via else []
        device = ["dev", dev] if dev else []
        family = "-6" if ":" in (dest + (via or "")) else "-4"
        self.ip(family, "route", "add", dest, *gateway, *device)

    def sysctl(self, name, value):
        with self.inside(), open("/proc/sys/" + name.replace(".", "/"), "w") as f:
            f.write(str(value))

    def forward(self):
        """Makes this host a router."""
        self.sysctl("net.ipv4.ip_forward", 1)
        self.sysctl("net.ipv6.conf.all.forwarding", 1)

    def file(self, path, text):
        """Puts text in place of an existing file (/etc/resolv.conf, say) for this host alone."""
        with tempfile.NamedTemporaryFile("w", prefix="gatepost-net-") as source:
            source.write(text)
            source.flush()
            os.chmod(source.name, 0o644)
            self._run(["mount", "--bind", source.name, path])  # outlives the name

    def sysfs(self, path):
        """What a file below /sys/class/net says here: sysfs("eth0/operstate")."""
        with open(f"/proc/{self.pid}/root/sys/class/net/{path}") as f:
            return f.read().strip()

    def mac(self, dev):
        return self.sysfs(f"{dev}/address")

    def enter_hint(self):
        """The command with which a person gets a shell in this host while it stands."""
        return f"nsenter --net=/proc/{self.pid}/ns/net --mount=/proc/{self.pid}/ns/mnt"

    def _end(self):
        for proc in self._procs:
            if proc.poll() is None:
                proc.terminate()
        for proc in self._procs:
            try:
                proc.wait(2)
            except subprocess.TimeoutExpired:
                proc.send_signal(signal.SIGKILL)
                proc.wait()
            for pipe in (proc.stdin, proc.stdout, proc.stderr):
                if pipe:
                    pipe.close()
        os.close(self._fd)
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()


class Switch(Host):
    """An Ethernet switch: a host whose ports are bridged and which has no address. Net.switch()."""

    bridge = "switch"

    def __init__(self, net, name):
        super().__init__(net, name, None, dad=False)
        self.ports = 0
        self.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        _bridge(self, self.bridge)

    def next_port(self):
        self.ports += 1
        return f"port{self.ports}"


class Net:
    """Everything made here is taken down at the end of the with block, or by close()."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Failed("network namespaces need root: run this as root or with sudo")
        self.hosts = []
        self.pending = []  # (host, device): ends of wires that have not been seen to carry

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        for host in reversed(self.hosts):
            host._end()
        self.hosts = []

    def host(self, name, files=None, dad=False):
        """files: {path: text}, see Host.file(). Without dad, IPv6 addresses serve at once."""
        return self._add(Host(self, name, files, dad))

    def switch(self, name):
        return self._add(Switch(self, name))

    def _add(self, host):
        self.hosts.append(host)
        return host

    def link(self, a, dev_a, b, dev_b=None):
        """A wire. On a switch the port's name is chosen: link(web1, "eth0", dmz)."""
        if isinstance(a, Switch):
            raise ValueError("name the switch second: link(host, dev, switch)")
        if isinstance(b, Switch):
            dev_b = b.next_port()
        # From inside: a device of this name outside would be taken for it.
        a.ip("link", "add", "name", dev_a, "type", "veth", "peer", "name", dev_b, "netns", b.pid)
        a.up(dev_a)
        if isinstance(b, Switch):
            b.ip("link", "set", dev_b, "master", b.bridge)
        b.up(dev_b)
        self.pending += [(a, dev_a), (b, dev_b)]

    def settle(self):
        """Waits until every wire carries; the kernel takes up to a second to see that it does.
        Hosts call it before they run anything."""
        deadline = time.monotonic() + 10
        while self.pending:
            self.pending = [p for p in self.pending if not _carries(*p)]
            if self.pending and time.monotonic() > deadline:
                host, dev = self.pending[0]
                raise Failed(f"{host.name} {dev}: no carrier after 10 s; is it up?")
            if self.pending:
                time.sleep(0.02)

    def tap(self, machine, dev, to=None, to_dev=None):
        """A tap in the machine's namespace for the QEMU that runs there; to: a host or a switch
        at the other end of the wire (none: the tap alone)."""
        machine.ip("tuntap", "add", "dev", dev, "mode", "tap")
        if to:
            # Only wires pass here: the machine's own stack stays off them.
            machine.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
            machine.sysctl(f"net.ipv6.conf.{dev}.disable_ipv6", 1)
            bridge, wire = f"b-{dev}", f"w-{dev}"
            _bridge(machine, bridge)
            self.link(machine, wire, to, to_dev)
            for port in (dev, wire):
                machine.ip("link", "set", port, "master", bridge)
        machine.up(dev)


def _carries(host, dev):
    if host.sysfs(f"{dev}/operstate") != "up":
        return False
    try:
        return host.sysfs(f"{dev}/brport/state") == "3"  # forwarding
    except FileNotFoundError:
        return True  # not a port of a switch


def _bridge(host, name):
    host.ip("link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0",
            "mcast_snooping", "0")
    host.up(name)


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
