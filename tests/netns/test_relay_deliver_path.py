# SPDX-License-Identifier: GPL-2.0-or-later
"""A message's way through the whole relay: taken by SMTP, found by DNS, given to the right host."""

import smtplib

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account, wait_for
from tests.harness.sink import Sink, answer, greylist, refuse

ZONES = {
    "b.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "implicit.example": "@ A 127.0.0.1\n",
    "null.example": "@ MX 0 .\n",
    "acme.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "xn--bcher-kva.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "ours.example": "@ MX 10 relay.example.net.\n@ MX 20 mx.b.example.\n",
}
QUICK = {"first": 1, "longest": 2, "expire": 60}


@pytest.fixture(scope="module")
def dns():
    with Dns(ZONES) as server:
        yield server


def relay_to(tmp_path, dns, sink, retry=None, **config):
    return Relay(tmp_path, **{
        "name-server": [dns.address],
        "lab": {"smtp-port": sink.port, "dns-port": dns.port},
        "retry": retry or QUICK,
        **config,
    })


def send(relay, recipients, subject="hello", sender="joe@acme.example"):
    if isinstance(recipients, str):
        recipients = [recipients]
    text = (f"From: {sender}\r\nTo: {recipients[0]}\r\nSubject: {subject}\r\n"
            "Date: Mon, 23 Nov 2026 18:07:04 +0000\r\nMessage-ID: <1@acme.example>\r\n\r\n"
            "Hello\r\n.dot\r\n")
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
        client.sendmail(sender, recipients, text)


def empty(relay):
    return wait_for("an empty queue", lambda: relay.control("queue")["messages"] == 0)


