# SPDX-License-Identifier: GPL-2.0-or-later
"""The harness that every namespace test stands on."""

import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.harness.net import Failed, Net


def test_packets_cross_a_router_and_a_switch():
    with Net() as net:
        isp, gate, web1 = net.host("isp"), net.host("gate"), net.host("web1")
        dmz = net.switch("dmz")
        net.link(isp, "eth0", gate, "eth0")
        net.link(gate, "eth1", dmz)
        net.link(web1, "eth0", dmz)
        for host, dev, *addresses in (
                (isp, "eth0", "198.51.100.1/30", "2001:db8:1::1/64"),
                (gate, "eth0", "198.51.100.2/30", "2001:db8:1::2/64"),
                (gate, "eth1", "203.0.113.1/26", "2001:db8:2::1/64"),
                (web1, "eth0", "203.0.113.10/26", "2001:db8:2::10/64")):
            for address in addresses:
                host.addr(dev, address)
        gate.forward()
        isp.route("203.0.113.0/26", via="198.51.100.2")
        isp.route("2001:db8:2::/64", via="2001:db8:1::2")
        web1.route("default", via="203.0.113.1")
        web1.route("default", via="2001:db8:2::1")
        for family, address in ((socket.AF_INET, "203.0.113.10"),
                                (socket.AF_INET6, "2001:db8:2::10")):
            server = web1.socket(family)
            server.bind((address, 0))
            server.listen()
            client = isp.socket(family)
            client.connect(server.getsockname())
            server.close(), client.close()


def test_a_failed_command_says_what_it_said():
    with Net() as net:
        with pytest.raises(Failed, match="alone: ip link show nowhere: status 1\nDevice"):
            net.host("alone").run(["ip", "link", "show", "nowhere"])


def test_each_host_has_its_own_files():
    with Net() as net:
        a = net.host("a", files={"/etc/resolv.conf": "nameserver 192.0.2.53\n"})
        b = net.host("b")
        assert a.run(["cat", "/etc/resolv.conf"]).stdout == "nameserver 192.0.2.53\n"
        assert b.run(["cat", "/etc/resolv.conf"]).stdout != "nameserver 192.0.2.53\n"


def test_nothing_outlives_a_killed_run():
    source = ("from tests.harness.net import Net\n"
              "net = Net()\n"
              "a, b = net.host('a'), net.host('b')\n"
              "net.link(a, 'eth0', b, 'eth0')\n"
              "p = a.popen(['sleep', '1000'])\n"
              # Until it is what it was started as, nothing has asked for the signal yet.
              "while open(f'/proc/{p.pid}/comm').read() != 'sleep\\n': pass\n"
              "print(a.pid, b.pid, p.pid, flush=True)\n"
              "input()\n")
    run = subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)
    pids = run.stdout.readline().split()
    assert len(pids) == 3
    run.send_signal(signal.SIGKILL)
    run.communicate()
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(_alive(pid) for pid in pids)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
