# SPDX-License-Identifier: GPL-2.0-or-later
"""The clock: a box that starts years behind, until a time server answers."""
import contextlib
import os
import socket
import struct
import threading
import time

import pytest

from tests.demo.world import hang_up, tap
from tests.harness.net import Net
from tests.harness.qemu import Machine, TapFd, User

SERVER, BOX = "198.51.100.1", "198.51.100.2"
AHEAD = 100 * 86400  # of this machine, so that no other clock can be what the box has
SINCE_1900 = 2208988800
CONFIG = f"""configure
set interfaces wan address {BOX}/30
set relay host-name relay.example.net
set system ntp {SERVER}
commit
exit
exit
"""


def serve_time(s):
    """Answers RFC 5905 requests as a server of stratum 1 does."""
    def stamp():
        now = time.time() + AHEAD + SINCE_1900
        return struct.pack("!II", int(now), int(now % 1 * 2 ** 32))

    with contextlib.suppress(OSError):
        while True:
            request, peer = s.recvfrom(512)
            if not peer:
                return
            received = stamp()
            head = struct.pack("!BBbbII4s", 0x24, 1, 6, -20, 0, 0, b"TEST")
            s.sendto(head + received + request[40:48] + received + stamp(), peer)


def seen(box, command, timeout=60):
    """Waits until the command succeeds on the box; its output."""
    deadline = time.monotonic() + timeout
    while True:
        status, out = box.sh(command)
        if status == 0:
            return out
        assert time.monotonic() < deadline, f"{command}: {out}"
        time.sleep(0.5)


@pytest.fixture
def outside():
    """The host at the box's WAN port, and the tap that leads there."""
    with Net() as net:
        host = net.host("outside")
        fd = tap(host, "wan")
        host.up("wan")
        host.addr("wan", f"{SERVER}/30")
        yield host, fd
        os.close(fd)


def test_mail_waits_until_a_time_server_has_set_the_clock(image, tmp_path, outside):
    host, fd = outside
    nics = {"wan": TapFd(fd), "dmz": User("203.0.113.0/26", "203.0.113.62", restrict=True)}
    with Machine(image("qemu-x86_64"), tmp_path, nics,
                 extra_args=["-rtc", "base=2020-01-01"]) as box:
        box.wait_ready()
        assert "the clock was behind" in box.console.text
        assert "chronyd" not in box.must("ps")
        box.must(f"gatepost <<'END'\n{CONFIG}END\n", timeout=60)
        seen(box, "ps | grep -q '[c]hronyd'")
        seen(box, "gatepost -c 'show relay queue' | grep 'clock-right: no'")
        assert float(box.must("date +%s")) < time.time() + AHEAD / 2
        seen(box, "grep 'held: no time server has set the clock yet' /var/log/relay/current")

        s = host.socket(socket.AF_INET, socket.SOCK_DGRAM, timeout=None)
        s.bind((SERVER, 123))
        threading.Thread(target=serve_time, args=(s,), daemon=True).start()
        try:
            # chronyd asks again by itself, but a minute or more after nobody answered.
            box.must("chronyc online && chronyc burst 4/8")
            seen(box, "gatepost -c 'show relay queue' | grep 'clock-right: yes'", timeout=90)
            assert abs(float(box.must("date +%s")) - time.time() - AHEAD) < 3600
        finally:
            hang_up(s)
        # Without time servers nothing leads the clock any more.
        box.must("gatepost <<'END'\nconfigure\ndelete system ntp\ncommit\nexit\nexit\nEND\n",
                 timeout=60)
        seen(box, "! ps | grep -q '[c]hronyd'")
