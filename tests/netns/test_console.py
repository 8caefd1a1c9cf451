# SPDX-License-Identifier: GPL-2.0-or-later
"""The LAN port with real clients: DHCP, ping, ARP, OpenSSH."""
import os
import re
import signal

import pexpect
import pytest

from tests.harness.console import ADDRESS, PASSWORD, Console
from tests.harness.net import Net
from tests.netns.gate import until

# What udhcpc calls with what it was given.
LEASE = """#!/bin/sh
[ "$1" = bound ] && echo "lease $ip mask $subnet router ${router:-none} dns ${dns:-none} $serverid"
exit 0
"""


@pytest.fixture
def console():
    with Net() as net, Console(net) as one:
        yield one


@pytest.fixture(scope="module")
def plugged():
    """A laptop at the port, for tests that leave everything as it was."""
    with Net() as net, Console(net) as one:
        one.plug(net.host("laptop"))
        yield one


def ask_for_lease(console, *options, tries=20):
    script = console.folder / "lease"
    script.write_text(LEASE)
    script.chmod(0o755)
    return console.laptop.run(["busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t",
                               str(tries), "-T", "1", "-s", script, *options], check=False,
                              timeout=120).stdout


def serve_dhcp(console, host):
    """Another DHCP server, at 10.0.0.1."""
    folder = console.folder
    (folder / "udhcpd.conf").write_text(
        f"start 10.0.0.50\nend 10.0.0.60\ninterface eth0\nlease_file {folder}/leases\n"
        f"pidfile {folder}/udhcpd.pid\n")
    host.popen(["busybox", "udhcpd", "-f", folder / "udhcpd.conf"])
    until((folder / "udhcpd.pid").exists)


# -- DHCP ------------------------------------------------------------------------------------------


def test_a_laptop_gets_the_address_and_neither_router_nor_resolver(plugged):
    assert "lease 192.168.77.2 mask 255.255.255.0 router none dns none 192.168.77.1" in \
        ask_for_lease(plugged)


def test_it_is_silent_beside_another_dhcp_server(console):
    net = console.net
    switch, other = net.switch("wire"), net.host("other")
    net.link(other, "eth0", switch)
    other.addr("eth0", "10.0.0.1/24")
    serve_dhcp(console, other)
    console.plug(net.host("laptop"), to=switch, address=None)
    console.wait_log("10.0.0.1 answers here; silent")
    assert "lease 10.0.0." in ask_for_lease(console)


def test_a_server_that_comes_later_silences_it_too(console):
    net = console.net
    switch, other = net.switch("wire"), net.host("other")
    net.link(other, "eth0", switch)
    other.addr("eth0", "10.0.0.1/24")
    console.plug(net.host("laptop"), to=switch, address=None)
    assert "lease 192.168.77.2" in ask_for_lease(console)
    serve_dhcp(console, other)
    ask_for_lease(console, "-B")  # whoever answers, answers everybody
    console.wait_log("10.0.0.1 answers here; silent")
    assert "lease 10.0.0." in ask_for_lease(console)


def test_switched_off_it_answers_nobody():
    with Net() as net, Console(net, settings="dhcp off\naddress 10.9.8.1/30\n") as console:
        console.plug(net.host("laptop"), address="10.9.8.2/30")
        assert "lease" not in ask_for_lease(console, tries=4)
        assert console.ssh("echo there", host="10.9.8.1").stdout == "there\n"


def test_settings_that_cannot_be_used_are_named_and_cost_nothing_else():
    with Net() as net, Console(net, settings="address 10.9.8.0/30\ndhcp off\n") as console:
        console.plug(net.host("laptop"))
        assert console.ssh("echo there").stdout == "there\n"
        assert '"address 10.9.8.0/30": address takes' in console.log()
        console.settings.write_text("address 10.9.8.1/30\n")
        console.process.send_signal(signal.SIGHUP)
        console.wait_log("ready: SSH at 10.9.8.1/30, DHCP on")
        console.laptop.addr("eth0", "10.9.8.2/30")
        assert console.ssh("echo there", host="10.9.8.1").stdout == "there\n"


# -- neighbours ------------------------------------------------------------------------------------


def test_it_answers_arp_and_ping_for_its_own_address_only(plugged):
    laptop = plugged.laptop
    assert "bytes from" in laptop.run(["arping", "-c", "2", "-i", "eth0", ADDRESS]).stdout
    for address in ("192.168.77.3", "192.168.77.255", "198.51.100.2"):
        assert laptop.run(["arping", "-c", "2", "-w", "1", "-i", "eth0", address],
                          check=False).returncode != 0
    assert " 0% packet loss" in laptop.run(["ping", "-c", "3", "-i", "0.2", ADDRESS]).stdout


