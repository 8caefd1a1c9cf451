# SPDX-License-Identifier: GPL-2.0-or-later
"""Signing keys, suppressions and what is shut off, from the command line through gatepostd."""
import re
import shutil
import smtplib
import subprocess

import dkim
import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, wait_for
from tests.harness.sink import Sink
from tests.netns.gate import Gate
from tests.netns.test_cli_relay_queue import LAB, config_of



TRACKING = "tracking { host t.example.net; expire 30; }\n"
TRACK = """track {
    clicks-text; on-request; foreign-signed; host t.acme.example;
    sender-domain dept.acme.example { host t.dept.example; }
    campaign "all the year"; tag [ news "two words" ];
}"""


@pytest.fixture(name="site")
def _site(tmp_path):
    zones = {"b.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}
    relay = Relay(tmp_path / "relay")
    with Dns(zones) as dns, Sink() as sink:
        config = config_of(relay, LAB.format(dns=dns, sink=sink)).replace(
            'from "*@acme.example";', 'from "*@acme.example"; sign { domain acme.example; '
            'selector g1; dkim; domainkeys; } ' + TRACK).replace("relay {", "relay {\n" + TRACKING)
        with Gate(tmp_path / "gate", config=config, options=["--lab"]) as gate:
            relay.config_path = gate.run / "relay.json"
            relay.write_config = lambda: None  # gatepostd has written it
            with relay:
                yield gate, relay, sink


def send(relay, recipient="x@b.example"):
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as smtp:
        smtp.sendmail("joe@acme.example", [recipient],
                      "From: joe@acme.example\r\nTo: x@b.example\r\nSubject: hello\r\n\r\nhello\r\n")


def txt(said):
    """{name: text} of the zone file lines that were printed, strings joined as the DNS does."""
    found = {}
    for name, rest in re.findall(r"^(\S+)\. IN TXT (\( (?:.|\n)*? \)|\".*\")$", said, re.M):
        parts = re.findall(r'"([^"]*)"', rest)
        assert all(len(part) <= 255 for part in parts)
        found[name] = "".join(parts)
    return found


def test_a_key_is_made_its_record_pasted_and_mail_verifies(site):
    gate, relay, sink = site
    keys = gate.do("show relay keys")
    assert re.search(r"acme\.example +g1 .* acme +missing", keys), keys
    said = gate.do("request relay key make Acme.example g1")
    records = txt(said)
    assert set(records) == {"g1._domainkey.acme.example", "_domainkey.acme.example"}
    ed = gate.do("request relay key make acme.example g1 ed25519")
    records |= txt(ed)
    assert records["g1-ed25519._domainkey.acme.example"].startswith("v=DKIM1; k=ed25519; p=")
    keys = gate.do("show relay keys")
    assert re.search(r"g1 +rsa +2048 +acme +in use", keys), keys
    assert re.search(r"g1-ed25519 +ed25519 +\d+ +acme +in use", keys), keys
    assert txt(gate.do("show relay keys domain acme.example")).keys() == records.keys()
    assert "acme" not in gate.do("show relay keys domain other.example")

    send(relay)
    (mail,) = sink.wait(1)
    assert mail.header.count(b"DKIM-Signature:") == 2 and b"DomainKey-Signature:" in mail.header

    def lookup(name, timeout=5):
        del timeout
        return records[name.decode().rstrip(".")].encode()

    for i in range(2):
        assert dkim.DKIM(mail.data).verify(idx=i, dnsfunc=lookup)
    check_domainkeys(mail.data, records)


def check_domainkeys(data, records):
    """Mail::DKIM with our records in place of its resolver."""
    if not shutil.which("perl"):
        pytest.skip("no perl")
    script = r"""
        use Mail::DKIM::Verifier; use Mail::DKIM::DNS; no warnings;
        my %%r = (%s);
        package Fake; sub type { 'TXT' } sub txtdata { $_[0]{t} } sub char_str_list { ($_[0]{t}) }
        package main;
        *Mail::DKIM::DNS::query = sub { my $n = shift; $n =~ s/\.$//;
            return exists $r{$n} ? (bless {t => $r{$n}}, 'Fake') : () };
        my $v = Mail::DKIM::Verifier->new(); local $/; my $m = <STDIN>;
        $v->PRINT($m); $v->CLOSE;
        print join(' ', map { ref($_) . '=' . $_->result } $v->signatures), "\n";
    """ % ", ".join(f"'{k}' => '{v}'" for k, v in records.items())
    out = subprocess.run(["perl", "-e", script], input=data, capture_output=True, check=True)
    assert b"Mail::DKIM::DkSignature=pass" in out.stdout, (out.stdout, out.stderr)


def test_what_is_committed_is_what_the_relay_does(site):
    gate, relay, sink = site
    gate.do("request relay key make acme.example g1")
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as smtp:
        smtp.sendmail("joe@acme.example", ["x@b.example"],
                      "From: joe@acme.example\r\nX-Gatepost-Track: opens=yes\r\n"
                      "Content-Type: text/html\r\n\r\n<p>hello\r\n")
    (mail,) = sink.wait(1)
    assert b"http://t.acme.example/o/" in mail.data
    row = wait_for("an event", lambda: [r for r in relay.events() if r["event"] == "received"])[0]
    assert (row["campaign"], row["tags"]) == ("all the year", "news,two words")


def test_a_key_is_never_replaced_and_bad_names_are_told(site):
    gate, relay, _ = site
    gate.do("request relay key make acme.example g1")
    path = relay.keys / "acme.example.g1.pem"
    before = path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    for words, said in (("acme.example g1", "it is there already"),
                        ("acme.example ../../x", "'../../x'"),
                        ("../acme.example g1", "not a domain"),
                        ("acme g1", "not a domain"),
                        ("acme.example g1-ed25519 rsa", "by itself")):
        got = gate.cli("-c", f"request relay key make {words}")
        assert got.returncode != 0 and said in got.stderr, got
    assert path.read_bytes() == before


def test_lists_from_the_command_line(site):
    gate, relay, sink = site
    assert gate.do("request relay key make acme.example g1")
    assert gate.do('request relay suppress account acme address x@b.example reason "by phone"') == "done\n"
    assert gate.do("request relay suppress account acme address x@b.example") == "it was so already\n"
    assert re.search(r"acme +x@b\.example +by phone", gate.do("show relay suppressions"))
    send(relay)
    wait_for("the report to the sender", lambda: "suppressed" in gate.do("show relay log"))
    assert gate.do("request relay unsuppress account acme address X@b.example") == "done\n"
    assert "x@b" not in gate.do("show relay suppressions account acme")
    send(relay)
    wait_for("mail", lambda: [m for m in sink.messages if m.recipients == ["x@b.example"]])

    assert gate.do("request relay shut-off domain Phish.example reason phishing") == "done\n"
    assert gate.do("request relay shut-off account acme") == "done\n"
    shown = gate.do("show relay shut-off")
    assert re.search(r"domain +phish\.example +phishing", shown) and re.search(r"account +acme", shown)
    assert gate.do("request relay reopen account acme") == "done\n"
    assert gate.do("request relay reopen domain phish.example") == "done\n"
    assert "phish" not in gate.do("show relay shut-off")
    got = gate.cli("-c", "request relay reopen domain phish.example")
    assert got.returncode != 0 and "not shut off" in got.stderr
