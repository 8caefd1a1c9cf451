# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole relay loses its power while mail comes in; what got 250 is there afterwards.

Clients submit on several connections; every process is killed at a random moment; the spool is
then rebuilt to hold what a completed flush covers, and a chance part of the rest. The mail waits:
nobody serves its recipients' domain.
"""
import contextlib
import errno
import hashlib
import os
import random
import smtplib
import socket
import threading

import pytest

from tests.harness.crash.disk import Cut, Disk, build_layer, read_log
from tests.harness.crash.spool import build_driver, read_spool
from tests.harness.relay import Relay, wait_for

ROUNDS = 100 if os.environ.get("GATEPOST_SOAK") else 20
CLIENTS = 6


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    directory = tmp_path_factory.mktemp("crash")
    return build_layer(directory), build_driver(directory)


@pytest.fixture(scope="module")
def silent_port():
    """A UDP port that never answers: no name is found, so all mail waits."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


class Client(threading.Thread):
    """Submits until the connection breaks; notes the bytes that got 250, and those without answer."""

    def __init__(self, port, rng):
        super().__init__()
        self.port, self.rng = port, rng
        self.kept, self.tried = [], []

    def message(self):
        lines = [f"{self.rng.getrandbits(256):064x}" for _ in range(self.rng.randint(1, 700))]
        return ("From: a@acme.example\r\nTo: b@b.example\r\nSubject: power\r\n"
                f"Message-ID: <{self.rng.getrandbits(64)}@acme.example>\r\n"
                "Date: Mon, 23 Nov 2026 18:00:00 +0000\r\n\r\n" + "\r\n".join(lines) + "\r\n")

    def run(self):
        with contextlib.suppress(smtplib.SMTPServerDisconnected, OSError):
            smtp = smtplib.SMTP("127.0.0.1", self.port)
            while True:
                text = self.message()
                digest = hashlib.sha256(text.encode()).hexdigest()
                self.tried.append(digest)
                try:
                    smtp.sendmail("a@acme.example", ["b@b.example", "c@b.example"], text)
                except smtplib.SMTPResponseException as e:
                    assert 400 <= e.smtp_code < 500, e
                else:
                    self.kept.append(digest)


def submit_until_killed(relay, rng):
    clients = [Client(relay.port("smtp"), random.Random(rng.random())) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    aim = rng.randint(1, 60)
    wait_for(f"{aim} messages", lambda: sum(len(c.kept) for c in clients) >= aim)
    relay.kill()
    for client in clients:
        client.join()
    return {d for c in clients for d in c.kept}, {d for c in clients for d in c.tried}


def relay_on_disk(tmp_path, layer, log, silent_port, **disk):
    """A relay whose spool is under the layer."""
    env = {f"DISK_{name.upper()}": str(value) for name, value in disk.items()}
    return Relay(tmp_path, preload=layer, **{"name-server": ["127.0.0.1"]},
                 lab={"dns-port": silent_port},
                 env={**env, "DISK_DIR": str(tmp_path / "spool"), "DISK_LOG": str(log),
                      "ASAN_OPTIONS": "verify_asan_link_order=0"})


def one_life(tmp_path, tools, silent_port, rng, round_number, lie=""):
    """One start, one power cut. Gives what got 250, and what may be there besides."""
    layer, _ = tools
    log = tmp_path / f"disk-{round_number}.log"
    spool = tmp_path / "spool"
    spool.mkdir(exist_ok=True)
    disk = Disk(rng, spool)
    with relay_on_disk(tmp_path, layer, log, silent_port, lie=lie) as relay:
        kept, tried = submit_until_killed(relay, rng)
    for record in read_log(log):
        disk.feed(*record)
    disk.write_to(spool, Cut.SOME if round_number % 2 else Cut.NONE)
    return kept, tried


def test_what_got_250_survives_power_cuts(tmp_path, tools, silent_port):
    rng = random.Random(250)
    kept, tried = set(), set()
    for round_number in range(ROUNDS):
        more_kept, more_tried = one_life(tmp_path, tools, silent_port, rng, round_number)
        kept |= more_kept
        tried |= more_tried
        # Read in a copy: the relay itself shall be the first to recover this one.
        found = read_spool(tools[1], tmp_path / "spool", tmp_path / f"copy-{round_number}")
        assert found.damaged == 0
        assert kept <= set(found.digests), f"round {round_number}: got 250 and is lost"
        assert set(found.digests) <= tried
        assert len(found.digests) == len(set(found.digests)), "one message is there twice"


def test_a_relay_without_its_syncs_is_caught(tmp_path, tools, silent_port):
    kept, _ = one_life(tmp_path, tools, silent_port, random.Random(1), 0, lie="body state dir")
    assert kept
    found = read_spool(tools[1], tmp_path / "spool", tmp_path / "copy")
    assert not kept <= set(found.digests)


def answers(client, count):
    """What a client is told for so many messages: (digest, code)."""
    smtp = smtplib.SMTP("127.0.0.1", client.port)
    for _ in range(count):
        text = client.message()
        digest = hashlib.sha256(text.encode()).hexdigest()
        try:
            smtp.sendmail("a@acme.example", ["b@b.example"], text)
            yield digest, 250
        except smtplib.SMTPResponseException as e:
            yield digest, e.smtp_code
    smtp.close()


@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_a_disk_that_fails_gets_every_sender_a_4xx_until_it_works_again(
        tmp_path, tools, silent_port, fault):
    log, spool = tmp_path / "disk.log", tmp_path / "spool"
    spool.mkdir()
    disk = Disk(random.Random(1), spool)
    # Every operation fails while there is a file named "fault".
    with relay_on_disk(tmp_path, tools[0], log, silent_port, fault=f"1:{fault}:{10**9}",
                       fault_file="fault") as relay:
        client = Client(relay.port("smtp"), random.Random(2))
        kept = {digest for digest, code in answers(client, 5) if code == 250}
        assert len(kept) == 5
        (spool / "fault").touch()
        refused = dict(answers(client, 8))
        assert set(refused.values()) == {452 if fault == errno.ENOSPC else 451}
        (spool / "fault").unlink()
        kept |= {digest for digest, code in answers(client, 5) if code == 250}
        assert len(kept) == 10
        relay.kill()
        for record in read_log(log):
            disk.feed(*record)
        disk.write_to(spool, Cut.NONE)
        found = read_spool(tools[1], spool, tmp_path / "copy")
        assert kept == set(found.digests) and found.damaged == 0
