# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms: raised, told by mail through the real relay and by webhook, ended."""
import http.server
import json
import ssl
import threading

import pytest

from tests.harness.certs import Certificate
from tests.harness.net import Net
from tests.harness.relay import Relay
from tests.netns.gate import SITE, Gate, until
from tests.netns.test_gatepostd_relay import config_with_relay

ALARMS = """\
    alarms {
        mail-to ops@b.example;
        mail-from alarm@acme.example;
        webhook [ http://127.0.0.1:8080/alarms https://hook.example:8443/x https://bad.example:8443/x ];
    }
"""


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, self.headers["Host"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def serve(host, port, context=None):
    with host.inside():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Hook)
    server.got = []
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def rows(gate):
    return {a["alarm"]: a for a in gate.ask("show", what="alarms")["rows"]}


def test_alarm_is_told_by_mail_webhook_and_log_and_its_end_too(tmp_path):
    certificate = Certificate(tmp_path, "hook.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    with Net() as net:
        host = net.host("gate", files={
            "/etc/hosts": "127.0.0.1 localhost hook.example bad.example\n",
            "/etc/ssl/certs/ca-certificates.crt": certificate.chain.read_text()})
        for dev in ("eth0", "eth1"):
            net.link(host, dev, net.host("peer" + dev), "eth0")
        plain, secure = serve(host, 8080), serve(host, 8443, context)
        relay = Relay(tmp_path / "relay", wrapper=host.command([]))
        config = config_with_relay(relay).replace("port 0; }", "port 25; }", 1).replace(
            "    name-server", ALARMS + "    name-server", 1)
        with Gate(tmp_path / "gate", config=config, host=host) as gate:
            relay.config_path = gate.run / "relay.json"
            relay.write_config = lambda: None
            with relay:
                assert rows(gate) == {}
                assert gate.commit(config.replace("gw1", "gw2"), confirm=600)["ok"]
                alarm = rows(gate)["commit not confirmed"]
                assert alarm["says"].startswith("revision 2 is undone in ")
                assert alarm["mend"] == "'confirm' keeps it"
                until(lambda: plain.got and secure.got)
                for server, path, name in ((plain, "/alarms", "127.0.0.1"),
                                           (secure, "/x", "hook.example")):
                    assert server.got[0][0:2] == (path, name)
                    body = server.got[0][2]
                    assert body["host"] == "gw2" and "commit not confirmed" in body["subject"]
                    assert "What to do: 'confirm' keeps it" in body["text"]
                def mailed():
                    log = gate.ask("relay", request={"verb": "log", "to": "ops@b.example"})
                    return log.get("rows") or log.get("events")
                until(mailed)
                assert "alarm: commit not confirmed: revision 2" in gate.log()
                assert gate.ask("confirm")["ok"]
                until(lambda: len(plain.got) > 1)
                assert "over: commit not confirmed" in plain.got[1][2]["text"]
                assert rows(gate) == {}
                # Whose certificate does not hold is told nothing.
                until(lambda: "https://bad.example:8443/x" in gate.log(), seconds=90)
                assert all(name == "hook.example" for _, name, _ in secure.got)
        for server in (plain, secure):
            server.shutdown()
            server.server_close()


def test_what_is_due_full_silent_or_fallen_back_is_an_alarm(tmp_path):
    certificate = Certificate(tmp_path, "relay.example.net", days=10)
    config = SITE.replace("    host-name relay.example.net;", f"""    host-name relay.example.net;
    tls {{
        chain-file "{certificate.chain}";
        key-file "{certificate.key}";
    }}""", 1)
    audit = tmp_path / "audit"
    for folder in (audit, tmp_path / "run"):
        folder.mkdir()
    (tmp_path / "run" / "slot-fallback").touch()
    with Net() as net:
        host = net.host("gate")
        for dev in ("eth0", "eth1"):
            net.link(host, dev, net.host("peer" + dev), "eth0")
        host.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(audit)])
        host.run(["dd", "if=/dev/zero", f"of={audit}/ballast", "bs=1k", "count=970"])
        # As it is after three questions that nobody answered.
        host.ip("neighbour", "add", "198.51.100.1", "dev", "eth0", "nud", "failed")
        with Gate(tmp_path, config=config, host=host) as gate:
            wanted = {"certificate due", "disk nearly full", "gateway does not answer",
                      "started from the other slot"}
            until(lambda: wanted <= set(rows(gate)), seconds=90)
            found = rows(gate)
            assert "relay.example.net: valid until " in found["certificate due"]["says"]
            assert found["disk nearly full"]["subject"] == str(audit)
            assert "5 % of its space" in found["disk nearly full"]["says"]
            assert found["gateway does not answer"]["subject"] == "198.51.100.1"
            assert all(alarm["mend"] for alarm in found.values())


def test_closed_gate_is_an_alarm_until_a_config_is_in_force(tmp_path):
    with Gate(tmp_path, config=SITE.replace("tcp 80,443", "tcp 0")) as gate:
        alarm = rows(gate)["forwarding closed"]
        assert "0 is not a port" in alarm["says"] and "rollback" in alarm["mend"]
        assert gate.commit(SITE)["ok"]
        assert rows(gate) == {}


@pytest.mark.parametrize("alarms, says", [
    ("mail-to a@b.example;", "a sender must be given"),
    ("mail-to a@b.example; mail-from x@other.example;", "no account of the relay takes this sender"),
    ("mail-to nobody;", "not a mail address"),
    ("webhook ftp://a.example/;", "not an address of the web"),
])
def test_refused_receivers(tmp_path, alarms, says):
    with Gate(tmp_path) as gate:
        answer = gate.commit(SITE.replace("    name-server",
                                          "alarms { " + alarms + " }\n    name-server", 1))
        assert not answer["ok"] and says in answer["error"]
