#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a waiting mail costs in memory: anonymous + shared memory of each process, a message.

    /usr/bin/python3 -m tests.bench.queue_memory [MESSAGES [DOMAINS]]

All mail is of one account, paused, one recipient each; without DOMAINS, a domain for each.
"""
import re
import socket
import sys
import tempfile
from pathlib import Path

from tests.harness.relay import Relay, account, wait_for

BURST = 50


def memory_kb(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    shared = re.search(r"^Pss_Shmem: +(\d+) kB", text, re.M)
    return int(re.search(r"^Anonymous: +(\d+) kB", text, re.M)[1]) + int(shared[1])


def usage(relay):
    return {f"{p['role']}{p['index'] or ''}": memory_kb(p["pid"])
            for p in relay.control("status")["processes"]}


def submit(relay, count, domains):
    """Pipelined, a burst at a time: the one who waits here is the script."""
    with socket.create_connection(("127.0.0.1", relay.port("smtp"))) as s, \
            s.makefile("rb") as replies:
        def replied():
            while True:
                line = replies.readline()
                if line[3:4] != b"-":
                    return line
        replied()
        s.sendall(b"EHLO bench.example\r\n")
        replied()
        for first in range(0, count, BURST):
            for i in range(first, min(first + BURST, count)):
                s.sendall(f"MAIL FROM:<user{i % 50}@acme.example>\r\n"
                          f"RCPT TO:<someone.{i}@d{i % domains}.example>\r\nDATA\r\n".encode())
                assert [replied()[:1] for _ in range(3)] == [b"2", b"2", b"3"]
                s.sendall(f"From: user{i % 50}@acme.example\r\nSubject: your order {i}\r\n"
                          f"Message-ID: <{i}.2026@acme.example>\r\n\r\nHello\r\n.\r\n".encode())
                assert replied()[:3] == b"250"


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    domains = int(sys.argv[2]) if len(sys.argv) > 2 else count
    with tempfile.TemporaryDirectory() as folder, \
            Relay(folder, accounts=[account()]) as relay:
        relay.control("pause", account="acme")
        before = usage(relay)
        submit(relay, count, domains)
        wait_for("all of it", lambda: relay.control("queue")["paused"] == count)
        after = usage(relay)
        for role, kb in after.items():
            print(f"{role:10} {kb / 1024:7.1f} MB, {(kb - before[role]) * 1024 / count:6.0f} "
                  "bytes a message")
        print(f"together   {sum(before.values()) / 1024:7.1f} MB idle, "
              f"{sum(after.values()) / 1024:.1f} MB with {count} messages")


if __name__ == "__main__":
    main()
