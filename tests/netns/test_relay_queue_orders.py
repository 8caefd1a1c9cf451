# SPDX-License-Identifier: GPL-2.0-or-later
"""Pauses, by an administrator and by itself; draining; the clock: held, told, kept over a restart."""

import smtplib

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account, wait_for
from tests.harness.sink import Sink

ZONES = {name: "@ MX 10 mx\nmx A 127.0.0.1\n" for name in ("b.example", "c.example",
                                                          "acme.example")}
ACCOUNTS = [account(), account("beta", senders=["*@beta.example"])]


@pytest.fixture(scope="module", name="dns")
def _dns():
    with Dns(ZONES) as server:
        yield server


def relay_to(tmp_path, dns, sink, lab=None, **config):
    return Relay(tmp_path, **{
        "name-server": [dns.address],
        "lab": {"smtp-port": sink.port, "dns-port": dns.port, **(lab or {})},
        "retry": {"first": 1, "longest": 5, "expire": 86400},
        "accounts": ACCOUNTS,
        **config,
    })


def send(relay, recipient, count=1, sender="joe@acme.example"):
    text = f"From: {sender}\r\nSubject: s\r\n\r\nHello\r\n"
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
        for _ in range(count):
            client.sendmail(sender, [recipient], text)


def left(relay, count):
    wait_for(f"{count} messages left", lambda: relay.control("queue")["messages"] == count)


def alarms(relay):
    return {(a["alarm"], a["subject"]): a for a in relay.control("alarms")["alarms"]}


def restart(relay):
    relay.kill()
    relay.start()


