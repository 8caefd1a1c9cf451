# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits by provider: what its hosts have in common, what it asks for, what new addresses may."""

import datetime
import smtplib
import time

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account, wait_for
from tests.harness.sink import Close, Never, Sink, answer

ZONES = {
    "big.example": "mx1 A 127.0.0.1\nmx2 A 127.0.0.1\n",
    "b.example": "@ MX 10 mx1.big.example.\n",
    "c.example": "@ MX 10 mx2.big.example.\n",
    "d.example": "@ MX 10 mx1.big.example.\n@ MX 10 mx2.big.example.\n",
    "small.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
}
BIG = {"name": "big", "mx": ["big.example"]}


def today(room=datetime.timedelta(minutes=2)):
    """The day (UTC) in which a test has room to end: near midnight it waits for the next."""
    now = datetime.datetime.now(datetime.timezone.utc)
    while (now + room).date() != now.date():
        time.sleep(1)
        now = datetime.datetime.now(datetime.timezone.utc)
    return now.date()


@pytest.fixture(scope="module", name="dns")
def _dns():
    with Dns(ZONES) as server:
        yield server


def relay_to(tmp_path, dns, sink, first=3600, **config):
    return Relay(tmp_path, **{
        "name-server": [dns.address],
        "lab": {"smtp-port": sink.port, "dns-port": dns.port},
        "retry": {"first": first, "longest": 3600, "expire": 86400},
        "accounts": [account(), account("beta", senders=["*@beta.example"])],
        **config,
    })


def send(relay, recipient, count=1, sender="joe@acme.example"):
    text = f"From: {sender}\r\nSubject: s\r\n\r\nHello\r\n"
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
        for _ in range(count):
            client.sendmail(sender, [recipient], text)


class Gauge:
    """A script that notes how many transactions are under way at one time."""

    def __init__(self):
        self.active, self.most = set(), 0

    def __call__(self, session, verb, argument):
        if verb == "MAIL":
            self.active.add(session.number)
            self.most = max(self.most, len(self.active))
        elif verb == ".":
            time.sleep(0.05)
            self.active.discard(session.number)


def left(relay, count):
    """What the sink has is off the queue a moment later."""
    wait_for(f"{count} messages left", lambda: relay.control("queue")["messages"] == count)


def provider(relay, name="big"):
    found = [p for p in relay.control("queue")["providers"] if p["provider"] == name]
    return found[0] if found else None


def test_all_domains_of_a_provider_share_its_connections(tmp_path, dns):
    gauge = Gauge()
    with Sink(script=gauge) as sink, \
            relay_to(tmp_path, dns, sink, provider=[{**BIG, "connections": 2}]) as relay:
        for domain in ("b.example", "c.example", "d.example"):
            send(relay, f"x@{domain}", count=12)
        got = sink.wait(36)
        assert gauge.most == 2
        assert {m.recipients[0] for m in got} == {"x@b.example", "x@c.example", "x@d.example"}


class Stuck:
    """A script that never confirms a sender's messages, once that is wanted."""

    def __init__(self, sender):
        self.sender, self.wanted, self.sessions = sender, False, set()

    def __call__(self, session, verb, argument):
        if verb == "." and self.wanted and session.sender == self.sender:
            self.sessions.add(session.number)
            return Never()
        return None


def test_the_last_connection_is_not_for_who_has_most(tmp_path, dns):
    stuck = Stuck("joe@acme.example")
    with Sink(script=stuck) as sink, \
            relay_to(tmp_path, dns, sink, provider=[{**BIG, "connections": 8}]) as relay:
        send(relay, "x@b.example", count=30) # until it may have all eight
        sink.wait(30)
        stuck.wanted = True
        send(relay, "x@b.example", count=20)
        wait_for("seven to be stuck", lambda: len(stuck.sessions) == 7)
        send(relay, "x@b.example", count=3, sender="joe@beta.example")
        got = sink.wait(33)
        assert [m.sender for m in got[30:]] == ["joe@beta.example"] * 3
        assert len(stuck.sessions) == 7


def test_a_connection_carries_so_many_messages(tmp_path, dns):
    rules = {**BIG, "messages-per-connection": 3, "connections": 1}
    with Sink() as sink, relay_to(tmp_path, dns, sink, provider=[rules]) as relay:
        send(relay, "x@b.example", count=10)
        carried = {}
        for message in sink.wait(10):
            carried[message.session] = carried.get(message.session, 0) + 1
        assert max(carried.values()) <= 3


def test_a_rate_holds_back_the_provider_and_nobody_else(tmp_path, dns):
    with Sink() as sink, \
            relay_to(tmp_path, dns, sink, provider=[{**BIG, "rate": "1/hour"}]) as relay:
        send(relay, "x@b.example", count=2)
        send(relay, "x@c.example", count=2)
        sink.wait(1)
        send(relay, "x@small.example", count=5)
        got = sink.wait(6)
        assert len([m for m in got if m.recipients == ["x@small.example"]]) == 5
        left(relay, 3)
        # Nobody has failed: nothing is deferred, all wait for their turn.
        assert not [e for e in relay.events() if e["event"] == "deferred"]


def test_a_421_stops_the_provider_for_a_while_and_not_its_mail(tmp_path, dns):
    busy = answer("CONNECT", Close(b"421 4.7.0 too much from you\r\n"), times=1)
    with Sink(script=busy) as sink, \
            relay_to(tmp_path, dns, sink, provider=[{**BIG, "connections": 1}]) as relay:
        send(relay, "x@b.example", count=3)
        found = wait_for("a back-off", lambda: (p := provider(relay)) and p["back-off-s"] and p)
        assert "421 4.7.0 too much from you" in found["reason"]
        send(relay, "x@c.example")
        send(relay, "x@small.example")
        # Somebody else's mail goes; the provider's waits, not tried and not deferred.
        assert [m.recipients for m in sink.wait(1)] == [["x@small.example"]]
        left(relay, 4)
        assert not [e for e in relay.events() if e["event"] == "deferred"]
        relay.control("retry", destination="b.example")
        assert len(sink.wait(5)) == 5
        assert provider(relay)["back-off-s"] == 0


def test_new_addresses_send_what_their_day_allows(tmp_path, dns):
    first = today()
    pool = {"name": "new", "source": ["127.0.0.2", "127.0.0.3"],
            "ramp-up": {"begin": str(first), "per-day": [3, 1000]}}
    with Sink() as sink, \
            relay_to(tmp_path, dns, sink, pool=[pool], provider=[BIG]) as relay:
        send(relay, "x@b.example", count=5)
        send(relay, "x@c.example", count=5)
        sink.wait(6)
        # Another provider has not seen these addresses today.
        send(relay, "x@small.example", count=2)
        got = sink.wait(8)
        by_source = {}
        for message in got:
            if message.recipients != ["x@small.example"]:
                by_source[message.peer[0]] = by_source.get(message.peer[0], 0) + 1
        assert by_source == {"127.0.0.2": 3, "127.0.0.3": 3}
        assert provider(relay)["used-up"] is True
        left(relay, 4)
        # The day after the first.
        pool["ramp-up"]["begin"] = str(first - datetime.timedelta(days=1))
        relay.reload()
        sink.wait(12)
