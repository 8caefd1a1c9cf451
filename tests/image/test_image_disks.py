# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad days for the data disks: blank, foreign, damaged, gone; and the power that goes."""
import os
import re
import subprocess

from tests.harness.qemu import Machine, size_bytes

SIZE = size_bytes("64M")


def boot(image, folder, **how):
    box = Machine(image("qemu-x86_64"), folder, **how).start()
    box.wait_login()
    return box


def make_ext4(path, label, *options):
    with open(path, "wb") as disk:
        disk.truncate(SIZE)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", label, *options, path], check=True)


def debugfs(path, command):
    subprocess.run(["debugfs", "-w", "-R", command, path], check=True, capture_output=True)


def test_foreign_is_left_alone_damaged_is_mended_or_remade(image, tmp_path):
    # spool: somebody else's file system. events: ours, with a feature that no e2fsck knows.
    # config: ours, with a block bitmap and an inode table that do not fit together.
    foreign = b"XFSB" + os.urandom(1 << 20)
    (tmp_path / "spool.img").write_bytes(foreign + bytes(SIZE - len(foreign)))

    make_ext4(tmp_path / "events.img", "gp-events")
    debugfs(tmp_path / "events.img", "set_super_value feature_incompat 0x7fffffff")

    source = tmp_path / "files"
    source.mkdir()
    (source / "kept").write_text("still here\n")
    make_ext4(tmp_path / "config.img", "gp-config", "-d", str(source))
    debugfs(tmp_path / "config.img", "freei <12>")
    debugfs(tmp_path / "config.img", "set_super_value state 2")

    box = boot(image, tmp_path)
    try:
        assert re.search(r"spool: /dev/vdc holds something that is not ours", box.console.text)
        assert "refused" in box.must("cat /run/gatepost/disks/spool")
        assert "/var/spool/gatepost" not in box.must("cat /proc/mounts")
        assert re.search(r"events: /dev/vdd could not be mended; making a new", box.console.text)
        assert box.must("cat /run/gatepost/disks/events") == "made\n"
        assert box.must("cat /run/gatepost/disks/config") == "ok\n"
        assert box.must("cat /config/kept") == "still here\n"
        # No relay where accepted mail could not be kept.
        assert "gatepost-relay" not in box.must("ps")
        assert "the spool disk is refused" in box.must(
            "for i in $(seq 50); do grep spool /var/log/relay/current && exit; usleep 200000; done")
    finally:
        box.stop()
    assert (tmp_path / "spool.img").read_bytes()[:len(foreign)] == foreign


def test_a_lost_disk_is_made_anew_and_said_so(image, tmp_path):
    box = boot(image, tmp_path)
    try:
        box.must("echo 1 >/var/spool/gatepost/kept; echo 1 >/var/lib/gatepost/gone; sync")
        box.power_off()
        (tmp_path / "events.img").unlink()  # a new, blank disk in its place
        box = boot(image, tmp_path)
        assert "events: /dev/vdd is blank; making a file system" in box.console.text
        assert box.must("cat /run/gatepost/disks/events") == "made\n"
        assert box.must("cat /run/gatepost/disks/spool") == "ok\n"
        box.must("test -e /var/spool/gatepost/kept && ! test -e /var/lib/gatepost/gone")
    finally:
        box.stop()


def test_without_its_config_disk_the_box_still_comes_up(image, tmp_path):
    box = boot(image, tmp_path, without=("config",))
    try:
        assert "no disk with label gp-config, and none at" in box.console.text
        assert box.must("cat /run/gatepost/disks/spool /run/gatepost/disks/events") == "made\nmade\n"
        assert "running on the factory configuration" in box.console.text
        assert "absent" in box.must("cat /run/gatepost/disks/config")
        box.must("test -s /config/gatepost.conf")
        assert box.login(box.first_password)
    finally:
        box.stop()


def test_a_power_cut_keeps_exactly_what_was_flushed(image, tmp_path):
    # Past the page cache, so that it is on QEMU's disk when the power goes, but without a flush.
    unflushed = "yes new | head -c 4096 | dd of=b bs=4096 count=1 conv=notrunc oflag=direct"
    box = boot(image, tmp_path, log_writes=("spool",))
    try:
        box.must("cd /var/spool/gatepost && echo flushed >a && "
                 f"yes old | head -c 4096 >b && sync && {unflushed}")
        box.power_cut()
        kept, lost = box.forget_unflushed("spool")
        assert kept > 0 and lost > 0
        box = boot(image, tmp_path)
        assert box.must("cat /var/spool/gatepost/a") == "flushed\n"
        assert box.must("head -1 /var/spool/gatepost/b") == "old\n"
    finally:
        box.stop()


def test_the_clock_is_never_behind_the_image(image, tmp_path):
    box = boot(image, tmp_path, extra_args=("-rtc", "base=2001-02-03T04:05:06"))
    try:
        build_time = int(box.must(". /etc/gatepost/release; echo $BUILD_TIME"))
        assert int(box.must("date +%s")) >= build_time
        assert "the clock was behind" in box.console.text
    finally:
        box.stop()
