# SPDX-License-Identifier: GPL-2.0-or-later
"""MTA-STS (RFC 8461): the policy that a domain publishes over HTTPS, and what it obliges us to."""

import pytest

from tests.harness.authority import Authority
from tests.harness.dns import Dns
from tests.harness.policyhost import PolicyHost, policy
from tests.harness.relay import wait_for
from tests.harness.sink import Garbage, Sink, answer
from tests.netns.test_relay_deliver_dane import NO_TLS, OTHER, peers, reason, secure_relay
from tests.netns.test_relay_deliver_path import send

RECORD = '_mta-sts TXT "v=STSv1; id=20261123T1;"\nmta-sts A 127.0.0.1\n'
ZONE = "@ MX 10 mx\nmx A 127.0.0.1\n" + RECORD
ACME = {"acme.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def cert(authority):
    return authority.issue("mx.b.example")


@pytest.fixture
def host(authority):
    with PolicyHost(authority.issue("mta-sts.b.example")) as server:
        yield server


@pytest.fixture
def dns():
    with Dns({"b.example": ZONE, **ACME}) as server:
        yield server


def relay_to(tmp_path, dns, sink, host, authority, **more):
    relay = secure_relay(tmp_path, dns, sink, **more)
    relay.config["lab"].update({"sts-port": host.port, "ca-file": str(authority.path)})
    if not dns.anchor:
        del relay.config["lab"]["trust-anchor"]
    return relay


def test_a_host_that_the_policy_names_and_its_certificate_proves(tmp_path, authority, cert, host,
                                                                dns):
    host.policies["b.example"] = policy("enforce", "other.b.example", "*.B.example")
    with Sink(certificate=cert) as sink, relay_to(tmp_path, dns, sink, host, authority) as relay:
        send(relay, "bob@b.example")
        assert sink.wait(1)[0].tls
        assert "(mta-sts) in " in peers(relay)[0]
        assert host.requests == [("mta-sts.b.example", "/.well-known/mta-sts.txt")]


BAD_HOSTS = {
    "its certificate is nobody's": ({}, "not correctly signed"),
    "its certificate names another": ({"names": ["mx.c.example"]}, "Common Name"),
    "its certificate is over": ({"names": ["mx.b.example"], "over": True}, "expired"),
    "no TLS": ({"extensions": NO_TLS}, "4.7.4"),
    "a TLS that breaks": ({"script": answer("TLS", Garbage())}, "TLS"),
    "the policy does not name it": ({"policy": "mx2.b.example"}, "MTA-STS"),
    "a pattern that goes too deep": ({"policy": "*.example"}, "MTA-STS"),
}


@pytest.mark.parametrize("how", BAD_HOSTS)
def test_an_enforced_policy_keeps_mail_from_others(tmp_path, authority, host, dns, how):
    more, why = BAD_HOSTS[how]
    more = dict(more)
    names, over = more.pop("names", None), more.pop("over", False)
    host.policies["b.example"] = policy("enforce", more.pop("policy", "mx.b.example"))
    shown = authority.issue(*names, over=over) if names else None
    with Sink(certificate=shown, **more) as sink, \
            relay_to(tmp_path, dns, sink, host, authority) as relay:
        send(relay, "bob@b.example")
        assert why in reason(relay)
        assert sink.messages == []
        assert all(verb != "MAIL" for s in sink.sessions for verb, _ in s.commands)


@pytest.mark.parametrize("mode", ["testing", "none"])
def test_other_modes_oblige_to_nothing(tmp_path, authority, host, dns, mode):
    host.policies["b.example"] = policy(mode, "mx2.b.example")
    with Sink(extensions=NO_TLS) as sink, \
            relay_to(tmp_path, dns, sink, host, authority) as relay:
        send(relay, "bob@b.example")
        sink.wait(1)
        assert "no TLS (opportunistic)" in peers(relay)[0]


NO_POLICY = {
    "there is none": None,
    "a redirect": (302, {"Location": "https://mta-sts.b.example/other"}, ""),
    "another type": (200, {"Content-Type": "text/html"}, policy("enforce", "mx2.b.example")),
    "too long": policy("enforce", *["mx2.b.example"] * 5000),
    "no mode": "version: STSv1\r\nmx: mx2.b.example\r\nmax_age: 86400\r\n",
}


@pytest.mark.parametrize("how", NO_POLICY)
def test_a_policy_that_cannot_be_had_is_none(tmp_path, authority, host, dns, how):
    """RFC 8461 §3.3: without one that was had before, as if there were no record."""
    if NO_POLICY[how]:
        host.policies["b.example"] = NO_POLICY[how]
    with Sink(extensions=NO_TLS) as sink, \
            relay_to(tmp_path, dns, sink, host, authority) as relay:
        send(relay, "bob@b.example")
        sink.wait(1)
        assert len(host.requests) == 1
        assert "MTA-STS policy of b.example cannot be fetched" in relay.log()


def test_a_policy_host_that_proves_nothing_is_not_believed(tmp_path, authority, dns):
    with PolicyHost(authority.issue("www.b.example")) as host, Sink(extensions=NO_TLS) as sink, \
            relay_to(tmp_path, dns, sink, host, authority) as relay:
        host.policies["b.example"] = policy("enforce", "mx2.b.example")
        send(relay, "bob@b.example")
        sink.wait(1)
        assert host.requests == []


def test_a_policy_is_fetched_once_for_its_id_and_outlives_a_fetch_that_fails(
        tmp_path, authority, cert, host, dns):
    host.policies["b.example"] = policy("enforce", "mx.b.example")
    plain = Sink(extensions=NO_TLS)
    with plain as sink, relay_to(tmp_path, dns, sink, host, authority) as relay:
        send(relay, "bob@b.example")
        assert "4.7.4" in reason(relay)
        # A retry asks the DNS anew, and nobody else.
        tried = len(sink.sessions)
        wait_for("more attempts", lambda: len(sink.sessions) >= tried + 2)
        assert len(host.requests) == 1
        # A new id leads to a fetch; it fails; the old policy stays in force.
        host.policies.clear()
        dns.set("b.example", ZONE.replace("20261123T1", "20261123T2"))
        wait_for("another fetch", lambda: len(host.requests) == 2)
        tried = len(sink.sessions)
        wait_for("more attempts", lambda: len(sink.sessions) >= tried + 2)
        # The record is gone; the promise is not.
        dns.set("b.example", ZONE.replace(RECORD, ""))
        tried = len(sink.sessions)
        wait_for("more attempts", lambda: len(sink.sessions) >= tried + 3)
        assert len(host.requests) == 2
        # Its sender may have been told meanwhile that it is late.
        assert all(m.recipients != ["bob@b.example"] for m in sink.messages)
        assert "; the one before stays" in relay.log()


def test_dane_goes_before_it(tmp_path, authority, cert, host):
    """RFC 8461 §2: a policy that is fulfilled does not outweigh a TLSA record that is not."""
    host.policies["b.example"] = policy("enforce", "mx.b.example")
    zones = {"example": "", **ACME}
    for record, delivered in ((f"TLSA 3 1 1 {OTHER}", False), (cert.tlsa(3, 1, 1), True)):
        with Dns({"b.example": ZONE + f"_25._tcp.mx {record}\n", **zones},
                 signed=["example", "b.example"]) as dns, \
                Sink(certificate=cert) as sink, \
                relay_to(tmp_path / str(delivered), dns, sink, host, authority) as relay:
            send(relay, "bob@b.example")
            if delivered:
                sink.wait(1)
                assert "(dane)" in peers(relay)[0]
            else:
                assert "DANE" in reason(relay) and sink.messages == []
