# SPDX-License-Identifier: GPL-2.0-or-later
"""The relay's certificate: what clients see, what is refused, what the operator is told."""
import shutil
import ssl
import subprocess

import pytest

from tests.harness.certs import Certificate, Expired
from tests.harness.relay import BUILD, Relay, account, wait_for
from tests.netns.gate import SITE, Gate
from tests.netns.smtp_talk import Talk

HOST = "relay.example.net"


@pytest.fixture
def good(tmp_path):
    return Certificate(tmp_path, HOST, "t.example.net", name="good")


@pytest.fixture
def relay(tmp_path, good):
    with Relay(tmp_path / "relay", tls=good.leaves()) as relay:
        yield relay


def shown(relay):
    """The certificate that a client gets to see, as PEM."""
    with Talk(relay.port("submissions"), tls=True) as talk:
        return ssl.DER_cert_to_PEM_cert(talk.socket.getpeercert(binary_form=True))


def test_clients_see_the_configured_one_and_the_operator_its_names_and_dates(relay, good):
    assert shown(relay) == good.chain.read_text()
    told = relay.control("certificate")
    assert told["names"] == f"{HOST}, t.example.net"
    assert HOST in told["issuer"] and told["file"] == str(good.chain)
    assert told["days-left"] in (89, 90) and told["expires"].endswith(" UTC")
    assert told["alarm"] == ("tls: the certificate is self-signed: Gmail and other large senders "
                             "refuse those")


def other_name(folder, good):
    return Certificate(folder, "mail.example.org").leaves()


def expired(folder, good):
    return Expired(folder).leaves()


def foreign_key(folder, good):
    return {**good.leaves(), "key-file": str(Certificate(folder, HOST).key)}


def garbage(folder, good):
    chain = folder / "garbage.crt"
    chain.write_text("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n")
    return {**good.leaves(), "chain-file": str(chain)}


def missing(folder, good):
    return {**good.leaves(), "key-file": str(folder / "nowhere.key")}