def test_mail_arrives_at_the_mx(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        message, = sink.wait(1)
        assert message.sender == "joe@acme.example"
        assert message.recipients == ["bob@b.example"]
        assert message.tls
        assert message.helo == "relay.example.net"
        assert message.data.endswith(b"\r\n\r\nHello\r\n.dot\r\n")
        assert message.data.startswith(b"Received: ")
        assert sink.faults == []
        empty(relay)


def test_a_domain_without_mx_is_its_own_host(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@implicit.example")
        assert sink.wait(1)[0].recipients == ["bob@implicit.example"]


@pytest.mark.parametrize("recipient, status", [
    ("bob@null.example", "5.1.10"),     # null MX, RFC 7505
    ("bob@nowhere.example", "5.1.2"),   # no such domain
    ("bob@ours.example", "5.4.6"),      # we are its best host ourselves
])
def test_what_dns_denies_comes_back_at_once(tmp_path, dns, recipient, status):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, recipient)
        report, = sink.wait(1)
        assert report.sender == ""
        assert report.recipients == ["joe@acme.example"]
        assert f"Status: {status}".encode() in report.data
        assert f"Final-Recipient: rfc822; {recipient}".encode() in report.data
        assert b"Subject: hello" in report.data
        empty(relay)
        assert sink.faults == []


def test_a_dns_that_fails_defers(tmp_path):
    with Dns({"acme.example": ZONES["acme.example"]}, root=False) as dns, Sink() as sink, \
            relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        wait_for("an attempt", lambda: relay.control("queue", list=1)["destinations"]
                 and "4.4.3" in relay.control("queue")["destinations"][0]["reason"])
        dns.set("b.example", ZONES["b.example"])
        assert sink.wait(1)[0].recipients == ["bob@b.example"]


def test_greylisting_is_waited_out(tmp_path, dns):
    with Sink(script=greylist()) as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        sink.wait(1)
        empty(relay)
        assert len(sink.messages) == 1


def test_a_refusal_is_reported_to_the_sender(tmp_path, dns):
    with Sink(script=refuse("bob@b.example", "550-5.1.1 no\r\n550 5.1.1 such user")) as sink, \
            relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        report, = sink.wait(1)
        assert report.sender == "" and report.recipients == ["joe@acme.example"]
        assert b"Status: 5.1.1" in report.data
        assert b"Diagnostic-Code: smtp; 550 5.1.1 no 5.1.1 such user" in report.data
        empty(relay)


def test_each_recipient_has_a_result_of_its_own(tmp_path, dns):
    with Sink(script=refuse("bad@b.example", "550 5.1.1 unknown")) as sink, \
            relay_to(tmp_path, dns, sink) as relay:
        send(relay, ["good@b.example", "bad@b.example", "other@implicit.example"])
        messages = sink.wait(3)
        delivered = sorted(r for m in messages if m.sender for r in m.recipients)
        assert delivered == ["good@b.example", "other@implicit.example"]
        report, = [m for m in messages if not m.sender]
        assert report.body.count(b"Final-Recipient: ") == 1
        assert b"Final-Recipient: rfc822; bad@b.example" in report.body
        empty(relay)


def test_a_report_that_is_refused_goes_nowhere(tmp_path, dns):
    scripts = [refuse("bob@b.example", "550 5.1.1 unknown"),
               refuse("joe@acme.example", "550 5.1.1 unknown too")]
    with Sink(script=scripts) as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        assert sink.wait_for(lambda: any("joe@acme.example" in argument and verb == "RCPT"
                                         for session in sink.sessions
                                         for verb, argument in session.commands))
        empty(relay)
        assert sink.messages == []


def test_what_is_never_taken_expires(tmp_path, dns):
    script = refuse("bob@b.example", "450 4.2.1 mailbox busy")
    with Sink(script=script) as sink, \
            relay_to(tmp_path, dns, sink, {"first": 1, "longest": 1, "expire": 2}) as relay:
        send(relay, "bob@b.example")
        late, report = sink.wait(2)
        assert b"Action: delayed" in late.data
        assert b"Action: failed" in report.data
        assert b"Status: 5.4.7" in report.data
        assert b"450 4.2.1 mailbox busy" in report.data
        empty(relay)


def test_a_sender_is_told_once_that_mail_is_late(tmp_path, dns):
    script = refuse("bob@b.example", "450 4.2.1 mailbox busy", times=6)
    with Sink(script=script) as sink, \
            relay_to(tmp_path, dns, sink, {"first": 1, "longest": 1, "expire": 12}) as relay:
        send(relay, "bob@b.example")
        report, mail = sink.wait(2)
        assert report.sender == "" and b"\r\nAction: delayed\r\n" in report.data
        assert b"Will-Retry-Until: " in report.data
        assert mail.recipients == ["bob@b.example"]
        empty(relay)
        assert len(sink.messages) == 2


def test_one_transaction_for_the_recipients_of_one_destination(tmp_path, dns):
    names = [f"r{i}@b.example" for i in range(250)]
    with Sink() as sink, \
            relay_to(tmp_path, dns, sink, accounts=[
                account(limits={"recipients": 1000})]) as relay:
        send(relay, names)
        messages = sink.wait(3)
        assert sorted(len(m.recipients) for m in messages) == [50, 100, 100]
        assert sorted(r for m in messages for r in m.recipients) == sorted(names)
        empty(relay)


def test_mail_leaves_from_its_pool(tmp_path, dns):
    pools = [
        {"name": "certified", "source": ["127.0.0.2"], "members": ["acme"],
         "host-name": "certified.example.net"},
        {"name": "bulk", "source": ["127.0.0.3"]},
        {"name": "shared", "source": ["127.0.0.4"]},
    ]
    routes = [{"name": "implicit", "domain": ["implicit.example"], "pool": "bulk"}]
    accounts = [account(pool="certified"), account("beta", senders=["*@beta.example"])]
    with Sink() as sink, relay_to(tmp_path, dns, sink, accounts=accounts, pool=pools,
                                  route=routes) as relay:
        send(relay, "1@b.example")
        send(relay, "2@implicit.example")
        send(relay, "3@b.example", sender="x@beta.example")
        send(relay, "4@implicit.example", sender="x@beta.example")
        sources = {m.recipients[0][0]: (m.peer[0], m.helo) for m in sink.wait(4)}
        assert sources == {
            "1": ("127.0.0.2", "certified.example.net"),
            "2": ("127.0.0.2", "certified.example.net"),
            "3": ("127.0.0.4", "relay.example.net"),
            "4": ("127.0.0.3", "relay.example.net"),
        }


def test_a_retry_leaves_from_the_same_pool(tmp_path, dns):
    pools = [{"name": f"p{i}", "source": [f"127.0.0.{i}"]} for i in range(2, 6)]
    with Sink(script=answer("RCPT", "451 4.7.1 later", times=2)) as sink, \
            relay_to(tmp_path, dns, sink, accounts=[account(pool="p4")], pool=pools) as relay:
        send(relay, "bob@b.example")
        sink.wait(1)
        assert {s.peer[0] for s in sink.sessions} == {"127.0.0.4"}


def test_a_connection_is_used_again(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        for i in range(5):
            send(relay, f"r{i}@b.example")
            sink.wait(i + 1)
        assert len({m.session for m in sink.messages}) == 1
        assert sink.faults == []


def test_a_domain_in_other_letters_is_found(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
            client.ehlo()
            client.command_encoding = "utf-8"
            assert client.mail("joe@acme.example", options=["SMTPUTF8"])[0] == 250
            assert client.docmd("RCPT", "TO:<bob@B\u00fccher.example>")[0] == 250
            assert client.data(b"From: joe@acme.example\r\n\r\nx\r\n")[0] == 250
        assert sink.wait(1)[0].recipients == ["bob@B\u00fccher.example"]


def test_every_recipients_way_is_in_the_log(tmp_path, dns):
    scripts = [refuse("later@b.example", "450 4.2.1 busy", times=1),
               refuse("never@b.example", "550 5.1.1 no")]
    pools = [{"name": "shared", "source": ["127.0.0.4"]}]
    with Sink(script=scripts) as sink, relay_to(tmp_path, dns, sink, pool=pools) as relay:
        send(relay, ["later@b.example", "never@b.example"])
        sink.wait(2)
        empty(relay)
        wanted = [
            ("later@b.example", "deferred", "450 4.2.1 busy"),
            ("later@b.example", "delivered", "250 2.0.0 kept by sink.example"),
            ("never@b.example", "bounced", "550 5.1.1 no"),
        ]
        rows = wait_for("all events", lambda: (lambda got: got if len(got) >= 4 else None)(
            [e for e in relay.events() if e["event"] in ("deferred", "delivered", "bounced")]))
        assert [w for w in wanted if w not in
                [(e["to"], e["event"], e["detail"]) for e in rows]] == []
        peers = {e["peer"] for e in rows}
        where = f"mx.b.example [127.0.0.1]:{sink.port} pool shared from 127.0.0.4 TLSv1.2 "
        assert any(p.startswith(where) for p in peers)
