# SPDX-License-Identifier: GPL-2.0-or-later
"""The LAN port of a whole box: a laptop plugged into it, and SSH from outside where that is allowed.

One boot for all; the tests run in order and share it.
"""
import os
import shutil
import subprocess
import sys

import pexpect
import pytest

from tests.demo.world import tap
from tests.harness.net import Net
from tests.harness.qemu import ROOT, Machine, TapFd, User
from tests.netns.gate import until

LAN, WAN, OUTSIDE = "192.168.77.1", "198.51.100.2", "198.51.100.1"

DMZ = User("203.0.113.0/26", "203.0.113.62", restrict=True)

# Every route and address gone, nobody allowed anything.
NOTHING = """configure
delete interfaces wan
delete interfaces dmz
commit
"""
ALLOW = f"""configure
set interfaces wan device eth0
set interfaces wan address {WAN}/30
set groups colleague {OUTSIDE}/32
set system ssh allow colleague
commit
"""


@pytest.fixture(scope="module")
def box(image, tmp_path_factory):
    """The box, with .laptop and .outside at its LAN and WAN ports, and .key to log in with."""
    folder = tmp_path_factory.mktemp("console")
    with Net() as net:
        laptop, outside = net.host("laptop"), net.host("outside")
        taps = {"lan": tap(laptop, "eth0"), "wan": tap(outside, "eth0")}
        for host in (laptop, outside):
            host.up("eth0")
        outside.addr("eth0", f"{OUTSIDE}/30")
        nics = {role: TapFd(fd) for role, fd in taps.items()}
        with Machine(image("qemu-x86_64"), folder, {**nics, "dmz": DMZ}) as machine:
            machine.wait_login()
            machine.wait_ready()
            machine.laptop, machine.outside = laptop, outside
            machine.key = folder / "id"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", machine.key],
                           check=True)
            yield machine
        for fd in taps.values():
            os.close(fd)


def ssh_command(host, *words, options=()):
    return ["ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", *options, f"admin@{host}",
            *words]


def by_key(box, host, *words):
    return ssh_command(host, *words, options=["-o", "BatchMode=yes", "-i", str(box.key), "-o",
                                              "IdentitiesOnly=yes"])


def by_password(box, words, password, answer):
    """What the box answers to a laptop that logs in with a password."""
    command = box.laptop.command(ssh_command(
        LAN, *words, options=["-o", "PreferredAuthentications=password", "-o",
                              "NumberOfPasswordPrompts=1"]))
    p = pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=90, dimensions=(24, 80))
    try:
        p.expect("password: ")
        p.sendline(password)
        p.expect(answer)
        return p.match.group(0)
    finally:
        p.close(force=True)


def test_a_laptop_gets_an_address_and_no_router(box):
    got = box.laptop.run(["busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "20", "-T",
                          "1", "-s", "/bin/echo"], timeout=120)
    assert "192.168.77.2" in got.stdout + got.stderr
    box.laptop.addr("eth0", "192.168.77.2/24")
    assert " 0% packet loss" in box.laptop.run(["ping", "-c", "3", LAN]).stdout


def test_the_first_password_opens_the_command_line_over_ssh(box):
    assert by_password(box, [], box.first_password, "admin@gatepost> ")
    assert "ermission denied" in by_password(box, [], "wrong-password", ".ermission denied")
    for event in ("Password auth succeeded for 'admin'", "Bad password attempt for 'admin'"):
        assert event in box.must("cat /var/log/console/current")
    # It has served: none is shown again.
    box.must("test -e /config/admin/.logged-in")


def test_scripts_get_answers_and_exit_statuses(box):
    with open(f"{box.key}.pub", encoding="ascii") as public:
        box.must("gatepost -c 'configure; set system user admin role admin; "
                 "set system user admin key \""
                 f"{public.read().strip()}\"; commit'", timeout=60)
    shown = box.laptop.run(by_key(box, LAN, "show version"), timeout=90)
    assert "qemu-x86_64" in shown.stdout
    assert box.laptop.run(by_key(box, LAN, "show nonsense"), check=False,
                          timeout=90).returncode == 2


def test_the_ports_address_is_changed_from_the_command_line(box):
    box.laptop.addr("eth0", "10.9.8.2/30")
    for address in ("10.9.8.1", LAN):
        length = "30" if address != LAN else "24"
        box.must(f"gatepost request lan-port address {address}/{length}")
        until(lambda a=address: "qemu" in box.laptop.run(
            by_key(box, a, "show version"), check=False, timeout=90).stdout, 120)


def test_nothing_of_the_console_is_where_the_site_is(box):
    assert "eth2" not in box.must("/usr/bin/ip -br link")
    assert LAN not in box.must("/usr/bin/ip addr")
    assert box.must("/usr/bin/ip -n lan -4 addr show dev eth2") == ""
    lines = box.must("ps -o user,args").splitlines()
    assert [line for line in lines if "gp-console" in line and "--stack" in line]


def test_no_configuration_locks_the_laptop_out(box):
    box.must(f"gatepost <<'END'\n{NOTHING}END\n", timeout=60)
    box.must("/usr/bin/ip addr flush dev eth0; /usr/bin/ip route flush table all; "
             "/usr/bin/ip rule flush; sysctl -w net.ipv4.ip_forward=0 "
             "net.ipv4.conf.all.rp_filter=1 net.ipv4.icmp_echo_ignore_all=1")
    assert "qemu-x86_64" in box.laptop.run(by_key(box, LAN, "show version"), timeout=90).stdout
    box.must("/usr/bin/ip rule add from all lookup local pref 0; "
             "/usr/bin/ip rule add from all lookup main pref 32766")