def test_ssh_over_ipv6_link_local(plugged):
    # The address that follows from the port's MAC (RFC 4291, appendix A).
    shown = plugged.box.run(["nsenter", f"--net={plugged.folder}/netns", "ip", "-br", "link", "show",
                           "lan0"]).stdout
    mac = [int(part, 16) for part in re.search(r"([0-9a-f]{2}(:[0-9a-f]{2}){5})", shown)
           .group(1).split(":")]
    host = (f"fe80::{mac[0] ^ 2:x}{mac[1]:02x}:{mac[2]:x}ff:fe{mac[3]:02x}:"
            f"{mac[4]:x}{mac[5]:02x}%eth0")
    until(lambda: plugged.ssh("echo there", host=host, check=False).stdout == "there\n")


# -- SSH -------------------------------------------------------------------------------------------


def test_commands_input_output_and_status_go_through(plugged):
    done = plugged.ssh("cat; echo out; echo err >&2; exit 7", check=False,
                       input="line one\nline two\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "line one\nline two\nout\n", "err\n")


def test_a_megabyte_each_way_arrives_whole(plugged):
    # A peer on the same machine leaves segments uncut and checksums open (PACKET_AUXDATA).
    text = "".join(f"{i:09d}\n" for i in range(400_000))
    assert plugged.ssh("cat", input=text).stdout == text


def test_a_session_on_a_terminal(plugged):
    command = plugged.laptop.command(plugged.ssh_command(options=["-tt"]))
    p = pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=30, dimensions=(24, 80))
    try:
        p.expect(r"\$ ")
        p.sendline("stty size; tty")
        p.expect("24 80\r\n/dev/pts/")
        p.sendline("exit 3")
        p.expect(pexpect.EOF)
    finally:
        p.close(force=True)
    assert p.exitstatus == 3


def log_in_by_password(console, user, password, answer):
    command = console.laptop.command(
        ["ssh", "-F", "none", "-o", "PreferredAuthentications=password", "-o",
         "NumberOfPasswordPrompts=1", "-o", "StrictHostKeyChecking=no", "-o",
         "UserKnownHostsFile=/dev/null", f"{user}@{ADDRESS}", "echo in"])
    p = pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=60)
    try:
        p.expect("password: ")
        p.sendline(password)
        p.expect(answer)
    finally:
        p.close(force=True)


def test_admin_logs_in_by_password_and_root_never(plugged):
    log_in_by_password(plugged, "admin", PASSWORD, "in\r\n")
    log_in_by_password(plugged, "admin", "wrong", "ermission denied")
    log_in_by_password(plugged, "root", PASSWORD, "ermission denied")


def test_no_way_leads_on_through_the_ssh_server(plugged):
    # Port forwarding in either direction is refused.
    done = plugged.ssh("echo in", check=False,
                       options=["-o", "ExitOnForwardFailure=yes", "-R", "2222:127.0.0.1:22"])
    assert done.returncode != 0 and "forwarding failed" in done.stderr
    done = plugged.ssh(check=False, options=["-W", "127.0.0.1:22"])
    assert done.returncode != 0 and "forwarding failed" in done.stderr


def test_the_process_that_reads_frames_may_do_nothing_else(plugged):
    assert plugged.stack_status("CapEff") == "0000000000000000"
    assert plugged.stack_status("NoNewPrivs") == "1"
    assert plugged.stack_status("Uid").split()[0] == "64901"
    if not os.environ.get("SANITIZE"):
        assert plugged.stack_status("Seccomp") == "2"
    assert os.readlink(f"/proc/{plugged.stack()}/root") == str(plugged.folder / "empty")
    assert os.listdir(plugged.folder / "empty") == []


def test_lwip_without_our_random_numbers_is_not_run(console):
    """The same program, but that it no longer exports one name or the other: the library then uses
    its own."""
    whole = console.program.read_bytes()
    for name in (b"rand", b"tcp_next_iss"):
        crippled = console.folder / f"without-{name.decode()}"
        assert whole.count(b"\0" + name + b"\0") >= 1
        crippled.write_bytes(whole.replace(b"\0" + name + b"\0", b"\0" + name[:-1] + b"X\0"))
        crippled.chmod(0o755)
        console.program = crippled
        if not console.laptop:
            console.laptop = console.net.host("laptop")
            console.net.link(console.box, "lan0", console.laptop, "eth0")
            console.net.settle()
        with pytest.raises(AssertionError):
            console.start()
        assert "refusing to run: lwIP" in console.log()
        assert f"{name.decode()} is not overridden" in console.log()
        assert console.process.wait(20) == 1
