# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole relay loses its power while mail comes in; what got 250 is there afterwards.

Clients submit on several connections; every process is killed at a random moment; the spool is
then rebuilt to hold what a completed flush covers, and a chance part of the rest. In most tests the mail
waits, because nobody serves its recipients' domain, and the spool itself is looked at; in the last
one it is delivered meanwhile.
"""
import contextlib
import errno
import hashlib
import os
import random
import re
import smtplib
import socket
import subprocess
import threading
from collections import Counter

import pytest

from tests.harness.crash.disk import Cut, Disk, build_layer, read_log
from tests.harness.crash.spool import build_driver, read_spool
from tests.harness.dns import Dns
from tests.harness.relay import Relay, wait_for
from tests.harness.sink import Sink

# Whole relays; test_relay_spool_crash.py cuts the store's power at hundreds of moments more.
ROUNDS = 500 if os.environ.get("GATEPOST_SOAK") else 20
CLIENTS = 6
UNCONFIRMED_MAX = 256  # relay/queue/scheduler.h: what a failing box may deliver a second time


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    directory = tmp_path_factory.mktemp("crash")
    return build_layer(directory), build_driver(directory)


@pytest.fixture(scope="module")
def waits():
    """Config with a name server that never answers: no name is found, so all mail waits."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        yield {"name-server": ["127.0.0.1"], "lab": {"dns-port": s.getsockname()[1]}}


def message_id(text):
    return re.search(r"Message-ID: (<.*?>)", text).group(1)


class Client(threading.Thread):
    """Submits until the connection breaks; notes the bytes that got 250, and those without answer."""

    def __init__(self, port, rng):
        super().__init__()
        self.port, self.rng = port, rng
        self.kept, self.tried = [], []
        self.kept_ids = []  # of the kept ones: the Message-IDs

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
                    self.kept_ids.append(message_id(text))


