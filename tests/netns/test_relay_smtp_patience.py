# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the relay waits for a client, by the wire's own clock (RFC 5321 §4.5.3.2).

Half an hour of waiting, so `make soak` alone does it.
"""
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.relay import Relay

SLACK_S = 60  # a machine that is busy is late, never early


class Client:
    """A dialogue on a bare socket; what() is all that has come so far."""

    def __init__(self, relay, listener="smtp"):
        self.socket = socket.create_connection(("127.0.0.1", relay.port(listener)))
        self.socket.settimeout(1)

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")

    def hear(self, seconds):
        """What comes until the relay closes; fails when it does not in time."""
        heard, deadline = b"", time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                more = self.socket.recv(4096)
            except TimeoutError:
                continue
            except ConnectionResetError:
                return heard.decode()
            if not more:
                return heard.decode()
            heard += more
        raise AssertionError(f"still open after {seconds} s: {heard!r}")

    def until(self, text, seconds=30):
        heard, deadline = "", time.monotonic() + seconds
        while text not in heard:
            assert time.monotonic() < deadline, heard
            try:
                heard += self.socket.recv(4096).decode()
            except TimeoutError:
                pass
        return heard


def to_data(client):
    client.until("220 ")
    for line, reply in (("EHLO client.example", "250 "), ("MAIL FROM:<news@acme.example>", "250 "),
                        ("RCPT TO:<bob@b.example>", "250 "), ("DATA", "354 ")):
        client.say(line)
        client.until(reply)


def ended(client, bound):
    """(what was said last, after how many seconds)"""
    begun = time.monotonic()
    heard = client.hear(bound + SLACK_S)
    return heard, time.monotonic() - begun


def silent(relay):
    client = Client(relay)
    client.until("220 ")
    client.say("EHLO client.example")
    client.until("250 ")
    return ended(client, 300)


def no_handshake(relay):
    return ended(Client(relay, "submissions"), 60)


def drips(relay):
    """A byte now and then: never silent, never done."""
    client = Client(relay)
    to_data(client)
    begun, heard = time.monotonic(), b""
    while time.monotonic() - begun < 1800 + SLACK_S:
        try:
            client.socket.sendall(b"x")
            heard += client.socket.recv(4096)
        except TimeoutError:
            time.sleep(100)
            continue
        except OSError:
            pass
        break
    return heard.decode(), time.monotonic() - begun


@pytest.mark.skipif(not os.environ.get("GATEPOST_SOAK"), reason="30 minutes: make soak runs it")
def test_nobody_is_waited_for_for_ever(tmp_path):
    with Relay(tmp_path) as relay, ThreadPoolExecutor() as pool:
        waits = {f: pool.submit(f, relay) for f in (silent, no_handshake, drips)}
        heard, took = waits[no_handshake].result()
        assert heard == "" and 59 < took < 60 + SLACK_S
        heard, took = waits[silent].result()
        assert heard == "421 4.4.2 nothing came for 300 seconds\r\n" and 299 < took < 300 + SLACK_S
        heard, took = waits[drips].result()
        assert "4.4.2 no message was complete for 1800 seconds" in heard
        assert 1799 < took < 1800 + 100 + SLACK_S


@pytest.mark.skipif(not os.environ.get("GATEPOST_SOAK"), reason="2 minutes: make soak runs it")
def test_a_spool_that_never_answers_is_a_4xx(tmp_path):
    with Relay(tmp_path) as relay:
        client = Client(relay)
        to_data(client)
        spool = relay.pid("spool")
        os.kill(spool, signal.SIGSTOP)
        client.say("From: news@acme.example\r\nSubject: x\r\n\r\nhello\r\n.")
        assert client.until("\r\n", 120 + SLACK_S).startswith("451 ")
        os.kill(spool, signal.SIGCONT)
