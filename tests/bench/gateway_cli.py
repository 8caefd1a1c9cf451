# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a Tab takes with 10,000 servers in the config, at a pty, gatepostd behind it.

`make bench-gateway` takes complete() into its table; alone: python3 -m tests.bench.gateway_cli
"""
import json
import os
import pty
import select
import statistics
import subprocess
import tempfile
import time

from tests.netns.gate import SITE, Gate

SERVERS = 10000
ROUNDS = 7

# What is typed, the key, and what the screen says when it is done: in the config and outside it.
PRESSES = [
    (">", "show flows server s987", "\t", b"s9879 "),
    (">", "show configuration servers s1234 al", "\t", b"allow "),
    ("#", "set servers s1234", "\t", b"s1234 "),
    ("#", "set servers ", "\t", b"more"),
    ("#", "delete servers s5678 a", "\t", b"allow "),
    ("#", "set servers s77 allow http from s432", "\t", b"s4329 "),
]


def config(servers=SERVERS):
    many = "".join(f"    s{i} {{\n        address 10.{i >> 8}.{i & 255}.1;\n        allow http {{\n"
                   "            tcp 80,443;\n            from any;\n        }\n    }\n"
                   for i in range(servers))
    wide = SITE.replace("address 203.0.113.1/26;", "address [ 203.0.113.1/26 10.255.255.1/8 ];")
    return wide.replace("servers {\n", "servers {\n" + many)


class Screen:
    def __init__(self, gate):
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(gate.command(), stdin=theirs, stdout=theirs, stderr=theirs,
                                        env=dict(os.environ, TERM="dumb"), start_new_session=True)
        os.close(theirs)

    def until(self, text, seconds=60):
        seen, end = b"", time.monotonic() + seconds
        while text not in seen:
            ready, _, _ = select.select([self.ours], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise RuntimeError(f"waited for {text!r}; the screen says {seen[-500:]!r}")
            seen += os.read(self.ours, 65536)
        return seen

    def send(self, text):
        os.write(self.ours, text.encode())

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


def press(screen, line, key, done):
    """Seconds from the key to what it leads to."""
    screen.send(line)
    time.sleep(0.2)
    while select.select([screen.ours], [], [], 0.2)[0]:
        os.read(screen.ours, 65536)
    start = time.perf_counter()
    screen.send(key)
    screen.until(done)
    took = time.perf_counter() - start
    time.sleep(0.2)
    screen.send("\x15")  # Ctrl-U
    time.sleep(0.1)
    while select.select([screen.ours], [], [], 0.2)[0]:
        os.read(screen.ours, 65536)
    return took


def complete():
    """{"cli_complete_ms": the slowest kind of press by its median, "cli_complete_worst_ms",
    "cli_complete": {line: median}}."""
    with tempfile.TemporaryDirectory() as folder, Gate(folder, config=config()) as gate:
        screen = Screen(gate)
        try:
            screen.until(b"> ")
            times, mode = {}, ">"
            for want, line, key, done in PRESSES:
                if want != mode:
                    screen.send("configure\r")
                    screen.until(b"# ")
                    mode = want
                times[line] = [press(screen, line, key, done) * 1000 for _ in range(ROUNDS)]
        finally:
            screen.close()
    medians = {line: round(statistics.median(t), 1) for line, t in times.items()}
    return {"cli_complete_ms": max(medians.values()),
            "cli_complete_worst_ms": round(max(max(t) for t in times.values()), 1),
            "cli_complete": medians}


if __name__ == "__main__":
    print(json.dumps(complete(), indent=2))