BAD = {
    other_name: ["is for mail.example.org", f"not for {HOST} (relay host-name)"],
    expired: ["old.example is valid only until 2001-01-02 00:00 UTC"],
    foreign_key: ["private key does not belong", f"CN={HOST}"],
    garbage: ["certificate chain does not parse"],
    missing: ["nowhere.key", "No such file"],
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_one_that_does_not_fit_is_refused_at_a_reload(relay, good, tmp_path, make):
    relay.config["tls"] = make(tmp_path, good)
    if make is expired:
        relay.config["host-name"] = "old.example"
    relay.write_config()
    answer = relay.control("reload")
    assert answer["ok"] is False
    for word in BAD[make]:
        assert word in answer["error"]
    assert shown(relay) == good.chain.read_text()
    checked = subprocess.run([BUILD / "bin" / "gatepost-relay", "-c", relay.config_path, "--check"],
                             capture_output=True, text=True, check=False)
    assert checked.returncode == 1 and BAD[make][0] in checked.stderr


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_one_that_does_not_fit_is_refused_at_the_commit(tmp_path, good, make):
    def text(leaves, host=HOST):
        return SITE.replace(HOST, host).replace("    pool shared", f"""    tls {{
        chain-file "{leaves["chain-file"]}";
        key-file "{leaves["key-file"]}";
    }}
    pool shared""")

    bad = text(make(tmp_path, good), "old.example" if make is expired else HOST)
    with Gate(tmp_path / "gate") as gate:
        before = gate.files()
        for verb in ("check", "commit"):
            answer = gate.ask(verb, text=bad)
            assert answer["ok"] is False
            assert "relay tls" in answer["error"]
            for word in BAD[make]:
                assert word in answer["error"]
        assert gate.files() == before
        assert gate.ask("commit", text=text(good.leaves()))["ok"]
        # What it was committed with may go bad: other changes are not held up by it.
        good.chain.write_text("nothing")
        assert gate.ask("commit", text=text(good.leaves()).replace("gw1", "gw2"))["ok"]
        assert not gate.ask("commit", text=text(good.leaves(), "other.example"))["ok"]


def test_links_by_https_need_their_hosts_in_it(tmp_path, good):
    with Relay(tmp_path / "relay", tls=good.leaves(), tracking={"host": "t.example.net"},
               accounts=[account(track={"host": "links.acme.example", "clicks": [None]})]) as relay:
        relay.config["tracking"]["https"] = [None]
        relay.write_config()
        error = relay.control("reload")["error"]
        assert "not for links.acme.example (relay account acme track host)" in error
        assert "t.example.net (relay tracking" not in error
        relay.config["tls"] = Certificate(tmp_path, HOST, "t.example.net", "*.acme.example").leaves()
        relay.write_config()
        assert relay.control("reload")["ok"]


def test_a_commit_of_https_links_needs_their_hosts_in_it(tmp_path, good):
    """good is for HOST and t.example.net."""
    def text(tracking, track="opens;", tls=True):
        files = f'chain-file "{good.chain}"; key-file "{good.key}";'
        return SITE.replace("    pool shared", f"""    tls {{ {files if tls else ""} }}
    http https {{ port 443; tls; }}
    tracking {{ {tracking} }}
    account tracked {{ networks 192.0.2.7/32; from "*@tracked.example"; track {{ {track} }} }}
    pool shared""")

    sender = "opens; sender-domain dept.example { host click.dept.example; }"
    with Gate(tmp_path / "gate") as gate:
        for bad, words in (
                (text("host t.elsewhere.example; https;"),
                 ["not for t.elsewhere.example (relay tracking host)"]),
                (text("host t.example.net; https;", "opens; host own.example;"),
                 ["not for own.example (relay account tracked track host)"]),
                (text("host t.example.net; https;", sender),
                 ["not for click.dept.example (relay account tracked track host)"]),
                (text("host t.example.net; https;", tls=False), ["relay tracking https", "itself"]),
                (text("host t.example.net; https;").replace("443; tls;", "443;"),
                 ["relay tracking https", "nobody would answer"])):
            answer = gate.ask("commit", text=bad)
            assert answer["ok"] is False and all(w in answer["error"] for w in words), answer
        assert gate.ask("commit", text=text("host t.elsewhere.example;", sender))["ok"]
        assert gate.ask("commit", text=text("host t.example.net; https;"))["ok"]


def test_a_renewed_one_is_taken_without_dropping_a_session(relay, good, tmp_path):
    fresh = Certificate(tmp_path, HOST, days=400, name="fresh")
    with Talk(relay.port("submissions"), tls=True) as talk:
        shutil.copy(fresh.chain, good.chain)
        shutil.copy(fresh.key, good.key)
        assert relay.control("reload")["ok"]
        wait_for("the new one", lambda: shown(relay) == fresh.chain.read_text())
        assert talk.message()[0] == 250


def test_expiry_is_told_two_weeks_ahead(relay, tmp_path):
    for days, alarm in ((16, "self-signed"), (10, "the certificate expires in ")):
        relay.config["tls"] = Certificate(tmp_path, HOST, days=days).leaves()
        relay.write_config()
        assert relay.control("reload")["ok"]
        assert alarm in relay.control("certificate")["alarm"]
    told, = relay.control("alarms")["alarms"]
    assert told["alarm"] == "certificate" and alarm in told["says"]
    assert told["subject"] == str(tmp_path / "cert.crt")
    relay.config["tls"] = Certificate(tmp_path, HOST, days=16).leaves()
    relay.write_config()
    assert relay.control("reload")["ok"]
    assert relay.control("alarms")["alarms"] == []


def test_an_expired_one_does_not_keep_the_relay_from_starting(tmp_path):
    """The clock may be wrong after a power cut, and servers without a care for it send mail."""
    config = {"host-name": "old.example", "tls": Expired(tmp_path).leaves()}
    with Relay(tmp_path / "relay", **config) as relay:
        assert "clients may refuse us" in relay.log()
        alarm = relay.control("certificate")["alarm"]
        assert "valid only until 2001-01-02 00:00 UTC" in alarm
        with Talk(relay.port("smtp")) as talk:
            talk.starttls()
            assert talk.message()[0] == 250
        relay.config["account"].append(account("late", senders=["*@late.example"]))
        relay.write_config()
        assert relay.control("reload")["ok"]


def test_the_relays_own_follows_its_name(tmp_path):
    with Relay(tmp_path) as relay:
        first = shown(relay)
        assert relay.control("certificate")["file"] == "made by the relay itself"
        assert relay.control("reload")["ok"] and shown(relay) == first
        relay.config["host-name"] = "mx.example.org"
        relay.write_config()
        assert relay.control("reload")["ok"]
        assert relay.control("certificate")["names"] == "mx.example.org"
        wait_for("the new one", lambda: shown(relay) != first)


def test_the_cli_shows_it(tmp_path, good):
    relay = Relay(tmp_path / "relay", tls=good.leaves())
    text = SITE.replace("    pool shared", f"""    tls {{
        chain-file "{good.chain}";
        key-file "{good.key}";
    }}
    listen smtp {{ address 127.0.0.1; port 0; }}
    http http {{ address 127.0.0.1; port 0; }}
    directory {{
        spool "{relay.config["directory"]["spool"]}";
        events "{relay.config["directory"]["events"]}";
        keys "{relay.config["directory"]["keys"]}";
        control "{relay.config["directory"]["control"]}";
    }}
    pool shared""")
    with Gate(tmp_path / "gate", config=text) as gate:
        relay.config_path = gate.run / "relay.json"
        relay.write_config = lambda: None  # gatepostd has written it
        with relay:
            told = gate.do("show relay certificate")
            assert f"names: {HOST}, t.example.net" in told and "days-left: " in told
            good.chain.write_text("nothing")
            refused = gate.cli("-c", "request relay reload")
            assert refused.returncode == 1 and "does not parse" in refused.stderr
