# SPDX-License-Identifier: GPL-2.0-or-later
"""The bytes that leave: trace, what was missing, tracking, signatures; seven bits; SMTPUTF8."""

import base64
import smtplib
import subprocess
from email import message_from_bytes

import dkim
import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account, wait_for
from tests.harness.sink import EXTENSIONS, Sink, answer

ZONES = {
    "b.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "acme.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
}
SIGNED = {"domain": ["acme.example"], "selector": "g1", "dkim": [None], "domainkeys": [None]}
TRACKED = {"opens": [None], "clicks": [None]}
HTML = ("From: joe@acme.example\r\nTo: bob@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/html; charset=utf-8\r\n{cte}\r\n"
        "<html><body><a href=\"https://www.acme.example/a?b=1&amp;c=2\">Gr\u00fc\u00dfe</a>"
        "</body></html>\r\n")


@pytest.fixture(scope="module")
def dns():
    with Dns(ZONES) as server:
        yield server


def relay_to(tmp_path, dns, sink, **config):
    return Relay(tmp_path, **{
        "name-server": [dns.address],
        "lab": {"smtp-port": sink.port, "dns-port": dns.port},
        "retry": {"first": 1, "longest": 1, "expire": 60},
        "tracking": {"host": "t.example.net", "https": [None]},
        **config,
    })


def send(relay, text, recipients=("bob@b.example",), options=()):
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
        client.sendmail("joe@acme.example", list(recipients), text, mail_options=list(options))


def make_key(relay):
    """The signing key; its DNS record."""
    private = relay.keys / "acme.example.g1.pem"
    subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True,
                   capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-outform", "DER"],
                            check=True, capture_output=True).stdout
    return b"k=rsa; p=" + base64.b64encode(public)


def verifies(data, record):
    return dkim.verify(data, dnsfunc=lambda name, timeout=5: record)


PLAIN = b"From: joe@acme.example\r\nSubject: x\r\n\r\nHello\r\n.dot \t\r\n\r\n"


def test_plain_mail_gets_trace_and_what_is_missing_and_no_more(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, PLAIN)
        message, = sink.wait(1)
        header = message_from_bytes(message.data)
        assert header.keys() == ["Received", "Date", "Message-ID", "From", "Subject"]
        assert "for <bob@b.example>" in header["Received"]
        assert message.data.endswith(PLAIN)
        assert sink.faults == []


def test_signed_mail_verifies(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink, accounts=[account(sign=SIGNED)]) as relay:
        record = make_key(relay)
        relay.reload()
        send(relay, PLAIN)
        message, = sink.wait(1)
        assert verifies(message.data, record)
        assert message_from_bytes(message.data).keys() == [
            "Received", "DKIM-Signature", "DomainKey-Signature", "Date", "Message-ID", "From",
            "Subject"]


def test_mail_without_its_key_is_kept_and_not_sent_unsigned(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink, accounts=[account(sign=SIGNED)]) as relay:
        send(relay, PLAIN)
        wait_for("a loud word", lambda: "there is no signing key acme.example.g1.pem"
                 in relay.log())
        assert relay.control("queue")["messages"] == 1 and sink.messages == []
        record = make_key(relay)
        relay.reload()
        assert verifies(sink.wait(1)[0].data, record)


def test_tracked_mail_is_made_for_each_recipient(tmp_path, dns):
    accounts = [account(sign=SIGNED, track=TRACKED)]
    with Sink() as sink, relay_to(tmp_path, dns, sink, accounts=accounts) as relay:
        record = make_key(relay)
        relay.reload()
        text = HTML.format(cte="Content-Transfer-Encoding: 8bit\r\n").encode()
        send(relay, text, ["a@b.example", "b@b.example"])
        first, second = sink.wait(2)
        assert first.recipients != second.recipients
        assert first.body != second.body
        for message in (first, second):
            assert verifies(message.data, record)
            assert b'href="https://t.example.net/c/' in message.body
            assert b"https://t.example.net/o/" in message.body
            assert b"www.acme.example" not in message.body
            assert "Gr\u00fc\u00dfe".encode() in message.body


def test_a_retry_gives_the_same_bytes(tmp_path, dns):
    accounts = [account(sign=SIGNED, track=TRACKED)]
    text = HTML.format(cte="Content-Transfer-Encoding: 8bit\r\n").encode()
    with Sink(script=answer(".", "451 4.3.0 later", times=2)) as sink, \
            relay_to(tmp_path, dns, sink, accounts=accounts) as relay:
        make_key(relay)
        relay.reload()
        send(relay, text)
        wait_for("an attempt", lambda: sink.offered)
        relay.kill()
        relay.start()
        sink.wait(1)
        assert len(sink.offered) == 3
        assert len({m.data for m in sink.offered}) == 1


def test_a_seven_bit_peer_gets_seven_bits(tmp_path, dns):
    extensions = [e for e in EXTENSIONS if e != "8BITMIME"]
    accounts = [account(sign=SIGNED)]
    with Sink(extensions=extensions) as sink, \
            relay_to(tmp_path, dns, sink, accounts=accounts) as relay:
        record = make_key(relay)
        relay.reload()
        send(relay, HTML.format(cte="Content-Transfer-Encoding: 8bit\r\n").encode(),
             options=["BODY=8BITMIME"])
        message, = sink.wait(1)
        assert max(message.data) < 128
        assert verifies(message.data, record)
        assert "BODY" not in message.sender_params
        assert "Gr\u00fc\u00dfe".encode() in message_from_bytes(message.data).get_payload(
            decode=True)


def test_an_eight_bit_peer_is_told(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        text = HTML.format(cte="Content-Transfer-Encoding: 8bit\r\n").encode()
        send(relay, text, options=["BODY=8BITMIME"])
        message, = sink.wait(1)
        assert "BODY=8BITMIME" in message.sender_params
        assert message.data.endswith(text)


def test_utf8_addresses_need_a_peer_that_takes_them(tmp_path, dns):
    extensions = [e for e in EXTENSIONS if e != "SMTPUTF8"]
    text = "From: joe@acme.example\r\nSubject: x\r\n\r\nHello\r\n".encode()
    for offers in (EXTENSIONS, extensions):
        with Sink(extensions=offers) as sink, relay_to(tmp_path / str(len(offers)), dns,
                                                       sink) as relay:
            with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
                client.ehlo()
                client.mail("joe@acme.example", options=["SMTPUTF8"])
                client.command_encoding = "utf-8"
                assert client.docmd("RCPT", "TO:<b\u00f6b@b.example>")[0] == 250
                assert client.data(text)[0] == 250
            message, = sink.wait(1)
            if offers is EXTENSIONS:
                assert message.recipients == ["b\u00f6b@b.example"]
                assert "SMTPUTF8" in message.sender_params
            else:
                assert message.sender == ""
                assert b"Status: 5.6.7" in message.data
