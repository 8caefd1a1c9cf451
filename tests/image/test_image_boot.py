# SPDX-License-Identifier: GPL-2.0-or-later
"""Each board boots to a login, and what a booted box promises before it is configured.

One boot per board for most of it; the tests of a file run in order and share that boot.
"""
import re
import time

import pytest

from tests.harness.qemu import ROOT, Machine, User

BOARDS = sorted(path.name for path in (ROOT / "board").iterdir())
MACS = {"eth0": "52:54:00:67:70:01", "eth1": "52:54:00:67:70:02", "eth2": "52:54:00:67:70:03"}


def nics():
    return {"wan": User("10.0.2.0/24", "10.0.2.2"),
            "dmz": User("203.0.113.0/26", "203.0.113.62", restrict=True),
            "lan": User("192.168.77.0/24", "192.168.77.254", restrict=True)}


@pytest.fixture(scope="module", params=BOARDS)
def box(request, image, tmp_path_factory):
    with Machine(image(request.param), tmp_path_factory.mktemp(request.param), nics()) as machine:
        machine.wait_login()
        machine.wait_ready()
        yield machine


def test_it_boots_to_a_login_and_says_when_the_services_stand(box):
    timing = box.timing()
    print(f"{box.board.image.name}: {timing}")
    assert 0 < timing["init"] < timing["services"] < timing["ready"]


def test_the_first_password_logs_in_and_nothing_else_does(box):
    assert re.fullmatch(r"([a-km-z2-9]{4}-){3}[a-km-z2-9]{4}", box.first_password)
    assert not box.login("admin")
    assert not box.login("", user="root")
    assert box.login(box.first_password)


def test_only_hashes_are_kept_and_only_admin_has_one(box):
    fields = [line.split(":") for line in box.must("cat /etc/shadow").splitlines()]
    assert {name for name, password, *_ in fields if not password.startswith("!")} == {"admin"}
    kept = box.must("find /config -type f | xargs cat")
    assert "$6$" in kept
    assert box.first_password not in kept


def test_the_root_is_read_only_and_etc_forgets(box):
    assert "/dev/root / squashfs ro," in box.must("cat /proc/mounts")
    status, said = box.sh("touch /usr/bin/new")
    assert status != 0 and "Read-only" in said
    box.must("touch /etc/new && rm /etc/new")
    assert "etc /etc overlay rw" in box.must("cat /proc/mounts")


def test_nothing_that_can_be_written_can_be_run(box):
    for line in box.must("cat /proc/mounts").splitlines():
        _, where, kind, options, *_ = line.split()
        if "rw" in options.split(",") and kind not in ("overlay", "nsfs"):
            assert {"noexec", "nosuid"} <= set(options.split(",")), line


def test_each_data_disk_is_mounted_where_the_layout_says(box):
    mounts = {line.split()[1]: line.split() for line in box.must("cat /proc/mounts").splitlines()}
    layout = [line.split() for line in (box.board.image / "layout").read_text().splitlines()
              if line and not line.startswith("#")]
    assert len(layout) == 3
    for role, _, slot, where, _ in layout:
        device = box.must(f"ls -d /sys/bus/pci/devices/{slot}").strip().rpartition("/")[2]
        assert mounts[where][0] == f"/dev/{device}" and mounts[where][2] == "ext4"
        assert box.must(f"cat /run/gatepost/disks/{role}") == "made\n"
        assert {"nosuid", "nodev", "noexec"} <= set(mounts[where][3].split(","))


def test_the_ports_have_the_names_that_the_board_gives_them(box):
    # The LAN port is in a namespace of its own.
    for name, mac in MACS.items():
        where = "-n lan" if name == "eth2" else ""
        assert mac in box.must(f"/usr/bin/ip {where} -br link show {name}")
    assert set(box.must("ls /sys/class/net").split()) - {"bonding_masters"} == \
        {*MACS, "lo"} - {"eth2"}


def test_nobody_listens_on_the_network_with_the_factory_configuration(box):
    sockets = box.must("netstat -ltun | grep -E '^(tcp|udp)' || true")
    reachable = [line for line in sockets.splitlines()
                 if not re.search(r"\s(127\.0\.0\.1|::1):\d+\s", line)]
    assert reachable == []


def test_a_killed_service_is_back(box):
    for service in box.must("ls /etc/service").split():
        if service in ("ready", "console-shell"):
            continue
        before = box.must(f"sv status {service}")
        pid = re.search(r"run: \S+ \(pid (\d+)\)", before)
        if not pid:
            assert "without" in box.must(f"cat /var/log/{service}/current"), before
            continue
        box.must(f"kill -9 {pid.group(1)}")
        deadline = time.monotonic() + 20
        while True:
            after = re.search(r"run: \S+ \(pid (\d+)\)", box.must(f"sv status {service}"))
            if after and after.group(1) != pid.group(1):
                break
            assert time.monotonic() < deadline, f"{service} stayed away"
            time.sleep(0.2)


def test_a_login_waits_on_both_consoles(box):
    processes = box.must("ps")
    assert re.search(r"getty .*\btty0\b", processes)
    assert re.search(r"getty .*\bttyS0\b|session|gatepost", processes)


def test_the_logs_of_every_service_are_bounded_and_not_rooted_in_a_disk(box):
    for service in box.must("cd /etc/service && ls -d */log | cut -d/ -f1").split():
        assert box.must(f"cat /var/log/{service}/config") == "s200000\nn5\n"
    assert "tmpfs" in box.must("df -T /var/log 2>/dev/null || df /var/log && cat /proc/mounts")


def test_it_runs_the_kernel_that_was_asked_for(box):
    # tinyconfig's choices, and a door that has to stay shut for the LAN port.
    config = (box.board.image / "kernel.config").read_text()
    assert "CONFIG_SLUB=y" in config and "CONFIG_NETFILTER_EGRESS=y" not in config
    assert "-gatepost" in box.must("uname -r")
    assert box.must("ls /proc/modules 2>/dev/null || echo none") == "none\n"


def test_the_trust_anchor_of_the_dns_is_where_the_relay_looks(box):
    assert " DS " in box.must("cat /usr/share/dns/root.ds").replace("\t", " ")


def test_nft_and_conntrack_read_the_kernel(box):
    box.must("nft list ruleset")
    box.must("conntrack -L 2>/dev/null || test $? -eq 0")


def test_after_the_first_login_no_password_is_shown_and_no_second_shell_opens(image, tmp_path):
    with Machine(image("qemu-x86_64"), tmp_path, nics()) as box:
        password = box.wait_login()
        assert box.login(password)
        box.must("sync")
        box.power_off()
    with Machine(image("qemu-x86_64"), tmp_path, nics(), shell=False) as box:
        assert box.wait_login() is None
        box.shell.line.send("echo alive-$((40+2))\n")
        assert not box.login("wrong")
        assert box.login(password)
        assert "alive-42" not in box.shell.line.text


def test_until_the_first_login_each_boot_shows_a_new_password(image, tmp_path):
    seen = []
    for _ in range(2):
        with Machine(image("qemu-x86_64"), tmp_path, nics()) as box:
            seen.append(box.wait_login())
            box.power_cut()
    assert None not in seen and seen[0] != seen[1]
