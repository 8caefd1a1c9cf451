# SPDX-License-Identifier: GPL-2.0-or-later
"""Logins: how many a second of a client that logs in anew each time, and what those who log in
notice of an attacker who tries passwords from thousands of addresses."""
import contextlib
import crypt
import statistics
import struct
import time

from tests.bench.fill import Stand
from tests.bench.gatepost import sender
from tests.bench.letter import letter
from tests.bench.load import BenchError, Program

USER, PASSWORD = "anna@small.example", "correct horse"
RECIPIENT = "reader@sink.example"
LOGIN_ADDRESS, ATTACK_ADDRESS = "127.0.0.2", "127.8.0.1"
LOGIN_THREADS, ATTACK_THREADS, SUBMIT_THREADS = 16, 64, 8
COUNT, INTERVAL_US = 400, 50000
RUNS = 3


def account():
    hashed = crypt.crypt(PASSWORD, "$y$j9T$" + "benchbenchbench.")  # yescrypt, Debian's cost
    if not hashed or not hashed.startswith("$y$"):
        raise BenchError("this C library has no yescrypt")
    web = sender("small", "192.0.2.1/32", user=[{"name": USER, "password": hashed}])
    return [web]


class Client(Program):
    """auth.c in one of its modes."""

    def __init__(self, stand, mode, threads, address, *arguments, nice=0):
        port = stand.side.relay.port("submissions")
        super().__init__("auth", mode, port, USER, PASSWORD, threads, address, *arguments,
                         nice=nice)
        stand.sources.append(self)

    def per_s(self):
        count, seconds = map(float, self.wait().split())
        return count / seconds


def submission_p99_ms(bench, stand):
    """From the moment a message is due to its 250, with connection, TLS and login."""
    template = stand.folder / "submit.eml"
    template.write_bytes(letter(5000, USER, RECIPIENT))
    log = stand.folder / f"submit-{time.monotonic_ns()}"
    count = bench.few(COUNT, 40)
    Client(stand, "submit", SUBMIT_THREADS, LOGIN_ADDRESS, count, INTERVAL_US, template, USER,
           RECIPIENT, log, nice=-10).wait()
    taken = sorted((accepted - due) / 1e6
                   for _, _, due, _, accepted in struct.iter_unpack("=5Q", log.read_bytes()))
    if len(taken) != count:
        raise BenchError(f"{len(taken)} of {count} messages were accepted")
    return taken[int(count * 0.99)]


@contextlib.contextmanager
def attack(stand):
    """Wrong passwords, until the block ends; yields a list that then holds attempts a second."""
    rate = []
    client = Client(stand, "attack", ATTACK_THREADS, ATTACK_ADDRESS, 0, nice=10)
    time.sleep(2)
    yield rate
    if client.is_over():
        client.wait()
        raise BenchError("the attack ended by itself")
    client.process.terminate()
    rate.append(client.per_s())


def part_auth(bench):
    seconds, runs = bench.few(10, 2), bench.few(RUNS, 1)
    with Stand(bench, account=account()) as stand:
        for mode in ("tls", "login"):
            client = Client(stand, mode, LOGIN_THREADS, LOGIN_ADDRESS, seconds)
            bench.publish(**{"auth_per_s" if mode == "login" else "auth_tls_per_s":
                             client.per_s()})
        idle = [submission_p99_ms(bench, stand) for _ in range(runs)]
        with attack(stand) as rate:
            flooded = [submission_p99_ms(bench, stand) for _ in range(runs)]
    for name, values in (("idle", idle), ("flood", flooded)):
        bench.publish(**{f"auth_{name}_p99_ms": statistics.median(values)},
                      **{f"auth_{name}_p99_ms_run{i + 1}": v for i, v in enumerate(values)})
    bench.publish(auth_attempts_per_s=rate[0],
                  auth_flood_p99_ratio=statistics.median(flooded) / statistics.median(idle))
