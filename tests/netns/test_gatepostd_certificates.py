# SPDX-License-Identifier: GPL-2.0-or-later
"""system certificate NAME: what is pasted is judged, kept as one file, and used by the relay."""
import stat

from tests.harness.certs import Certificate, Expired
from tests.harness.relay import Relay
from tests.netns.gate import Gate
from tests.netns.test_gatepostd_relay import config_with_relay


def paste(gate, name, text):
    return gate.cli(stdin=f"system certificate {name}\n{text}")


def test_pasted_certificate_is_kept_and_used(tmp_path):
    made = Certificate(tmp_path, "relay.example.net")
    relay = Relay(tmp_path / "relay")
    with Gate(tmp_path / "gate", config=config_with_relay(relay)) as gate:
        text = "our key:\r\n" + made.key.read_text() + "\n" + made.chain.read_text()
        got = paste(gate, "mx", text.replace("\n", "\r\n"))
        assert got.returncode == 0, got.stdout + got.stderr
        kept = gate.store / "keys" / "certificates" / "mx.pem"
        assert kept.read_text() == made.chain.read_text() + made.key.read_text()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert "kept: relay.example.net, valid until 20" in got.stdout
        assert f"set relay tls chain-file {kept}; set relay tls key-file {kept}" in got.stdout
        assert "PRIVATE" not in gate.log() + gate.audit_path.read_text()
        answer = gate.commit(config_with_relay(
            relay, f'tls {{ chain-file "{kept}"; key-file "{kept}"; }}'))
        assert answer["ok"], answer
        relay.config_path = gate.run / "relay.json"
        relay.write_config = lambda: None
        with relay:
            shown = gate.ask("relay", request={"verb": "certificate"})
            assert "relay.example.net" in str(shown) and shown["ok"]


def test_what_is_refused_changes_nothing(tmp_path):
    made, other = Certificate(tmp_path, "a.example"), Certificate(tmp_path, "b.example", name="b")
    chain, key = made.chain.read_text(), made.key.read_text()
    with Gate(tmp_path / "gate") as gate:
        assert gate.ask("certificate", name="mx", key=chain + key)["ok"]
        kept = gate.store / "keys" / "certificates" / "mx.pem"
        before = kept.read_bytes()
        for name, text, says in (("mx", key, "no -----BEGIN CERTIFICATE-----"),
                                 ("mx", chain, "PRIVATE KEY----- must be in what is pasted"),
                                 ("mx", chain + other.key.read_text(), "key"),
                                 ("mx", chain.replace("M", "!", 3) + key, ""),
                                 ("../mx", chain + key, "not a name"),
                                 ("", chain + key, "not a name")):
            answer = gate.ask("certificate", name=name, key=text)
            assert not answer["ok"] and says in answer["error"] and answer["error"].strip()
            assert kept.read_bytes() == before
        assert [p.name for p in kept.parent.iterdir()] == ["mx.pem"]


def test_expired_one_is_kept_and_said(tmp_path):
    old = Expired(tmp_path)
    with Gate(tmp_path / "gate") as gate:
        answer = gate.ask("certificate", name="old", key=old.chain.read_text() + old.key.read_text())
        assert answer["ok"] and "but " in answer["notes"] and "2001" in answer["notes"]
