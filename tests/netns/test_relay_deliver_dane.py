# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mail host's TLS has to prove before it gets mail: DNSSEC and DANE (RFC 7672)."""

import pytest

from tests.harness.authority import Authority
from tests.harness.dns import Dns
from tests.harness.relay import wait_for
from tests.harness.sink import Garbage, Sink, answer
from tests.netns.test_relay_deliver_path import empty, relay_to, send

NO_TLS = tuple(e for e in Sink.__init__.__defaults__[3] if e != "STARTTLS")
OTHER = "ab" * 32


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def cert(authority):
    return authority.issue("mx.b.example")


def zone(records):
    return ("@ MX 10 mx\nmx A 127.0.0.1\n" +
            "".join(f"_25._tcp.mx {r}\n" for r in ([records] if isinstance(records, str)
                                                   else records)))


def world(zones, signed=("example", "b.example"), **more):
    return Dns({"example": "", "acme.example": "@ MX 10 mx\nmx A 127.0.0.1\n", **zones},
               signed=signed, **more)


def secure_relay(tmp_path, dns, sink, **more):
    config = relay_to(tmp_path, dns, sink, **more)
    config.config["lab"]["trust-anchor"] = dns.anchor
    return config


def reason(relay):
    """Why b.example gets nothing now."""
    def look():
        found = relay.control("queue", list=1)["destinations"]
        return found and found[0]["reason"]
    return wait_for("a reason", look)


def peers(relay, event="delivered"):
    return wait_for(event, lambda: [e["peer"] for e in relay.events() if e["event"] == event])


ACCEPTED = {
    "the key's SHA-256": lambda a, c: c.tlsa(3, 1, 1),
    "the key's SHA-512": lambda a, c: c.tlsa(3, 1, 2),
    "the key itself": lambda a, c: c.tlsa(3, 1, 0),
    "the certificate's SHA-256": lambda a, c: c.tlsa(3, 0, 1),
    "the certificate itself": lambda a, c: c.tlsa(3, 0, 0),
    "the authority's certificate": lambda a, c: a.tlsa(2, 0, 1),
    "the authority's key": lambda a, c: a.tlsa(2, 1, 2),
    "one of several": lambda a, c: [f"TLSA 3 1 1 {OTHER}", c.tlsa(3, 1, 1)],
}


