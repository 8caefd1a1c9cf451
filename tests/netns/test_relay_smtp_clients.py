# SPDX-License-Identifier: GPL-2.0-or-later
"""Real clients submit to the relay, each in the ways in which people set it up."""

import base64
import email.message
import hashlib
import os
import smtplib
import subprocess

import pytest

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account, wait_for
from tests.harness.sink import Sink
from tests.netns.smtp_talk import Talk, hashed, no_verify

SENDER, RECIPIENT = "anna@acme.example", "bob@b.example"


@pytest.fixture(scope="module")
def sink():
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def relay(tmp_path_factory, sink):
    """By network: local (127.0.0.1). By login alone: roam, whose user is anna@acme.example."""
    accounts = [
        account("local", senders=["*@local.example"]),
        account("roam", networks=[], senders=["*@acme.example"],
                user=[{"name": SENDER, "password": hashed("secret")}]),
    ]
    with Dns({"b.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}) as dns, \
            Relay(tmp_path_factory.mktemp("relay"), accounts=accounts,
                  lab={"smtp-port": sink.port, "dns-port": dns.port},
                  **{"name-server": [dns.address]}) as relay:
        yield relay


@pytest.fixture
def token(request):
    """A word that only this test's message holds."""
    return "token" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16]


def arrived(sink, token):
    """The one message with that word, at the recipient's server."""
    def found():
        return [m for m in list(sink.messages) if token.encode() in m.data]

    message, = wait_for("the message to arrive", found)
    assert not sink.faults
    return message


def run(command, text="", **more):
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, **more)


def text_of(sender, token):
    return f"From: <{sender}>\nTo: <{RECIPIENT}>\nSubject: test\n\nHello {token}\n"


# ---- swaks ----


SWAKS = ["swaks", "--silent", "2", "--server", "127.0.0.1", "--to", RECIPIENT]


def test_swaks_by_network_on_25(relay, sink, token):
    done = run(SWAKS + ["--port", str(relay.port("smtp")), "--from", "x@local.example",
                        "--body", token])
    assert done.returncode == 0, done.stdout + done.stderr
    assert arrived(sink, token)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("how", [("submission", "-tls"), ("submissions", "-tlsc"),
                                 ("smtp", "-tls")])
def test_swaks_by_login(relay, sink, token, how, mechanism):
    done = run(SWAKS + ["--port", str(relay.port(how[0])), how[1], "--from", SENDER, "--auth",
                        mechanism, "--auth-user", SENDER, "--auth-password", "secret",
                        "--body", token])
    assert done.returncode == 0, done.stdout + done.stderr
    assert arrived(sink, token)


def test_swaks_with_a_wrong_password_is_refused(relay):
    done = run(SWAKS + ["--port", str(relay.port("submission")), "-tls", "--from", SENDER, "--auth",
                        "PLAIN", "--auth-user", SENDER, "--auth-password", "wrong"])
    assert done.returncode == 28  # swaks: authentication failed
    assert "535 5.7.8" in done.stdout + done.stderr


def test_swaks_from_a_stranger_is_refused(relay):
    done = run(SWAKS + ["--port", str(relay.port("smtp")), "--from", SENDER])
    assert done.returncode == 23  # swaks: MAIL refused
    assert "550 5.7.1" in done.stdout + done.stderr


# ---- curl ----


@pytest.mark.parametrize("scheme,listener", [("smtp", "submission"), ("smtps", "submissions")])
def test_curl(relay, sink, token, tmp_path, scheme, listener):
    message = tmp_path / "message"
    message.write_text(text_of(SENDER, token).replace("\n", "\r\n"))
    done = run(["curl", "-sS", "--ssl-reqd", "--insecure", "--mail-from", SENDER, "--mail-rcpt",
                RECIPIENT, "--user", f"{SENDER}:secret", "--upload-file", str(message),
                f"{scheme}://127.0.0.1:{relay.port(listener)}/client.example"])
    assert done.returncode == 0, done.stderr
    assert arrived(sink, token)


# ---- msmtp ----


@pytest.mark.parametrize("starttls,listener", [("on", "submission"), ("off", "submissions")])
def test_msmtp(relay, sink, token, starttls, listener):
    done = run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={relay.port(listener)}",
                "--tls=on", f"--tls-starttls={starttls}", "--tls-certcheck=off", "--auth=on",
                f"--user={SENDER}", "--passwordeval=echo secret", f"--from={SENDER}", RECIPIENT],
               text_of(SENDER, token))
    assert done.returncode == 0, done.stderr
    assert arrived(sink, token)


