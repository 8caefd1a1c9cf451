# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad days: hostile peers, dead hosts, processes that die. Nobody else waits, nothing is lost."""

import random
import smtplib
import threading

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account, wait_for
from tests.harness.sink import (Close, Deaf, Endless, Garbage, Never, Sink, Slow, answer, close_at,
                                multiline_421)

# Both hosts listen at the one port that the relay goes to: .1 behaves, .9 does not.
ZONES = {
    "good.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "bad.example": "@ MX 10 mx\nmx A 127.0.0.9\n",
    "two.example": "@ MX 10 first\n@ MX 20 second\nfirst A 127.0.0.9\nsecond A 127.0.0.1\n",
    "acme.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
}
QUICK = {"first": 1, "longest": 1, "expire": 60}


@pytest.fixture(scope="module")
def dns():
    with Dns(ZONES) as server:
        yield server


def bad_sink(good, **kwargs):
    """A sink at the same port as the good one, at the bad host's address."""
    return Sink(address="127.0.0.9", port=good.port, host="bad.example", **kwargs)


def relay_to(tmp_path, dns, sink, retry=None, **config):
    return Relay(tmp_path, **{
        "name-server": [dns.address],
        "lab": {"smtp-port": sink.port, "dns-port": dns.port},
        "retry": retry or QUICK,
        **config,
    })


def send(relay, recipients, count=1, sender="joe@acme.example", body="Hello\r\n"):
    text = f"From: {sender}\r\nSubject: x\r\n\r\n{body}"
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
        for _ in range(count):
            client.sendmail(sender, recipients, text)


def empty(relay):
    return wait_for("an empty queue", lambda: relay.control("queue")["messages"] == 0)


HOSTILE = {
    "silent from the first byte": answer("CONNECT", Never()),
    "greets byte by byte": answer("CONNECT", Slow("220 hello", 3)),
    "an endless greeting": answer("CONNECT", Endless("220-more")),
    "a greeting without an end": answer("CONNECT", Endless(b"x" * 4096)),
    "no answer to EHLO": answer("EHLO", Never()),
    "an endless EHLO reply": answer("EHLO", Endless("250-EXTENSION")),
    "no TLS handshake": answer("TLS", Never()),
    "no answer to MAIL": answer("MAIL", Never()),
    "no answer to RCPT": answer("RCPT", Never()),
    "no answer to DATA": answer("DATA", Never()),
    "no answer to the message": answer(".", Never()),
    "replies byte by byte": answer("RCPT", Slow("250 ok", 3)),
    "reads no more behind DATA": answer("DATA", Deaf("354 go")),
}
LARGE = "0123456789\r\n" * 100000


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_peer_stalls_nobody_else(tmp_path, dns, how):
    with Sink() as good, bad_sink(good, script=HOSTILE[how]) as bad, \
            relay_to(tmp_path, dns, good) as relay:
        send(relay, ["x@bad.example"], count=30, body=LARGE if "DATA" in how else "Hello\r\n")
        assert bad.wait_for(lambda: len(bad.sessions) >= 1)
        send(relay, ["y@good.example"], count=30)
        assert len(good.wait(30)) == 30
        assert bad.messages == []


PASSING = {
    "hangs up at once": close_at("CONNECT", times=3),
    "resets at once": close_at("CONNECT", times=3, reset=True),
    "hangs up at EHLO": close_at("EHLO", times=3),
    "hangs up at STARTTLS": close_at("STARTTLS", times=3),
    "garbage for TLS": answer("TLS", Garbage()),
    "hangs up within TLS": answer("TLS", Close()),
    "hangs up at MAIL": close_at("MAIL", times=3),
    "hangs up at RCPT": close_at("RCPT", times=3, reset=True),
    "hangs up at DATA": close_at("DATA", times=3),
    "354 and a reset": answer("DATA", Close(b"354 go\r\n", reset=True), times=3),
    "421 in lines at the greeting": multiline_421("CONNECT", times=3),
    "421 in lines at EHLO": multiline_421("EHLO", times=3),
    "421 in lines at MAIL": multiline_421("MAIL", times=3),
    "421 in lines at the end": multiline_421(".", times=3),
    "8 KB of reply": answer("RCPT", "250 " + "x" * 8000),
    "NULs in a reply": answer("RCPT", b"250 a\0b\r\n"),
    "no reply at all to MAIL": answer("MAIL", "hello", times=1),
    "a refused EHLO": answer("EHLO", "502 5.5.1 what"),
    "5xx at the greeting": answer("CONNECT", "554 5.3.2 no mail here today", times=3),
}


@pytest.mark.parametrize("how", PASSING)
def test_what_passes_is_lived_through(tmp_path, dns, how):
    with Sink() as good, bad_sink(good, script=PASSING[how]) as bad, \
            relay_to(tmp_path, dns, good) as relay:
        send(relay, ["x@bad.example"], count=2)
        assert sorted(m.recipients for m in bad.wait(2)) == [["x@bad.example"]] * 2
        empty(relay)
        assert good.messages == [] and bad.faults == []


