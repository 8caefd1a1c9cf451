# SPDX-License-Identifier: GPL-2.0-or-later
"""The relay's queue from the command line: looked at, paused, held, drained, through gatepostd."""
import re
import smtplib

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, wait_for
from tests.harness.sink import Sink
from tests.netns.gate import SITE, Gate

LAB = """
    name-server {dns.address};
    lab {{ smtp-port {sink.port}; dns-port {dns.port}; }}
"""


def config_of(relay, more):
    directory = relay.config["directory"]
    places = "".join(f'{name} "{directory[name]}"; ' for name in directory)
    return SITE[:SITE.index("relay {")] + f"""relay {{
    host-name relay.example.net;
    listen smtp {{ address 127.0.0.1; port 0; }}
    http http {{ address 127.0.0.1; port 0; }}
    directory {{ {places} }}
    account acme {{ networks 127.0.0.0/8; from "*@acme.example"; }}
    {more}
}}
"""


@pytest.fixture(name="site")
def _site(tmp_path):
    zones = {"b.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}
    relay = Relay(tmp_path / "relay")
    with Dns(zones) as dns, Sink() as sink:
        more = LAB.format(dns=dns, sink=sink)
        with Gate(tmp_path / "gate", config=config_of(relay, more),
                  options=["--lab"]) as gate:
            relay.config_path = gate.run / "relay.json"
            relay.write_config = lambda: None  # gatepostd has written it
            with relay:
                yield gate, relay, sink


def send(relay, recipient="x@b.example"):
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as smtp:
        smtp.sendmail("joe@acme.example", [recipient],
                      "From: joe@acme.example\r\nSubject: hello there\r\n\r\nhello\r\n")


def test_an_operator_pauses_looks_and_resumes(site):
    gate, relay, sink = site
    assert gate.do("request relay pause account acme reason \"a stolen password\"") == "done\n"
    send(relay)
    send(relay)
    wait_for("paused mail", lambda: relay.control("queue")["paused"] == 2)
    said = gate.do("show relay alarms")
    assert "account-paused: acme" in said and "a stolen password" in said
    assert "What to do:" in said and "request relay resume account acme" in said
    queue = gate.do("show relay queue")
    assert re.search(r"under 5 minutes +2", queue) and re.search(r"acme +2 ", queue)
    rows = gate.do("show relay waiting account acme").splitlines()
    assert len(rows) == 3 and "hello there" in rows[1]
    message = rows[1].split()[0]
    shown = gate.do(f"show relay waiting message {message}")
    assert "Account acme, from joe@acme.example" in shown and "x@b.example" in shown
    assert gate.do(f"request relay remove message {message}") == "remove: 1 recipients\n"
    assert gate.do("request relay hold destination b.example") == "hold: 1 recipients\n"
    assert gate.do("request relay resume account acme") == "done\n"
    assert gate.do("show relay alarms") == "none\n"
    assert gate.do("request relay release account acme") == "release: 1 recipients\n"
    sink.wait(1)
    wait_for("an empty queue", lambda: relay.control("queue")["messages"] == 0)
    assert gate.do("show relay waiting") == "none\n"


def test_draining_and_its_end(site):
    gate, relay, sink = site
    assert gate.do("request relay drain") == "new mail is refused; 0 messages are still there\n"
    with pytest.raises(smtplib.SMTPSenderRefused):
        send(relay)
    assert "the queue is empty" in gate.do("show relay alarms")
    assert gate.do("request relay drain end") == "done\n"
    send(relay)
    sink.wait(1)


@pytest.mark.parametrize("command, says", [
    ("request relay retry", "say which"),
    ("request relay pause account acne", "there is no such account: 'acne'"),
    ("request relay resume destination b.example", "this destination is not paused: 'b.example'"),
    ("request relay hold message what", "not the number of a message"),
    ("show relay waiting message 0000000000001", "no such message"),
    ("request relay paws", "pause"),
])
def test_wrong_requests_fail_in_the_relay_s_words(site, command, says):
    gate, _, _ = site
    got = gate.cli("-c", command)
    assert got.returncode != 0 and says in got.stderr