def submit_until_killed(relay, rng):
    clients = [Client(relay.port("smtp"), random.Random(rng.random())) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    aim = rng.randint(1, 60)
    wait_for(f"{aim} messages", lambda: sum(len(c.kept) for c in clients) >= aim)
    relay.kill()
    for client in clients:
        client.join()
    return clients


def relay_on_disk(tmp_path, layer, log, config, **disk):
    """A relay whose spool is under the layer."""
    env = {f"DISK_{name.upper()}": str(value) for name, value in disk.items()}
    relay = Relay(tmp_path, preload=layer, **config,
                  env={**env, "DISK_DIR": str(tmp_path / "spool"), "DISK_LOG": str(log),
                       "ASAN_OPTIONS": "verify_asan_link_order=0"})
    relay.keeps_spool = True
    return relay


def one_life(tmp_path, tools, config, rng, round_number, lie=""):
    """One start, one power cut; the clients that saw it."""
    log = tmp_path / f"disk-{round_number}.log"
    spool = tmp_path / "spool"
    spool.mkdir(exist_ok=True)
    disk = Disk(rng, spool)
    with relay_on_disk(tmp_path, tools[0], log, config, lie=lie) as relay:
        clients = submit_until_killed(relay, rng)
    for record in read_log(log):
        disk.feed(*record)
    log.unlink()
    disk.write_to(spool, Cut.SOME if round_number % 2 else Cut.NONE)
    return clients


def test_what_got_250_survives_power_cuts(tmp_path, tools, waits):
    rng = random.Random(250)
    kept, tried = set(), set()
    for round_number in range(ROUNDS):
        for client in one_life(tmp_path, tools, waits, rng, round_number):
            kept.update(client.kept)
            tried.update(client.tried)
        # Read in a copy: the relay itself shall be the first to recover this one.
        found = read_spool(tools[1], tmp_path / "spool", tmp_path / f"copy-{round_number}")
        assert found.damaged == 0
        assert kept <= set(found.digests), f"round {round_number}: got 250 and is lost"
        assert set(found.digests) <= tried
        assert len(found.digests) == len(set(found.digests)), "one message is there twice"
    # A batch that was cut short is no damage, and no alarm.
    log = (tmp_path / "relay.log").read_text()
    assert "the journal" not in log and "set aside:" not in log


def test_a_relay_without_its_syncs_is_caught(tmp_path, tools, waits):
    clients = one_life(tmp_path, tools, waits, random.Random(1), 0, lie="body state dir")
    kept = {digest for client in clients for digest in client.kept}
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
        tmp_path, tools, waits, fault):
    log, spool = tmp_path / "disk.log", tmp_path / "spool"
    spool.mkdir()
    disk = Disk(random.Random(1), spool)
    # Every operation fails while there is a file named "fault".
    with relay_on_disk(tmp_path, tools[0], log, waits, fault=f"1:{fault}:{10**9}",
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


def test_what_got_250_arrives_over_power_cuts(tmp_path, tools):
    """Mail is delivered while it comes in, and the power goes. Each message arrives whole, for each
    recipient; how often one comes twice is bounded."""
    rng = random.Random(4)
    kept = []
    with Dns({"b.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}) as dns, Sink() as sink:
        config = {"name-server": [dns.address],
                  "lab": {"smtp-port": sink.port, "dns-port": dns.port},
                  "retry": {"first": 1, "longest": 2, "expire": 600}}
        lives = ROUNDS // 4
        for round_number in range(lives):
            for client in one_life(tmp_path, tools, config, rng, round_number):
                kept += client.kept_ids
        with Relay(tmp_path, **config) as relay:
            wait_for("an empty queue", lambda: relay.control("queue")["messages"] == 0)
        arrived = Counter((message_id(m.header.decode()), recipient)
                          for m in sink.messages for recipient in m.recipients)
        missing = [m for m in kept for r in ("b@b.example", "c@b.example") if (m, r) not in arrived]
        assert not missing, f"{len(missing)} of {len(kept)} got 250 and did not arrive"
        again = sum(arrived.values()) - len(arrived)
        print(f"{len(kept)} messages kept, {lives} power cuts, {again} delivered twice")
        assert again <= lives * 2 * UNCONFIRMED_MAX
        for m in sink.messages:
            assert re.fullmatch(rb"([0-9a-f]{64}\r\n)+", m.body)


@contextlib.contextmanager
def small_disk(path, size):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", path],
                   check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def eat_all_space(path):
    with open(path, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(bytes(4096))


def fill_and_empty(relay, dns, sink, spool, events, body):
    def send(number):
        with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as smtp:
            smtp.sendmail("a@acme.example", ["b@b.example"],
                          f"From: a@acme.example\r\nSubject: {number}\r\n\r\n{body}\r\n")

    kept = 0
    with pytest.raises(smtplib.SMTPDataError) as refused:
        for kept in range(1000):
            send(kept)
    assert refused.value.smtp_code == 452
    free = os.statvfs(spool).f_bavail * os.statvfs(spool).f_frsize
    assert kept > 50 and free >= 4 << 20
    assert (spool / "reserve").stat().st_blocks * 512 >= 4 << 20

    eat_all_space(events / "alien")
    assert os.statvfs(spool).f_bavail == 0
    dns.set("b.example", "@ MX 10 mx\nmx A 127.0.0.1\n")
    wait_for("an empty queue", lambda: relay.control("queue")["messages"] == 0)
    assert len(sink.messages) == kept
    assert "reserve of 4 MiB is given up" in relay.log()
    (events / "alien").unlink()

    def comes_in():
        try:
            send(kept)
            return True
        except smtplib.SMTPDataError as later:
            assert later.smtp_code == 452  # space is looked at again in a moment
            return False
    wait_for("mail to come in again", comes_in)
    wait_for("the last message", lambda: len(sink.messages) == kept + 1)
    assert (spool / "reserve").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk: root only")
def test_a_full_disk_is_told_ahead_and_the_queue_still_empties(tmp_path):
    """452 comes while there is still a reserve; when others - here, beside the event store - eat even
    what is free beside that, what is in the queue leaves all the same, and the mail comes in again
    afterwards. Spool and events share one disk, as on the box."""
    disk = tmp_path / "disk"
    spool, events = disk / "spool", disk / "events"
    relay = Relay(tmp_path)
    relay.config["directory"].update(spool=str(spool), events=str(events))
    body = "\r\n".join(["x" * 70] * 4000)
    with Dns({"acme.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}, root=False) as dns, \
            Sink() as sink, small_disk(disk, "56m"):
        relay.config.update({"name-server": [dns.address],
                             "lab": {"smtp-port": sink.port, "dns-port": dns.port},
                             "retry": {"first": 1, "longest": 1, "expire": 600}})
        spool.mkdir()
        events.mkdir()
        with relay:
            fill_and_empty(relay, dns, sink, spool, events, body)
