# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line on the box itself: without gatepostd, with the site's programs, to a reset.

One boot for the tests of this file, in order; the last one ends it and starts the box again.
"""
import io
import re
import tarfile
import time

import pytest

from tests.harness.qemu import Machine, User


@pytest.fixture(scope="module")
def box(image, tmp_path_factory):
    nics = {"wan": User("198.51.100.0/24", "198.51.100.1"),
            "dmz": User("203.0.113.0/26", "203.0.113.62", restrict=True)}
    with Machine(image("qemu-x86_64"), tmp_path_factory.mktemp("cli"), nics) as machine:
        machine.wait_login()
        machine.wait_ready()
        machine.must("gatepost -c 'configure; set interfaces wan address 198.51.100.2/24; "
                     "set system host-name gw1; commit'")
        yield machine


def at_console(box, line, pattern, timeout=60):
    """Types a line as admin; what was printed up to the pattern."""
    start = len(box.console.text)
    box.console.send(line + "\r")
    end = box.expect(pattern, timeout).end()
    return box.console.text[start:end]


def seen(box, command, timeout=90):
    """Waits until the command succeeds on the box; its output."""
    deadline = time.monotonic() + timeout
    while True:
        status, out = box.sh(command, timeout=60)
        if status == 0:
            return out
        assert time.monotonic() < deadline, f"{command}: {out}"
        time.sleep(0.3)


def test_programs_that_look_at_the_site_are_on_the_box(box):
    assert "198.51.100.1" in box.must("gatepost ping 198.51.100.1 count 1", timeout=60)
    status, out = box.sh("(sleep 1; ping -c 3 198.51.100.1 >/dev/null) & "
                         "gatepost capture interface wan protocol icmp count 2", timeout=90)
    assert status == 0 and "198.51.100.1" in out, out
    assert "198.51.100.1" in box.must("gatepost traceroute 198.51.100.1", timeout=90)
    assert re.search(r"^disk config +(ok|made)", box.must("gatepost show boot"), re.M)


def test_support_archive_from_the_box(box):
    archive = bytes.fromhex("".join(
        box.must("gatepost request support - | xxd -p", timeout=90).split()))
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        files = {m.name.split("/")[1]: tar.extractfile(m).read().decode() for m in tar.getmembers()}
    assert "answering at" in files["log-gatepostd.txt"] and "ready" in files["log-relay.txt"] or \
        "log-relay.txt" in files
    assert "host-name gw1;" in files["config.txt"]
    assert not [name for name, text in files.items() if "$6$" in text or "$y$" in text]


def test_gatepostd_that_crashes_at_every_start_leaves_the_store_in_hand(box):
    assert box.login(box.first_password)
    # From now on the program that runit starts is another one, which ends at once.
    box.must("mount --bind /usr/bin/busybox /usr/sbin/gatepostd; sv restart gatepostd || true")
    seen(box, "! gatepost -c 'show routes'")
    at_console(box, "", r"\(offline\)> ")
    shown = at_console(box, "show alarms | no-more", r"\(offline\)> ")
    assert "gatepostd is down" in shown
    assert "applet not found" in at_console(box, "show log gatepostd limit 5", r"\(offline\)> ")
    at_console(box, "configure", r"\(offline\)# ")
    at_console(box, "set system host-name gw2", r"\(offline\)# ")
    assert "revision 3 is stored" in at_console(box, "commit", r"\(offline\)# ")
    at_console(box, "rollback 2", r"\(offline\)# ")
    assert "revision 4 is stored" in at_console(box, "commit", r"\(offline\)# ")
    at_console(box, "exit", r"\(offline\)> ")
    box.must("umount /usr/sbin/gatepostd")
    at_console(box, "request service restart gatepostd", r"> ")
    seen(box, "gatepost -c 'show routes'")  # which needs gatepostd
    assert "host-name gw1;" in box.must("gatepost -c 'show configuration system'")
    assert "4" in box.must("gatepost -c 'show revisions | match \"in force\"'").split()[0]
    at_console(box, "", r"admin@gw1> ")
    box.console.send("exit\r")


def test_factory_reset_takes_the_configuration_and_the_password_away(box):
    box.must("touch /config/left-over")
    first = box.first_password
    box.shell.line.send("gatepost request factory-reset confirmed\n")
    box.process.wait(90)  # it reboots, which ends this QEMU
    box.stop()
    box.start()
    assert box.wait_login() and box.first_password != first
    box.wait_for_line("factory reset: the configuration", 10)
    box.wait_ready()
    assert box.must("ls -A /config | grep -c -e left-over -e factory-reset || true").strip() == "0"
    rows = box.must("gatepost -c 'show revisions'").splitlines()
    assert len(rows) == 2 and "found at start" in rows[1]
    assert not box.login(first) and box.login(box.first_password)