@pytest.mark.parametrize("how", ACCEPTED)
def test_a_certificate_that_fits_is_spoken_to(tmp_path, authority, cert, how):
    with world({"b.example": zone(ACCEPTED[how](authority, cert))}) as dns, \
            Sink(certificate=cert) as sink, secure_relay(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        assert sink.wait(1)[0].tls
        assert sink.sessions[0].server_name == "mx.b.example"
        peer, = peers(relay)
        assert " TLSv1.2 " in peer and "(dane) in " in peer


def test_a_pinned_key_needs_no_name_and_no_date(tmp_path, authority):
    """RFC 7672 §3.1.1."""
    old = authority.issue("other.example", over=True)
    with world({"b.example": zone(old.tlsa(3, 1, 1))}) as dns, \
            Sink(certificate=old) as sink, secure_relay(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        assert sink.wait(1)[0].tls


def test_below_an_authority_the_recipients_domain_is_a_name_too(tmp_path, authority):
    """RFC 7672 §3.2.2."""
    named = authority.issue("b.example")
    with world({"b.example": zone(authority.tlsa(2, 0, 1))}) as dns, \
            Sink(certificate=named) as sink, secure_relay(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        assert sink.wait(1)[0].tls


REFUSED = {
    "another key": (lambda a, c: f"TLSA 3 1 1 {OTHER}", {}, "DANE"),
    "the authority's name is another": (
        lambda a, c: a.tlsa(2, 0, 1), {"names": ["other.example"]}, "Common Name"),
    "below the authority, but over": (lambda a, c: a.tlsa(2, 0, 1), {"over": True}, "expired"),
    "the authority is not sent": (
        lambda a, c: a.tlsa(2, 0, 1), {"send_issuer": False}, "DANE"),
    "SHA-512 says no, SHA-256 yes": (
        lambda a, c: [c.tlsa(3, 1, 1), f"TLSA 3 1 2 {OTHER * 2}"], {}, "DANE"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_certificate_that_does_not_fit_gets_nothing(tmp_path, authority, how):
    records, with_what, why = REFUSED[how]
    names = with_what.pop("names", ["mx.b.example"])
    shown = authority.issue(*names, **with_what)
    with world({"b.example": zone(records(authority, shown))}) as dns, \
            Sink(certificate=shown) as sink, secure_relay(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        assert why in reason(relay)
        assert sink.messages == []
        assert all(verb not in ("MAIL", "HELO") for s in sink.sessions for verb, _ in s.commands)


@pytest.mark.parametrize("how", ["not offered", "refused", "broken"])
def test_with_a_tlsa_record_nothing_goes_in_the_clear(tmp_path, cert, how):
    """REGRESSIONS: never fall back to cleartext."""
    script = {"not offered": (), "refused": answer("STARTTLS", "454 4.7.0 not now"),
              "broken": answer("TLS", Garbage())}[how]
    extensions = NO_TLS if how == "not offered" else NO_TLS + ("STARTTLS",)
    with world({"b.example": zone(cert.tlsa(3, 1, 1))}) as dns, \
            Sink(certificate=cert, script=script, extensions=extensions) as sink, \
            secure_relay(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        wait_for("two attempts", lambda: len(sink.sessions) >= 2)
        assert "TLS" in reason(relay)
        assert sink.messages == []
        assert all(verb != "MAIL" for s in sink.sessions for verb, _ in s.commands)


def test_without_usable_records_tls_is_still_demanded(tmp_path, cert):
    """RFC 7672 §2.2: records of other usages oblige the host to TLS, and prove nothing."""
    with world({"b.example": zone(f"TLSA 1 1 1 {OTHER}")}) as dns:
        with Sink(certificate=cert, extensions=NO_TLS) as sink, \
                secure_relay(tmp_path, dns, sink) as relay:
            send(relay, "bob@b.example")
            assert "4.7.4" in reason(relay)
            assert sink.messages == []
        with Sink(certificate=cert) as sink, \
                secure_relay(tmp_path / "2", dns, sink) as relay:
            send(relay, "bob@b.example")
            assert sink.wait(1)[0].tls


@pytest.mark.parametrize("what", ["TLSA", "A"])
def test_a_forged_answer_defers(tmp_path, cert, what):
    """REGRESSIONS: a DANE lookup that fails must defer. The signature of one record is wrong."""
    data = cert.tlsa(3, 1, 1).split()[-1]
    tamper = (data, OTHER) if what == "TLSA" else ("127.0.0.1", "127.0.0.9")
    with world({"b.example": zone(cert.tlsa(3, 1, 1))}, tamper={"b.example": tamper}) as dns, \
            Sink(certificate=cert) as sink, secure_relay(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        assert "validation failure" in reason(relay)
        assert ("4.7.5" if what == "TLSA" else "4.4.3") in reason(relay)
        assert sink.sessions == []


def test_another_host_takes_what_the_first_may_not(tmp_path, cert):
    records = ("@ MX 10 first\n@ MX 20 mx\nfirst A 127.0.0.9\nmx A 127.0.0.1\n"
               f"_25._tcp.first TLSA 3 1 1 {OTHER}\n_25._tcp.mx {cert.tlsa(3, 1, 1)}\n")
    with world({"b.example": records}) as dns, Sink(certificate=cert) as sink, \
            Sink(address="127.0.0.9", port=sink.port, certificate=cert) as first, \
            secure_relay(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        sink.wait(1)
        assert first.messages == [] and len(first.sessions) == 1


def test_records_that_nobody_signed_mean_nothing(tmp_path, cert):
    """RFC 7672 §2.2: TLSA records count only where DNSSEC vouches for them."""
    with world({"b.example": zone(f"TLSA 3 1 1 {OTHER}")}, signed=["example"]) as dns, \
            Sink(certificate=cert) as sink, secure_relay(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        assert sink.wait(1)[0].tls
        assert "(opportunistic)" in peers(relay)[0]


def test_an_alias_is_looked_for_under_both_names(tmp_path, cert):
    """RFC 7672 §2.2.2: what the alias stands for first, then the alias."""
    zones = {
        "b.example": "@ MX 10 mx\nmx CNAME host.c.example.\n",
        "c.example": f"host A 127.0.0.1\n_25._tcp.host {cert.tlsa(3, 1, 1)}\n",
        "d.example": ("@ MX 10 mx\nmx CNAME host.e.example.\n"
                      f"_25._tcp.mx {cert.tlsa(3, 1, 1)}\n"),
        "e.example": "host A 127.0.0.1\n",   # not signed: the alias's own records count
    }
    with world(zones, signed=["example", "b.example", "c.example", "d.example"]) as dns, \
            Sink(certificate=cert) as sink, secure_relay(tmp_path, dns, sink) as relay:
        send(relay, "bob@b.example")
        send(relay, "bob@d.example")
        sink.wait(2)
        assert {s.server_name for s in sink.sessions} == {"host.c.example", "mx.d.example"}
        assert all("(dane)" in p for p in wait_for("two", lambda: (lambda p: p if len(p) == 2
                                                                   else None)(peers(relay))))
        empty(relay)


def test_a_wrong_anchor_validates_nothing(tmp_path, cert):
    with world({"b.example": zone(cert.tlsa(3, 1, 1))}) as dns, Sink() as sink:
        relay = secure_relay(tmp_path, dns, sink)
        relay.config["lab"]["trust-anchor"] = f". IN DS 1 13 2 {OTHER}"
        with relay:
            send(relay, "bob@b.example")
            assert "4.4.3" in reason(relay) and "validation failure" in reason(relay)
            assert sink.sessions == []