def test_a_dead_stack_is_back_and_so_is_a_dead_keeper(box):
    for name in ("--stack", "--port"):
        pid = box.must(f"ps -o pid,args | grep '[g]atepost-console.*{name}'").split()[0]
        box.must(f"kill -ABRT {pid}")
        until(lambda: "qemu" in box.laptop.run(
            by_key(box, LAN, "show version"), check=False, timeout=90).stdout, 120)


def test_ssh_from_outside_is_for_those_who_are_named_and_have_a_key(box):
    box.must(f"gatepost <<'END'\n{ALLOW}END\n", timeout=60)
    until(lambda: "qemu" in box.outside.run(by_key(box, WAN, "show version"), check=False,
                                            timeout=90).stdout, 120)
    refused = box.outside.run(ssh_command(WAN, options=["-o", "BatchMode=yes"]), check=False)
    assert "publickey" in refused.stderr and "password" not in refused.stderr
    # The port of the console answers nobody here.
    assert box.outside.run(["ping", "-c", "1", "-W", "2", LAN], check=False).returncode != 0
    box.must("gatepost -c 'configure; delete system ssh; commit'", timeout=60)
    until(lambda: box.sh("netstat -ltn | grep -q ':22 '")[0] != 0, 60)


def test_the_host_key_stays(box):
    before = box.must("md5sum /config/system/ssh-host-key")
    box.must("sv restart console && /usr/libexec/gatepost/host-key")
    assert box.must("md5sum /config/system/ssh-host-key") == before


# -- what an image may bring along -----------------------------------------------------------------


def built_with(image, folder, **options):
    """The image as `make image` builds it with these options; what takes long is taken from IMAGE."""
    new = folder / "image"
    shutil.copytree(image, new, ignore=shutil.ignore_patterns("rootfs.squashfs", "copyright"))
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                         "gatepost", "packages")
    bins = ROOT / "output" / "build" / "bin"
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, ROOT / "rootfs" / "assemble.py", "--cache", cache, "--unpacked",
         ROOT / "output" / "root" / "unpacked", "--board", ROOT / "board" / "qemu-x86_64",
         "--tree", folder / "tree", "--manifest", new / "manifest.txt", "--epoch", "1700000000",
         "--version", "test", *[word for path in sorted(bins.iterdir())
                                for word in ("--program", path)],
         *[word for path in (ROOT / "model").glob("*.yang") for word in ("--yang", path)], *given],
        capture_output=True, text=True, check=False)
    if done.returncode == 0:
        subprocess.run([ROOT / "rootfs" / "squash.sh", folder / "tree", new / "rootfs.squashfs",
                        "1700000000"], check=True, capture_output=True)
        shutil.rmtree(folder / "tree")
    return new, done.stderr


def test_a_key_and_a_password_of_the_image_are_the_first(image, tmp_path):
    (tmp_path / "password").write_text("correct-horse-battery\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"],
                   check=True)
    ours, said = built_with(image("qemu-x86_64"), tmp_path, **{
        "admin-key": tmp_path / "id.pub", "admin-password": tmp_path / "password"})
    assert said == ""
    with Net() as net:
        laptop = net.host("laptop")
        fd = tap(laptop, "eth0")
        laptop.up("eth0")
        laptop.addr("eth0", "192.168.77.2/24")
        (tmp_path / "disks").mkdir()
        with Machine(ours, tmp_path / "disks",
                     {"lan": TapFd(fd), "wan": User("10.0.2.0/24", "10.0.2.2"), "dmz": DMZ}) as box:
            box.key, box.laptop = tmp_path / "id", laptop
            assert box.wait_login() is None  # no password is made, none is shown
            box.wait_ready()
            shown = laptop.run(by_key(box, LAN, "show version"), timeout=90)
            assert "qemu-x86_64" in shown.stdout
            assert by_password(box, [], "correct-horse-battery", "admin@gatepost> ")
            assert "correct-horse" not in box.must("cat /config/system/* /etc/gatepost/*")
            # Keys of the configuration come in their place, and they come back with the last one.
            box.must("gatepost -c 'configure; set system user admin role admin; set system user "
                     f"admin key \"ssh-ed25519 {'A' * 68} b\"; commit'", timeout=60)
            assert laptop.run(by_key(box, LAN, "show version"), check=False,
                              timeout=90).returncode == 255
            box.must("gatepost -c 'configure; delete system user admin; commit'", timeout=60)
            laptop.run(by_key(box, LAN, "show version"), timeout=90)
        os.close(fd)


def test_a_key_or_password_that_cannot_be_one_stops_the_build(image, tmp_path):
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "password").write_text("short\n")
    for option, file, complaint in (
            ("admin-key", "key", "'-----BEGIN OPENSSH PRIVATE KEY-----' is not a public key"),
            ("admin-password", "password", "has 5 characters; a password has at least 8")):
        folder = tmp_path / option
        folder.mkdir()
        _, said = built_with(image("qemu-x86_64"), folder, **{option: tmp_path / file})
        assert complaint in said
