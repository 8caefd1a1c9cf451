# SPDX-License-Identifier: GPL-2.0-or-later
"""Pools: a smart host that takes their mail, and a HELO name for each source address."""

import subprocess

import pytest

from tests.harness.authority import Authority
from tests.harness.dns import Dns
from tests.harness.relay import BUILD, account
from tests.harness.sink import Sink, answer
from tests.netns.test_relay_deliver_dane import NO_TLS, peers, reason
from tests.netns.test_relay_deliver_path import empty, relay_to, send

USERS = {"gatepost": "open sesame"}
LOGIN = {"user": "gatepost", "password": "open sesame"}
ZONES = {
    "b.example": "@ MX 10 mx\nmx A 127.0.0.9\n",
    "c.example": "@ MX 0 .\n",
    "acme.example": "@ MX 10 mx\nmx A 127.0.0.9\n",
    "smart.example": "out A 127.0.0.1\n",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def cert(authority):
    return authority.issue("out.smart.example")


@pytest.fixture(scope="module")
def dns():
    with Dns(ZONES) as server:
        yield server


def smart_relay(tmp_path, dns, sink, authority, **smart):
    smart = {"host": "out.smart.example", "port": sink.port, **smart}
    relay = relay_to(tmp_path, dns, sink, pool=[{"name": "shared", "smart-host": smart}])
    relay.config["lab"]["ca-file"] = str(authority.path)
    return relay


@pytest.mark.parametrize("auth", ["AUTH PLAIN LOGIN", "AUTH LOGIN", "AUTH=LOGIN"])
@pytest.mark.parametrize("tls", ["starttls-required", "implicit"])
def test_all_of_a_pools_mail_goes_to_its_smart_host(tmp_path, dns, authority, cert, tls, auth):
    with Sink(certificate=cert, users=USERS, implicit=tls == "implicit", auth=auth) as sink, \
            smart_relay(tmp_path, dns, sink, authority, tls=tls, **LOGIN) as relay:
        send(relay, ["bob@b.example", "eve@c.example"])
        message, = sink.wait(1)  # one transaction: the way is one
        assert message.tls and message.user == "gatepost"
        assert sorted(message.recipients) == ["bob@b.example", "eve@c.example"]
        empty(relay)
        assert "pool shared" in peers(relay)[0] and "(smart-host)" in peers(relay)[0]
        assert sink.faults == []


def test_without_a_user_nobody_logs_in(tmp_path, dns, authority, cert):
    with Sink(certificate=cert, auth="AUTH PLAIN") as sink, \
            smart_relay(tmp_path, dns, sink, authority) as relay:
        send(relay, "bob@b.example")
        assert sink.wait(1)[0].tls
        assert all(verb != "AUTH" for s in sink.sessions for verb, _ in s.commands)


def test_tls_none_speaks_plainly(tmp_path, dns, authority, cert):
    with Sink(certificate=cert) as sink, \
            smart_relay(tmp_path, dns, sink, authority, tls="none") as relay:
        send(relay, "bob@b.example")
        assert not sink.wait(1)[0].tls


BAD = {
    "no STARTTLS": ({"extensions": NO_TLS}, {}, "4.7.4"),
    "STARTTLS refused": ({"script": answer("STARTTLS", "454 4.7.0 no")}, {}, "4.7.4"),
    "a certificate of nobody": ({"certificate": None}, {}, "not correctly signed"),
    "a wrong password": ({}, {"password": "other"}, "535 5.7.8"),
    "no AUTH": ({"auth": "AUTH CRAM-MD5"}, {}, "neither AUTH PLAIN nor"),
    "cleartext for TLS": ({"implicit": False}, {"tls": "implicit"}, "TLS"),
}


@pytest.mark.parametrize("how", BAD)
def test_mail_waits_while_the_smart_host_is_not_as_it_should_be(tmp_path, dns, authority, cert,
                                                               how):
    """It waits, and neither mail nor password goes out."""
    more, smart, why = BAD[how]
    with Sink(**{"certificate": cert, "users": USERS, **more}) as sink, \
            smart_relay(tmp_path, dns, sink, authority, **{**LOGIN, **smart}) as relay:
        send(relay, "bob@b.example")
        assert why in reason(relay)
        assert sink.messages == []
        assert not [f for f in sink.faults if "AUTH" in f[1]]
        if how != "a wrong password":
            assert all(verb != "AUTH" for s in sink.sessions for verb, _ in s.commands)


def test_only_deliver_is_given_the_password(tmp_path, dns, authority, cert):
    """What speaks to the network on behalf of others never sees it."""
    with Sink(certificate=cert, users=USERS) as sink, \
            smart_relay(tmp_path, dns, sink, authority, **LOGIN) as relay:
        send(relay, "bob@b.example")
        sink.wait(1)
        for process in relay.control("status")["processes"]:
            found = holds(process["pid"], b"open sesame")
            assert found == (process["role"] == "deliver"), process["role"]


def holds(pid, secret):
    """Does a process have these bytes in memory?"""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, rights, *_ = line.split()
            first, last = (int(x, 16) for x in span.split("-"))
            if not rights.startswith("rw") or last - first > 1 << 28 or "vvar" in line:
                continue
            memory.seek(first)
            try:
                if secret in memory.read(last - first):
                    return True
            except OSError:
                pass
    return False


def test_each_source_has_its_helo_name(tmp_path, dns):
    zones = {**ZONES, "b.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}
    pool = {"name": "shared", "source": ["127.0.0.2", "127.0.0.3"], "host-name": "out.example.net",
            "helo": [{"source": "127.0.0.3", "host-name": "out3.example.net"}]}
    with Dns(zones) as server, Sink() as sink, \
            relay_to(tmp_path, server, sink, pool=[pool]) as relay:
        names = {"127.0.0.2": "out.example.net", "127.0.0.3": "out3.example.net"}
        for i in range(12):
            zone = f"z{i}.example"
            zones[zone] = "@ MX 10 mx.b.example.\n"
        for zone in zones:
            server._zones[zone] = zones[zone]
        server.set("b.example", zones["b.example"])
        for i in range(12):
            send(relay, f"bob@z{i}.example")
        seen = {(m.peer[0], m.helo) for m in sink.wait(12)}
        assert seen == set(names.items())


FAULTS = {
    "user without TLS": ({"host": "a.example", "tls": "none", "user": "u"}, "'u'"),
    "no host": ({"port": 25}, "host"),
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_smart_host_that_makes_no_sense_is_refused(tmp_path, dns, how):
    smart, quoted = FAULTS[how]
    with Sink() as sink:
        relay = relay_to(tmp_path, dns, sink, pool=[{"name": "shared", "smart-host": smart}],
                         accounts=[account()])
        relay.write_config()
        done = subprocess.run([BUILD / "bin" / "gatepost-relay", "-c", relay.config_path, "--check"],
                              capture_output=True, text=True)
        relay.short.cleanup()
        assert done.returncode == 1
        assert "pool[shared]/smart-host" in done.stderr and quoted in done.stderr
