# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of a domain's hosts gets the mail: RFC 5321 §5."""

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import wait_for
from tests.harness.sink import Sink, answer, close_at
from tests.netns.test_relay_deliver_path import empty, relay_to, send

# Every sink listens at the one port that the relay goes to: .1 and ::1 are other hosts than .9.
EQUAL = {f"e{i}.example": "@ MX 10 a\n@ MX 10 b\na A 127.0.0.1\nb A 127.0.0.9\n"
         for i in range(24)}
ZONES = {
    "acme.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "both.example": "@ MX 10 mx\nmx A 127.0.0.9\nmx AAAA ::1\n",
    "six.example": "@ MX 10 mx\nmx AAAA ::1\n",
    "implicit6.example": "@ AAAA ::1\n",
    "order.example": "@ MX 30 c\n@ MX 10 a\n@ MX 20 b\na A 127.0.0.8\nb A 127.0.0.9\n"
                     "c A 127.0.0.1\n",
    "oneless.example": "@ MX 10 gone\n@ MX 20 mx\nmx A 127.0.0.1\n",
    "less.example": "@ MX 10 gone\n@ MX 20 mx.nowhere.example.\n",
    "nullish.example": "@ MX 0 .\n@ MX 10 mx\nmx A 127.0.0.1\n",
    "backup.example": "@ MX 10 better\n@ MX 20 relay.example.net.\n@ MX 30 worse\n"
                      "better A 127.0.0.9\nworse A 127.0.0.1\n",
    "address.example": "@ MX 10 us\n@ MX 20 worse\nus A 127.0.0.5\nworse A 127.0.0.1\n",
    "alias.example": "@ MX 10 mx\nmx CNAME mx.acme.example.\n",
    **EQUAL,
}


@pytest.fixture(scope="module")
def dns():
    with Dns(ZONES) as server:
        yield server


def other(sink, address="127.0.0.9", **more):
    return Sink(address=address, port=sink.port, **more)


def bounce_of(sink):
    report, = sink.wait(1)
    assert report.sender == ""
    return report.data


def test_ipv4_comes_before_ipv6(tmp_path, dns):
    with Sink() as sink, other(sink) as four, other(sink, "::1") as six, \
            relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@both.example")
        four.wait(1)
        empty(relay)
        assert six.sessions == []


def test_ipv6_is_used_where_ipv4_does_not_answer(tmp_path, dns):
    with Sink() as sink, other(sink, "::1") as six, relay_to(tmp_path, dns, sink) as relay:
        for recipient in ("bob@both.example", "bob@six.example", "bob@implicit6.example"):
            send(relay, recipient)
        assert {m.peer[0] for m in six.wait(3)} == {"::1"}
        empty(relay)


def test_better_hosts_are_tried_first(tmp_path, dns):
    refuses = answer("CONNECT", "554 5.3.2 not today")
    with Sink() as last, other(last, "127.0.0.8", script=refuses) as first, \
            other(last, script=close_at("EHLO")) as second, \
            relay_to(tmp_path, dns, last) as relay:
        send(relay, "bob@order.example")
        last.wait(1)
        assert len(first.sessions) == len(second.sessions) == 1
        empty(relay)


def test_hosts_of_one_preference_share(tmp_path, dns):
    """With 24 domains the chance that one of two hosts gets nothing is one in eight million."""
    with Sink() as sink, other(sink) as second, relay_to(tmp_path, dns, sink) as relay:
        for zone in EQUAL:
            send(relay, f"bob@{zone}")
        wait_for("all", lambda: len(sink.messages) + len(second.messages) == len(EQUAL))
        assert sink.messages and second.messages


def test_a_host_without_an_address_is_passed_over(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@oneless.example")
        assert sink.wait(1)[0].recipients == ["bob@oneless.example"]


def test_no_host_with_an_address_is_final(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@less.example")
        assert b"Status: 5.4.4" in bounce_of(sink)


def test_a_null_mx_beside_others_means_nothing(tmp_path, dns):
    """RFC 7505 §3: it has to stand alone."""
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@nullish.example")
        assert sink.wait(1)[0].recipients == ["bob@nullish.example"]


def test_as_a_backup_we_go_to_better_hosts_only(tmp_path, dns):
    """RFC 5321 §5.1: those of our own preference or worse would send it back to us."""
    with Sink() as worse, relay_to(tmp_path, dns, worse) as relay:
        send(relay, "bob@backup.example")
        wait_for("an attempt", lambda: any("refused" in d["reason"] for d in
                                           relay.control("queue", list=1)["destinations"]))
        assert worse.messages == []
        with other(worse) as better:
            assert better.wait(1)[0].recipients == ["bob@backup.example"]
        empty(relay)


def test_an_alias_is_followed(tmp_path, dns):
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        send(relay, "bob@alias.example")
        sink.wait(1)


def test_a_host_with_our_address_is_us(tmp_path, dns):
    """However it is called: 127.0.0.5 is where this relay takes mail."""
    with Sink() as sink, relay_to(tmp_path, dns, sink) as relay:
        port = sink.port
        relay.config["listen"].append({"name": "self", "address": "127.0.0.5", "port": port,
                                       "kind": "relay"})
        relay.reload()
        wait_for("the listener", lambda: any(
            l["name"] == "self" for l in relay.control("listeners")["listeners"]))
        send(relay, "bob@address.example")
        assert b"Status: 5.4.6" in bounce_of(sink)
        empty(relay)