def test_a_large_message_arrives_as_it_was(tmp_path, dns):
    """REGRESSIONS: a dot at a buffer boundary hangs."""
    numbers = random.Random(5)
    body = "".join("." * numbers.randrange(4) + "x" * numbers.randrange(70) + "\r\n"
                   for _ in range(60000))
    with Sink() as good, relay_to(tmp_path, dns, good) as relay:
        send(relay, ["x@good.example"], body=body)
        message, = good.wait(1)
        assert message.body == body.encode()
        assert good.faults == []


def test_the_next_host_is_tried(tmp_path, dns):
    """Nobody listens at the first one."""
    with Sink() as good, relay_to(tmp_path, dns, good) as relay:
        send(relay, ["x@two.example"])
        good.wait(1)
        empty(relay)


def test_a_host_that_is_back_is_used(tmp_path, dns):
    """REGRESSIONS: "connection refused" cached after the host is back."""
    with Sink() as good, relay_to(tmp_path, dns, good) as relay:
        send(relay, ["x@bad.example"], count=3)
        wait_for("a refusal", lambda: "refused" in
                 relay.control("queue")["destinations"][0]["reason"])
        with bad_sink(good) as bad:
            bad.wait(3)
            empty(relay)


def test_a_dead_destination_holds_up_nobody(tmp_path, dns):
    with Sink() as good, relay_to(tmp_path, dns, good, {"first": 600, "expire": 6000}) as relay:
        send(relay, ["x@bad.example"], count=500)
        send(relay, ["y@good.example"], count=20)
        good.wait(20)
        wait_for("500 to be left", lambda: relay.control("queue")["messages"] == 500)
        wait_for("all to be put off",
                 lambda: relay.control("queue")["destinations"][0]["ready"] == 0)
        with bad_sink(good) as bad:
            assert relay.control("retry", destination="bad.example")["changed"] == 500
            bad.wait(500)
            empty(relay)


# -- processes that die -------------------------------------------------------------------------


def submit(relay, numbers, accepted, stop):
    """Keeps submitting; what got 250 goes into `accepted`."""
    while not stop.is_set():
        try:
            with smtplib.SMTP("127.0.0.1", relay.port("smtp"), timeout=10) as client:
                while not stop.is_set():
                    number = next(numbers)
                    client.sendmail("joe@acme.example", [f"n{number}@good.example"],
                                    f"From: joe@acme.example\r\nSubject: {number}\r\n\r\nx\r\n")
                    accepted.append(number)
        except (OSError, smtplib.SMTPException, KeyError, ValueError):
            stop.wait(0.05)


def received(sink):
    return [int(m.recipients[0][1:].split("@")[0]) for m in sink.messages]


@pytest.mark.parametrize("role", ["deliver", "work", "spool", "report"])
def test_a_killed_process_loses_nothing(tmp_path, dns, role):
    with Sink() as good, relay_to(tmp_path, dns, good) as relay:
        accepted, stop = [], threading.Event()
        thread = threading.Thread(target=submit,
                                  args=(relay, iter(range(10 ** 9)), accepted, stop))
        thread.start()
        try:
            for _ in range(3):
                seen = len(good.messages)
                wait_for("some mail", lambda: len(good.messages) > seen + 20)
                relay.kill_role(role)
        finally:
            stop.set()
            thread.join()
        empty(relay)
        assert set(accepted) <= set(received(good))
        # Only what was under way when a process died may come twice.
        doubles = len(received(good)) - len(set(received(good)))
        assert doubles <= 3 * 40


def test_a_killed_relay_loses_nothing(tmp_path, dns):
    with Sink() as good, relay_to(tmp_path, dns, good) as relay:
        accepted, stop = [], threading.Event()
        numbers = iter(range(10 ** 9))
        for _ in range(3):
            stop.clear()
            thread = threading.Thread(target=submit, args=(relay, numbers, accepted, stop))
            thread.start()
            seen = len(good.messages)
            wait_for("some mail", lambda: len(good.messages) > seen + 20)
            relay.kill()
            stop.set()
            thread.join()
            relay.start()
        empty(relay)
        assert set(accepted) <= set(received(good))


def test_an_orderly_stop_leaves_nothing_half_done(tmp_path, dns):
    with Sink() as good, relay_to(tmp_path, dns, good) as relay:
        accepted, stop = [], threading.Event()
        thread = threading.Thread(target=submit,
                                  args=(relay, iter(range(10 ** 9)), accepted, stop))
        thread.start()
        wait_for("some mail", lambda: len(good.messages) > 50)
        assert relay.stop() == 0
        stop.set()
        thread.join()
        relay.start()
        empty(relay)
        assert sorted(received(good)) == sorted(set(received(good)))
        assert set(accepted) <= set(received(good))
