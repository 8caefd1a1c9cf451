# SPDX-License-Identifier: GPL-2.0-or-later
"""Floods at the LAN port, crashes of its stack, and everybody who never logs in: the session under
way goes on, the memory stays under its cap, forwarding does not notice."""
import os
import re
import signal
import socket
import subprocess

import pytest

from tests.harness.console import ADDRESS, BUILD, Console
from tests.harness.net import Net
from tests.netns.gate import until

FLOOD = BUILD / "netns" / "frameflood"
FRAMES, PER_SECOND = 60_000, 30_000
CAP_KB = 32 * 1024


class Session:
    """An SSH session that repeats every line."""

    def __init__(self, console):
        self.process = console.laptop.popen(console.ssh_command("cat"), stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                            text=True)
        self.count = 0
        self.turn()

    def turn(self):
        self.count += 1
        self.process.stdin.write(f"line {self.count}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"line {self.count}\n"

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def console():
    """The port at a switch, with the laptop and a mob; the box also forwards from west to east."""
    with Net() as net, Console(net) as one:
        switch, mob = net.switch("wire"), net.host("mob")
        west, east = net.host("west"), net.host("east")
        net.link(mob, "eth0", switch)
        for side, prefix in ((west, "10.1.0"), (east, "10.2.0")):
            net.link(side, "eth0", one.box, side.name)
            side.addr("eth0", f"{prefix}.2/24")
            one.box.addr(side.name, f"{prefix}.1/24")
            side.route("default", via=f"{prefix}.1")
        one.box.forward()
        one.plug(net.host("laptop"), to=switch)
        one.mob, one.west = mob, west
        one.wait_log("DHCP: serving")
        yield one


def port_mac(console):
    out = console.box.run(["nsenter", f"--net={console.folder}/netns", "ip", "-br", "link", "show",
                           "lan0"]).stdout
    return re.search(r"([0-9a-f]{2}(?::[0-9a-f]{2}){5})", out).group(1)


def flood(console, kind):
    return console.mob.popen([FLOOD, "eth0", kind, port_mac(console), ADDRESS, str(FRAMES),
                              str(PER_SECOND)], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kind", ["syn", "ack", "arp", "fragment", "dhcp", "ping"])
def test_a_flood_ends_no_session_and_fills_no_memory(console, kind):
    before = console.stack()
    session = Session(console)
    rude = flood(console, kind)
    ping = console.west.popen(["ping", "-q", "-i", "0.01", "-c", "150", "10.2.0.2"],
                              stdout=subprocess.PIPE, text=True)
    turns = 0
    while rude.poll() is None:
        session.turn()
        turns += 1
    assert int(rude.stdout.read()) > FRAMES / 2
    assert turns > 10
    assert " 0% packet loss" in ping.communicate(timeout=60)[0]
    assert console.stack() == before, console.log()
    assert int(console.stack_status("VmHWM").split()[0]) < CAP_KB
    assert int(console.stack_status("VmData").split()[0]) < CAP_KB
    session.close()
    # And whoever comes now is served.
    assert console.ssh("echo there").stdout == "there\n"


def test_all_floods_at_one_time(console):
    before = console.stack()
    session = Session(console)
    rude = [flood(console, kind) for kind in ("syn", "arp", "fragment", "dhcp", "ping", "ack")]
    while any(process.poll() is None for process in rude):
        session.turn()
    session.close()
    assert console.stack() == before, console.log()
    assert int(console.stack_status("VmHWM").split()[0]) < CAP_KB
    assert console.ssh("echo there").stdout == "there\n"


def connect(host, address=ADDRESS):
    s = host.socket(timeout=30)
    s.connect((address, 22))
    return s


def test_connections_that_never_log_in_keep_nobody_out(console):
    console.mob.addr("eth0", "192.168.77.66/24")
    session = Session(console)
    # Far more than there are places; each waits for its greeting, so each was served.
    idle = []
    for _ in range(20):
        s = connect(console.mob)
        assert s.recv(100).startswith(b"SSH-2.0-")
        idle.append(s)
        session.turn()
    assert console.ssh("echo there").stdout == "there\n"
    session.turn()
    session.close()
    for s in idle:
        s.close()


def test_who_is_logged_in_keeps_the_place(console):
    sessions = [Session(console) for _ in range(8)]
    done = console.ssh("echo there", check=False)
    assert done.returncode == 255
    for session in sessions:
        session.turn()
        session.close()
    until(lambda: console.ssh("echo there", check=False).stdout == "there\n", 60)
    assert "turned away, 8 are logged in" in console.log()


def test_a_client_that_reads_nothing_holds_up_only_itself(console):
    lazy = console.laptop.popen(console.ssh_command("cat /dev/zero"), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
    lazy.stdout.read(1)  # it runs, and its pipe is full soon
    session = Session(console)
    for _ in range(50):
        session.turn()
    session.close()
    assert int(console.stack_status("VmHWM").split()[0]) < CAP_KB
    lazy.kill()


def test_a_crash_ends_what_goes_through_it_and_no_more(console):
    """An assertion in lwIP ends it by SIGABRT."""
    session = Session(console)
    before = console.stack()
    ready = console.log().count(" ready:")
    console.crash_stack(signal.SIGABRT)
    console.wait_log(" ready:", count=ready + 1)
    assert console.stack() != before
    assert "the stack ended on signal 6" in console.log()
    session.process.kill()
    assert console.ssh("echo there").stdout == "there\n"
    # Nothing is left of the sessions that were cut.
    until(lambda: len(children(console.process.pid)) == 1, 60)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
        return text.read().split()


def test_a_crash_again_and_again_is_survived(console):
    for _ in range(5):
        ready = console.log().count(" ready:")
        console.crash_stack(signal.SIGKILL)
        console.wait_log(" ready:", count=ready + 1)
    assert console.ssh("echo there").stdout == "there\n"


def test_a_session_outlives_a_cable_that_is_pulled(console):
    session = Session(console)
    out = console.log().count("the cable is out")
    switch_end = [host for host in console.net.hosts if host.name == "wire"][0]
    ports = re.findall(r"(port\d+)@", switch_end.ip("link"))
    port = [p for p in ports if peer_is_the_console(console, switch_end, p)][0]
    switch_end.ip("link", "set", port, "down")
    console.wait_log("the cable is out", count=out + 1)
    switch_end.ip("link", "set", port, "up")
    console.wait_log("the cable is plugged in", count=out + 2)
    session.turn()
    session.close()


def peer_is_the_console(console, switch, port):
    index = switch.sysfs(f"{port}/iflink")
    out = console.box.run(["nsenter", f"--net={console.folder}/netns", "ip", "link", "show",
                           "lan0"]).stdout
    return out.startswith(f"{index}: ")


def test_a_keeper_that_is_killed_leaves_the_port_to_the_next(console):
    console.process.kill()
    console.process.wait()
    console.start()
    assert console.ssh("echo there").stdout == "there\n"
    assert os.path.exists(console.folder / "netns")


def test_nothing_but_port_22_answers(console):
    for port in (1, 21, 23, 53, 80, 443, 2222, 65535):
        s = console.laptop.socket(timeout=0.3)
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            s.connect((ADDRESS, port))
        s.close()
    s = console.laptop.socket(kind=socket.SOCK_DGRAM, timeout=0.3)
    for port in (53, 123, 161):
        s.sendto(b"hello", (ADDRESS, port))
    with pytest.raises((TimeoutError, ConnectionRefusedError)):
        s.recv(100)
    s.close()
