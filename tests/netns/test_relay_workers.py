# SPDX-License-Identifier: GPL-2.0-or-later
"""Workers of an account's own come and go with the config, and mail is made all the while."""
import os
import signal
import smtplib

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account, wait_for
from tests.harness.sink import Sink


ZONES = {name: "@ MX 10 mx\nmx A 127.0.0.1\n" for name in ("b.example", "c.example")}


def workers(relay):
    return [p for p in relay.control("status")["processes"] if p["role"] == "work" and p["ready"]]


def send(relay, domain, count, text="hello\r\n", to="bob@b.example"):
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
        for i in range(count):
            sender = f"news@{domain}"
            client.sendmail(sender, [to],
                            f"From: {sender}\r\nTo: {to}\r\nSubject: {i}\r\n\r\n{text}")


def test_an_account_gets_workers_of_its_own_and_gives_them_back(tmp_path):
    big = account("big", senders=["*@big.example"], workers=2)
    small = account("small", senders=["*@small.example"])
    shared = os.cpu_count() + 1
    with Sink() as sink, Dns(ZONES) as dns, \
            Relay(tmp_path, [big, small], **{
                "name-server": [dns.address],
                "lab": {"smtp-port": sink.port, "dns-port": dns.port}}) as relay:
        assert len(workers(relay)) == shared + 2
        send(relay, "big.example", 5)
        send(relay, "small.example", 5)
        sink.wait(10)

        del big["workers"]
        relay.write_config()
        assert relay.control("reload")["ok"]
        wait_for("the account's workers to end", lambda: len(workers(relay)) == shared)
        send(relay, "big.example", 5)
        sink.wait(15)

        big["workers"] = 1
        relay.write_config()
        assert relay.control("reload")["ok"]
        wait_for("a worker to be there again", lambda: len(workers(relay)) == shared + 1)
        relay.kill_role("work", shared)
        send(relay, "big.example", 5)
        sink.wait(20)
        assert not sink.faults


def test_who_has_nothing_under_way_goes_past_a_flood(tmp_path):
    big = account("big", senders=["*@big.example"])
    small = account("small", senders=["*@small.example"])
    with Sink() as sink, Dns(ZONES) as dns, \
            Relay(tmp_path, [big, small], **{
                "name-server": [dns.address],
                "lab": {"smtp-port": sink.port, "dns-port": dns.port}}) as relay:
        crowd = [p["pid"] for p in workers(relay) if p["index"] > 0]
        assert len(crowd) == os.cpu_count()
        for pid in crowd:
            os.kill(pid, signal.SIGSTOP)
        send(relay, "big.example", 10, "much to say\r\n" * 10000)
        send(relay, "small.example", 1, to="bob@c.example")
        assert [m.sender for m in sink.wait(1)] == ["news@small.example"]
        for pid in crowd:
            os.kill(pid, signal.SIGCONT)
        sink.wait(11)
        assert not sink.faults


@pytest.mark.parametrize("counts", [(16, 16, 1)])
def test_more_workers_than_can_be_watched_are_refused(tmp_path, counts):
    accounts = [account(f"a{i}", senders=[f"*@a{i}.example"], workers=n)
                for i, n in enumerate(counts)]
    relay = Relay(tmp_path, accounts)
    relay.spawn()
    assert relay.process.wait(60) != 0
    assert "account/workers: 33 in all; accounts may have 32 of their own together" in relay.log()
    relay.short.cleanup()