def test_a_paused_account_waits_and_others_do_not(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        assert relay.control("pause", account="acme", reason="asked by phone")["ok"]
        send(relay, "x@b.example", count=3)
        send(relay, "x@b.example", sender="q@beta.example")
        assert [m.sender for m in sink.wait(1)] == ["q@beta.example"]
        wait_for("paused mail", lambda: relay.control("queue")["paused"] == 3)
        found = alarms(relay)["account-paused", "acme"]
        assert found["says"] == "asked by phone"
        assert "request relay resume account acme" in found["mend"]
        left(relay, 3)
        # The answer came after it was on the disk: no end, however hard, undoes it.
        restart(relay)
        wait_for("paused mail", lambda: relay.control("queue")["paused"] == 3)
        assert ("account-paused", "acme") in alarms(relay)
        assert relay.control("resume", account="acme")["ok"]
        assert len(sink.wait(4)) == 4
        assert alarms(relay) == {}
        left(relay, 0)
        restart(relay)
        assert alarms(relay) == {}
        assert wait_for("the events", lambda: [
            e["event"] for e in relay.events(account="acme")
            if e["event"] in ("paused", "resumed")]) == ["paused", "resumed"]


def test_a_paused_destination_waits_and_others_do_not(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        assert relay.control("pause", destination="B.example")["ok"]
        send(relay, "x@b.example")
        send(relay, "x@c.example")
        assert [m.recipients for m in sink.wait(1)] == [["x@c.example"]]
        left(relay, 1)
        restart(relay)
        wait_for("paused mail", lambda: relay.control("queue")["paused"] == 1)
        assert relay.control("queue")["destinations"][0]["paused"] is True
        relay.kill_role("spool")
        relay.kill_role("deliver")
        wait_for("paused mail", lambda: relay.control("queue")["paused"] == 1)
        assert relay.control("resume", destination="b.example")["ok"]
        sink.wait(2)


@pytest.mark.parametrize("verb, members, says", [
    ("pause", {}, "say which"),
    ("pause", {"account": "acme", "destination": "b.example"}, "say which"),
    ("pause", {"account": "acne"}, "there is no such account: 'acne'"),
    ("pause", {"destination": "b example"}, "this is none: 'b example'"),
    ("pause", {"account": "x" * 300}, "at most 253 bytes"),
    ("resume", {"account": "acme"}, "this account is not paused: 'acme'"),
    ("resume", {"destination": "b.example"}, "this destination is not paused: 'b.example'"),
])
def test_wrong_orders_are_quoted(tmp_path, dns, verb, members, says):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        answer = relay.control(verb, **members)
        assert not answer["ok"] and says in answer["error"]


def test_an_account_that_bounces_too_much_is_paused_by_itself(tmp_path, dns):
    def unknown(session, verb, argument):
        return "550 5.1.1 no such user" if verb == "RCPT" and "gone" in argument else None

    accounts = [account(suspend={"hard-bounces": 20, "after": 10}), ACCOUNTS[1]]
    with Sink(script=unknown) as sink, relay_to(tmp_path, dns, sink, accounts=accounts) as relay:
        send(relay, "x@b.example", count=9)
        sink.wait(9)
        left(relay, 0)
        send(relay, "gone@b.example")
        sink.wait(10)  # the report to its sender
        left(relay, 0)
        assert alarms(relay) == {}  # 1 of 10
        send(relay, "gone@b.example", count=2)
        found = wait_for("the alarm", lambda: alarms(relay).get(("account-paused", "acme")))
        assert found["says"] == "3 of its last 12 recipients were refused for good; 20 % are allowed"
        # What it sends is accepted and waits; its reports still go; others go on.
        sink.wait(12)
        send(relay, "x@b.example", count=2)
        send(relay, "x@b.example", sender="q@beta.example")
        assert sink.wait(13)[-1].sender == "q@beta.example"
        left(relay, 2)  # so that nothing is delivered once more
        restart(relay)
        assert alarms(relay)["account-paused", "acme"]["says"] == found["says"]
        left(relay, 2)
        assert relay.control("resume", account="acme")["ok"]
        left(relay, 0)
        assert alarms(relay) == {}


def test_draining_refuses_what_is_new_and_delivers_what_is_there(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        relay.control("pause", destination="b.example")
        send(relay, "x@b.example")
        left(relay, 1)
        assert relay.control("drain") == {"ok": True, "draining": True, "messages": 1}
        for _ in range(2):  # also after a restart
            with pytest.raises(smtplib.SMTPSenderRefused) as refused:
                wait_for("a refusal", lambda: send(relay, "x@c.example"))
            assert refused.value.smtp_code == 451 and b"drained" in refused.value.smtp_error
            restart(relay)
            wait_for("it to be known", lambda: relay.control("queue")["draining"])
        relay.control("resume", destination="b.example")
        sink.wait(1)
        left(relay, 0)
        assert "the queue is empty" in alarms(relay)["draining", "relay"]["says"]
        assert relay.control("drain", end=True)["draining"] is False
        send(relay, "x@c.example")
        sink.wait(2)


@pytest.mark.parametrize("clock, says", [("unsynchronised", "no time server"),
                                         ("past", "before this program was made")])
def test_nothing_leaves_before_the_time_is_known(tmp_path, dns, clock, says):
    lab = {"clock": clock}
    with Sink() as sink, \
            relay_to(tmp_path, dns, sink, lab=lab, **{"wait-for-clock": [None]}) as relay:
        send(relay, "x@b.example")
        left(relay, 1)
        found = alarms(relay)["clock", "clock"]
        assert says in found["says"] and "time server" in found["mend"]
        assert relay.control("queue")["clock-right"] is False
        relay.control("retry", all=True)
        assert relay.control("queue")["messages"] == 1 and not sink.messages
        relay.config["lab"]["clock"] = "synchronised"
        relay.reload()
        sink.wait(1)
        assert alarms(relay) == {}
        # Once known, it stays so: a time server may be away for a day.
        relay.config["lab"]["clock"] = "unsynchronised"
        relay.reload()
        send(relay, "x@b.example")
        sink.wait(2)


def test_the_kernel_may_be_asked_for_the_time(tmp_path, dns):
    """What it answers depends on the machine."""
    with Sink() as sink, relay_to(tmp_path, dns, sink, **{"wait-for-clock": [None]}) as relay:
        known = relay.control("queue")["clock-right"]
        assert known or ("clock", "clock") in alarms(relay)
        assert "not on this role's list" not in relay.log()
