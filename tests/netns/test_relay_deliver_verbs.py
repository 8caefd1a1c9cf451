# SPDX-License-Identifier: GPL-2.0-or-later
"""An administrator's view of the queue, and hand in it; a new config under way; fair turns."""

import smtplib

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account, wait_for
from tests.harness.sink import Sink, answer, delay, refuse

ZONES = {
    "b.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "c.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "dead.example": "@ MX 10 mx\nmx A 127.0.0.9\n",
    "acme.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
}
SLOW = {"first": 3600, "longest": 3600, "expire": 86400}
ACCOUNTS = [account(), account("beta", senders=["*@beta.example"])]


@pytest.fixture(scope="module")
def dns():
    with Dns(ZONES) as server:
        yield server


def relay_to(tmp_path, dns, sink, **config):
    return Relay(tmp_path, **{
        "name-server": [dns.address],
        "lab": {"smtp-port": sink.port, "dns-port": dns.port},
        "retry": SLOW, "accounts": ACCOUNTS,
        **config,
    })


def send(relay, recipients, count=1, sender="joe@acme.example", body="Hello"):
    text = f"From: {sender}\r\nSubject: a subject\r\n\r\n{body}\r\n"
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
        for _ in range(count):
            client.sendmail(sender, recipients, text)


def settled(relay, messages):
    """The queue, once so many messages are in it and all wait for their time."""
    def look():
        queue = relay.control("queue", list=100)
        quiet = all(d["ready"] == 0 and d["sessions"] == 0 for d in queue["destinations"])
        return queue if queue["messages"] == messages and quiet else None
    return wait_for(f"{messages} messages that wait", look)


def test_the_queue_can_be_looked_at(tmp_path, dns):
    script = refuse("x@b.example", "450 4.2.1 busy")
    with Sink(script=script) as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, ["x@b.example", "y@b.example"])
        send(relay, ["z@dead.example"], sender="q@beta.example")
        queue = settled(relay, 2)
        assert queue["recipients"] == 2
        assert {a["account"]: a["messages"] for a in queue["accounts"]} == {"acme": 1, "beta": 1}
        assert {d["domain"]: d["waiting"] for d in queue["destinations"]} == {
            "b.example": 1, "dead.example": 1}
        listed = relay.control("queue", list=10, account="acme")["list"]
        assert [m["sender"] for m in listed] == ["joe@acme.example"]
        shown = relay.control("show", message=listed[0]["message"])
        assert shown["subject"] == "a subject"
        assert [(r["address"], r["state"], r["attempts"], r["reply"])
                for r in shown["recipients"]] == [
            ("x@b.example", "waiting", 1, "450 4.2.1 busy"),
            ("y@b.example", "delivered", 1, shown["recipients"][1]["reply"])]
        # What was said is still known after a restart.
        relay.kill()
        relay.start()
        wait_for("the queue", lambda: relay.control("queue")["messages"] == 2)
        again = relay.control("show", message=listed[0]["message"])
        assert again["recipients"] == shown["recipients"]


def test_wrong_questions_get_an_answer(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        assert "no such message" in relay.control("show", message="0000000000001")["error"]
        assert "not the number" in relay.control("show", message="what?!")["error"]
        assert "say which" in relay.control("remove")["error"]


def test_hold_release_remove_and_retry(tmp_path, dns):
    with Sink(script=answer("RCPT", "451 4.7.1 later", times=4)) as sink, \
            relay_to(tmp_path, dns, sink) as relay:
        send(relay, ["1@b.example"])
        send(relay, ["2@c.example"])
        send(relay, ["3@b.example"], sender="q@beta.example")
        send(relay, ["4@c.example"], sender="q@beta.example")
        settled(relay, 4)
        assert relay.control("hold", account="beta")["changed"] == 2
        assert relay.control("retry", all=True)["changed"] == 2
        assert sorted(m.recipients[0] for m in sink.wait(2)) == ["1@b.example", "2@c.example"]
        settled(relay, 2)
        assert relay.control("queue")["held"] == 2
        # Held mail stays so over a restart.
        relay.kill()
        relay.start()
        wait_for("held mail", lambda: relay.control("queue")["held"] == 2)
        assert relay.control("remove", destination="c.example")["changed"] == 1
        assert relay.control("release", all=True)["changed"] == 1
        # It still waits for its time.
        assert relay.control("retry", account="beta")["changed"] == 1
        sink.wait(3)
        wait_for("an empty queue", lambda: relay.control("queue")["messages"] == 0)
        assert [m.recipients for m in sink.messages[2:]] == [["3@b.example"]]


def test_a_new_pool_holds_for_what_waits(tmp_path, dns):
    pools = [{"name": "one", "source": ["127.0.0.2"]}, {"name": "two", "source": ["127.0.0.3"]}]
    with Sink(script=answer("RCPT", "451 4.7.1 later", times=1)) as sink, \
            relay_to(tmp_path, dns, sink, pool=pools[:1]) as relay:
        send(relay, ["1@b.example"])
        settled(relay, 1)
        relay.config["pool"] = pools[1:]
        relay.reload()
        wait_for("the new pool", lambda: relay.control("queue")["destinations"][0]["pool"] == "two")
        relay.control("retry", all=True)
        assert sink.wait(1)[0].peer[0] == "127.0.0.3"


def test_a_small_account_does_not_wait_behind_a_flood(tmp_path, dns):
    """Not timed: counted. The flood stands in the queue of a slow destination."""
    with Sink() as port, relay_to(tmp_path, dns, port) as relay:
        send(relay, ["flood@dead.example"], count=600)
        settled(relay, 600)
        with Sink(address="127.0.0.9", port=port.port, script=delay(".", 0.2)) as sink:
            relay.control("retry", all=True)
            sink.wait(40)
            for _ in range(5):
                before = len(sink.messages)
                send(relay, ["small@dead.example"], sender="q@beta.example")
                assert sink.wait_for(lambda: "q@beta.example" in
                                     [m.sender for m in sink.messages[before:]])
                passed = [m.sender for m in sink.messages[before:]].index("q@beta.example")
                # What 20 sessions had under way or made ready when it came.
                assert passed <= 60, f"{passed} messages of the flood went first"
            assert len(sink.messages) < 605, "the flood was over before it was shown"
