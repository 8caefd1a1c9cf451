# SPDX-License-Identifier: GPL-2.0-or-later
"""gatepostd and the relay: the one writes the other's settings and hands on what it is asked."""
import os
import smtplib

import pytest

from tests.harness.net import Net
from tests.harness.relay import Relay
from tests.netns.gate import SITE, Gate, until


def config_with_relay(relay, more=""):
    directory = relay.config["directory"]
    return SITE[:SITE.index("relay {")] + f"""relay {{
    host-name relay.example.net;
    listen smtp {{ address 127.0.0.1; port 0; }}
    http http {{ address 127.0.0.1; port 0; }}
    directory {{
        spool "{directory["spool"]}";
        events "{directory["events"]}";
        keys "{directory["keys"]}";
        control "{directory["control"]}";
    }}
    account acme {{ networks 127.0.0.0/8; from "*@acme.example"; }}
    {more}
}}
"""


@pytest.fixture(name="pair")
def _pair(tmp_path):
    relay = Relay(tmp_path / "relay")
    with Gate(tmp_path / "gate", config=config_with_relay(relay)) as gate:
        relay.config_path = gate.run / "relay.json"
        relay.write_config = lambda: None  # gatepostd has written it
        with relay:
            yield gate, relay


def send(relay, sender):
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as smtp:
        return smtp.sendmail(sender, ["b@b.example"], f"From: {sender}\r\n\r\nhello\r\n")


def test_relay_runs_on_what_gatepostd_wrote_and_answers_through_it(pair):
    gate, relay = pair
    send(relay, "a@acme.example")
    out = until(lambda: [line for line in gate.do("show relay log to b@b.example").splitlines()
                         if "queued" in line])
    assert "acme" in out[0]
    message = out[0].split()[2]
    assert "Account acme, from a@acme.example" in gate.do(f"show relay message {message}")
    assert "received" in gate.do(f"show relay message {message}")
    assert "smtp" in gate.do("show relay listeners")
    assert "acme" in gate.do("show relay queue")
    assert "accept" in gate.do("show relay processes")
    got = gate.cli("-c", "show relay log since yesterday")
    assert got.returncode == 1 and "yesterday" in got.stderr  # the relay's own words


def test_new_account_is_known_after_a_commit_and_a_reload(pair):
    gate, relay = pair
    with pytest.raises(smtplib.SMTPException):
        send(relay, "a@other.example")
    other = 'account other { networks 127.0.0.0/8; from "*@other.example"; }'
    assert gate.commit(config_with_relay(relay, other))["ok"]
    relay.reload()

    def accepted():
        try:
            return send(relay, "a@other.example") == {}
        except smtplib.SMTPException:
            return False
    until(accepted)


@pytest.mark.skipif(os.geteuid() != 0, reason="applies for real")
def test_relay_s_service_is_told_to_read_its_settings_again(tmp_path):
    """runsv's end of a service's control pipe, and what is written into it."""
    services = tmp_path / "services"
    supervise = services / "relay" / "supervise"
    supervise.mkdir(parents=True)
    os.mkfifo(supervise / "control")
    pipe = os.open(supervise / "control", os.O_RDONLY | os.O_NONBLOCK)
    only_relay = SITE[SITE.index("groups {"):].replace(
        "pool shared {\n        source 203.0.113.6;\n    }\n", "")
    with Net() as net, Gate(tmp_path, config=only_relay, host=net.host("box"),
                            options=["--services", str(services)]) as gate:
        assert os.read(pipe, 16) == b"h"
        assert gate.commit(only_relay.replace("tcp 80,443", "tcp 80"))["notes"] == ""
        assert os.read(pipe, 16) == b""  # nothing changed for the relay
        assert gate.commit(only_relay.replace("acme", "acne"))["ok"]
        assert os.read(pipe, 16) == b"h"
        assert gate.commit(only_relay[:only_relay.index("relay {")])["ok"]
        assert os.read(pipe, 16) == b"t"
        os.close(pipe)
        answer = gate.commit(only_relay)
        assert "relay is not running" in answer["notes"]
