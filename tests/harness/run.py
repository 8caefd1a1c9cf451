#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""run.py IMAGE FOLDER: boots a built image with its serial console in this terminal.

The disks stay in FOLDER. The ports are wired to QEMU's user-mode network, which needs no root:

    wan  10.0.2.0/24       the Internet of this machine behind 10.0.2.2
    dmz  203.0.113.0/26    nobody but QEMU, at 203.0.113.62
    lan  192.168.77.0/24  127.0.0.1:2222 leads to port 22 of 192.168.77.1
"""
import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.harness.qemu import Machine, User  # noqa: E402


def free_port(first):
    """FIRST when nobody listens there, else any free port."""
    for port in (first, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise SystemExit("no free local port")


def main():
    image, folder = sys.argv[1:]
    ssh = free_port(2222)
    box = Machine(image, folder, shell=False, nics={
        "wan": User("10.0.2.0/24", "10.0.2.2"),
        "dmz": User("203.0.113.0/26", "203.0.113.62", restrict=True),
        "lan": User("192.168.77.0/24", "192.168.77.254", [(ssh, "192.168.77.1", 22)]),
    })
    box.make_disks()
    print(f"""Booting {image}. Leave with Ctrl-A x (disks stay in {folder}).
  wan  10.0.2.0/24       give it 10.0.2.15/24 and gateway 10.0.2.2 to reach the Internet
  dmz  203.0.113.0/26    QEMU answers at 203.0.113.62
  lan  192.168.77.0/24   local port {ssh} leads to 192.168.77.1 port 22
""", flush=True)
    arguments = box.arguments() + ["-serial", "mon:stdio"]
    os.execvp(arguments[0], arguments)


if __name__ == "__main__":
    main()
