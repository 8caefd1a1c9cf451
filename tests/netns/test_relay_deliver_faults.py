# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad days: hostile peers, dead hosts, processes that die. Nobody else waits, nothing is lost."""

import random
import smtplib
import threading

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account, wait_for
from tests.harness.sink import (Close, Deaf, Endless, Garbage, HalfClose, Never, Sink, Slow, answer,
                                close_at, multiline_421)

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
    "no answer to STARTTLS": answer("STARTTLS", Never()),
    "the handshake byte by byte": answer("TLS", Slow(b"\x16\x03\x03\x00\x40" + b"\2" * 64, 3)),
    "an endless reply to RCPT": answer("RCPT", Endless("250-2.1.5 more")),
    "an endless reply to the message": answer(".", Endless("250-2.0.0 more")),
    "NULs without an end": answer("MAIL", Endless(b"\0" * 512)),
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
    "plaintext behind the 220 to STARTTLS":
        answer("STARTTLS", b"220 go ahead\r\n250 injected\r\n"),
    "hangs up at MAIL": close_at("MAIL", times=3),
    "hangs up at RCPT": close_at("RCPT", times=3, reset=True),
    "hangs up at DATA": close_at("DATA", times=3),
    "354 and a reset": answer("DATA", Close(b"354 go\r\n", reset=True), times=3),
    "421 in lines at the greeting": multiline_421("CONNECT", times=3),
    "421 in lines at EHLO": multiline_421("EHLO", times=3),
    "421 in lines at MAIL": multiline_421("MAIL", times=3),
    "421 in lines at the end": multiline_421(".", times=3),
    "421 in lines at STARTTLS": multiline_421("STARTTLS", times=3),
    "421 in lines at RCPT": multiline_421("RCPT", times=3),
    "421 in lines at DATA": multiline_421("DATA", times=3),
    "resets at EHLO": close_at("EHLO", times=3, reset=True),
    "resets at MAIL": close_at("MAIL", times=3, reset=True),
    "resets at the end": close_at(".", times=3, reset=True),
    "hangs up at the end": close_at(".", times=3),
    "hangs up at QUIT": close_at("QUIT"),
    "half-closed at the greeting": answer("CONNECT", HalfClose("220 hello"), times=3),
    "half-closed at MAIL": answer("MAIL", HalfClose("250 ok"), times=3),
    "half-closed in the message": answer("DATA", HalfClose("354 go"), times=3),
    "8 KB lines at EHLO": answer("EHLO", b"250-" + b"x" * 8000 + b"\r\n250 PIPELINING\r\n"),
    "NULs in the greeting": answer("CONNECT", b"220 \0\0 hello\r\n"),
    "two replies for one": answer("MAIL", b"250 ok\r\n250 ok again\r\n", times=1),
    "a reply before it is asked": answer("CONNECT", b"220 hello\r\n250 soon\r\n", times=1),
    "a reply code that does not exist": answer("RCPT", "999 what", times=1),
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


EVIL = (b"MAIL FROM:<evil@c.example>\r\nRCPT TO:<x@bad.example>\r\nDATA\r\nSubject: evil\r\n\r\n"
        b"x\r\n")
SMUGGLES = {
    "an end of data amid the body": b"\r\n.\r\n" + EVIL + b".\r\n",
    "at its beginning": b".\r\n" + EVIL,
    "dots already doubled": b"\r\n..\r\n" + EVIL,
    "at its end": b"x\r\n.\r\n",
    "many": b"\r\n.\r\n.\r\n.." + EVIL + b"\r\n.\r\n",
    "across what is read at a time": b"x" * 70 + b"\r\n" + (b"y" * 62 + b"\r\n.\r\n") * 3000 + EVIL,
}


@pytest.mark.parametrize("how", SMUGGLES)
def test_what_leaves_ends_where_it_ends(tmp_path, dns, how):
    """BDAT carries what looks like an end of data; DATA, by which it leaves, must not."""
    head = b"From: joe@acme.example\r\nSubject: x\r\n\r\n"
    with Sink() as good, relay_to(tmp_path, dns, good) as relay:
        with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
            client.ehlo()
            client.mail("joe@acme.example")
            client.rcpt("x@good.example")
            for chunk, last in ((head, b""), (SMUGGLES[how], b" LAST")):
                client.sock.sendall(b"BDAT %d%s\r\n" % (len(chunk), last) + chunk)
                assert client.getreply()[0] == 250
        message, = good.wait(1)
        assert message.body == SMUGGLES[how]
        empty(relay)
        assert len(good.messages) == 1 and good.faults == []
        assert [v for s in good.sessions for v, _ in s.commands].count("MAIL") == 1


def test_parameters_smuggle_nothing(tmp_path, dns):
    """RFC 3461 §4: line ends may stand in xtext, and stay there."""
    with Sink() as good, relay_to(tmp_path, dns, good) as relay:
        with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
            client.ehlo()
            client.mail("joe@acme.example", options=["ENVID=a+0D+0ARCPT"])
            client.rcpt("x@good.example", options=["ORCPT=rfc822;x+0D+0A@good.example"])
            code, _ = client.data("From: joe@acme.example\r\n\r\nx\r\n")
            assert code == 250
        message, = good.wait(1)
        assert "ENVID=a+0D+0ARCPT" in message.sender_params
        assert "+0D+0A" in message.recipient_params[0] and good.faults == []


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