def test_msmtp_by_network(relay, sink, token):
    done = run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={relay.port('smtp')}",
                "--tls=off", "--auth=off", "--from=x@local.example", RECIPIENT],
               text_of("x@local.example", token))
    assert done.returncode == 0, done.stderr
    assert arrived(sink, token)


# ---- s-nail ----


@pytest.mark.parametrize("scheme,listener", [("smtp", "submission"), ("smtps", "submissions")])
def test_s_nail(relay, sink, token, tmp_path, scheme, listener):
    rc = tmp_path / "rc"
    user = SENDER.replace("@", "%40")
    rc.write_text("set v15-compat\nset tls-verify=ignore\nset smtp-use-starttls\n"
                  "set smtp-auth=plain\nset hostname=client.example\n"
                  f"set from={SENDER}\n"
                  f"set mta={scheme}://{user}:secret@127.0.0.1:{relay.port(listener)}\n")
    done = run(["s-nail", "-:u", "-Sv15-compat", "-Ssendwait", "-s", "test", RECIPIENT],
               f"Hello {token}\n", env=dict(os.environ, MAILRC=str(rc), HOME=str(tmp_path)))
    assert done.returncode == 0, done.stderr
    assert arrived(sink, token)


# ---- nodemailer ----


NODEMAILER = """
const [port, secure, user, token] = process.argv.slice(1);
const transport = require("nodemailer").createTransport({
    host: "127.0.0.1", port: Number(port), secure: secure === "yes", requireTLS: true,
    auth: {user, pass: "secret"}, tls: {rejectUnauthorized: false},
});
transport.sendMail({from: user, to: "bob@b.example", subject: "test",
                    text: "Hello " + token, html: "<p>Hello</p>"},
                   (error, info) => { if (error) { console.error(error); process.exit(1); } });
"""


@pytest.mark.parametrize("secure,listener", [("no", "submission"), ("yes", "submissions")])
def test_nodemailer(relay, sink, token, secure, listener):
    done = run(["node", "-e", NODEMAILER, str(relay.port(listener)), secure, SENDER, token],
               env=dict(os.environ, NODE_PATH="/usr/share/nodejs"))
    assert done.returncode == 0, done.stderr
    assert arrived(sink, token)


# ---- Python's smtplib ----


@pytest.mark.parametrize("listener", ["smtp", "submission"])
def test_smtplib_with_starttls(relay, sink, token, listener):
    with smtplib.SMTP("127.0.0.1", relay.port(listener)) as smtp:
        smtp.starttls(context=no_verify())
        smtp.login(SENDER, "secret")
        smtp.sendmail(SENDER, [RECIPIENT], text_of(SENDER, token))
    assert arrived(sink, token)


def test_smtplib_with_implicit_tls(relay, sink, token):
    with smtplib.SMTP_SSL("127.0.0.1", relay.port("submissions"), context=no_verify()) as smtp:
        smtp.login(SENDER, "secret")
        smtp.sendmail(SENDER, [RECIPIENT], text_of(SENDER, token))
    assert arrived(sink, token)


def test_smtplib_with_an_address_beyond_ascii(relay, sink, token):
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, "bücher@b.example", "Grüße"
    message.set_content(token)
    with smtplib.SMTP("127.0.0.1", relay.port("submission")) as smtp:
        smtp.starttls(context=no_verify())
        smtp.login(SENDER, "secret")
        smtp.send_message(message)
    assert arrived(sink, token).recipients == ["bücher@b.example"]


# ---- the dialogue of Gmail's "send mail as" ----


@pytest.mark.parametrize("listener", ["submission", "smtp"])
def test_gmail(relay, sink, token, listener):
    initial = base64.b64encode(f"\0{SENDER}\0secret".encode()).decode()
    with Talk(relay.port(listener), greet=False) as gmail:
        assert gmail.reply()[0] == 220
        extensions = gmail.cmd("EHLO mail-ed1-f41.google.com")[1]
        assert "STARTTLS" in extensions and "AUTH" not in extensions
        gmail.starttls(greet=False)
        assert "AUTH PLAIN LOGIN" in gmail.cmd("EHLO mail-ed1-f41.google.com")[1]
        assert gmail.cmd("AUTH PLAIN " + initial)[0] == 235
        gmail.send(f"MAIL FROM:<{SENDER}> SIZE=1234\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n")
        assert [gmail.reply()[0] for _ in range(3)] == [250, 250, 354]
        gmail.send(f"Received: by 2002:a05:6402:1234 with SMTP id x\r\nFrom: =?UTF-8?B?QQ==?= "
                   f"<{SENDER}>\r\nTo: {RECIPIENT}\r\n\r\n{token}\r\n.\r\n")
        assert gmail.reply()[0] == 250
        assert gmail.cmd("QUIT")[0] == 221
    assert arrived(sink, token)
