# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports as the sender asked for them (RFC 3461): NOTIFY, ORCPT, ENVID, RET; and to nobody else."""

import smtplib

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, wait_for
from tests.harness.sink import EXTENSIONS, Sink

ZONES = {name: "@ MX 10 mx\nmx A 127.0.0.1\n" for name in ("b.example", "acme.example")}
NO_DSN = [e for e in EXTENSIONS if e != "DSN"]
TEXT = "From: joe@acme.example\r\nSubject: a subject\r\n\r\nHello\r\n"


@pytest.fixture(scope="module", name="dns")
def _dns():
    with Dns(ZONES) as server:
        yield server


def relay_to(tmp_path, dns, sink):
    return Relay(tmp_path, **{
        "name-server": [dns.address],
        "lab": {"smtp-port": sink.port, "dns-port": dns.port},
        "retry": {"first": 1, "longest": 5, "expire": 86400}})


def send(relay, sender, options, recipients):
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
        client.ehlo()
        assert client.mail(sender, options)[0] == 250
        for address, wishes in recipients:
            assert client.rcpt(address, wishes)[0] == 250
        assert client.data(TEXT)[0] == 250


def empty(relay):
    wait_for("an empty queue", lambda: relay.control("queue")["messages"] == 0
             and relay.control("queue")["reports"] == 0)


def refuse_gone(session, verb, argument):
    return "550 5.1.1 no such user" if verb == "RCPT" and "gone" in argument else None


def test_success_is_told_where_the_peer_would_not(tmp_path, dns):
    with Sink(extensions=NO_DSN) as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "joe@acme.example", ["ENVID=QQ+2B7", "RET=HDRS"], [
            ("x@b.example", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Orig@b.example"]),
            ("y@b.example", []), ("z@b.example", ["NOTIFY=NEVER"])])
        report = [m for m in sink.wait(2) if m.recipients == ["joe@acme.example"]][0]
        empty(relay)
        assert len(sink.messages) == 2
        text = report.data.decode()
        assert report.sender == ""
        assert "Subject: Mail passed on\r\n" in text
        assert "Original-Envelope-Id: QQ+2B7\r\n" in text
        assert "Original-Recipient: rfc822;Orig@b.example\r\n" in text
        assert "Final-Recipient: rfc822; x@b.example\r\nAction: relayed\r\nStatus: 2." in text
        assert "y@b.example" not in text and "z@b.example" not in text
        assert "Will-Retry" not in text and "Subject: a subject\r\n" in text


def test_a_peer_that_reports_is_given_the_wishes(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "joe@acme.example", ["ENVID=QQ", "RET=HDRS"], [
            ("x@b.example", ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;Orig@b.example"]),
            ("z@b.example", ["NOTIFY=NEVER"])])
        message = sink.wait(1)[0]
        empty(relay)
        assert len(sink.messages) == 1  # the report is that peer's to make
        said = " ".join([str(message.sender_params), str(message.recipient_params)])
        for wish in ("ENVID", "RET", "SUCCESS,DELAY", "Orig@b.example", "NEVER"):
            assert wish in said


@pytest.mark.parametrize("sender, wishes, told", [
    ("joe@acme.example", [], True),
    ("joe@acme.example", ["NOTIFY=FAILURE"], True),
    ("joe@acme.example", ["NOTIFY=NEVER"], False),
    ("joe@acme.example", ["NOTIFY=SUCCESS"], False),
    ("joe@acme.example", ["NOTIFY=DELAY"], False),
])
def test_a_failure_is_told_to_who_wants_to_know(tmp_path, dns, sender, wishes, told):
    with Sink(script=refuse_gone, extensions=NO_DSN) as sink, \
            relay_to(tmp_path, dns, sink) as relay:
        send(relay, sender, [], [("gone@b.example", wishes)])
        if told:
            assert b"Action: failed" in sink.wait(1)[0].data
        empty(relay)
        assert len(sink.messages) == int(told)
