# SPDX-License-Identifier: GPL-2.0-or-later
"""What the log of events says about mail that came in, or did not."""

import os
import signal

from tests.harness.relay import Relay, account, wait_for
from tests.netns.smtp_talk import NOWHERE, Talk, user

LOGIN = "AUTH PLAIN AGFubmEAc2VjcmV0"  # anna, secret


def rows(relay, count):
    """The rows about what came in, once there are so many, in the order of the log."""
    def incoming():
        found = [r for r in relay.events(limit=1000)
                 if r["event"] in ("received", "queued", "rejected")]
        return found if len(found) >= count else None

    return wait_for(f"{count} events", incoming)


def test_mail_that_was_taken(tmp_path):
    accounts = [account(senders=["*@local.example"]),
                account("roam", networks=[], senders=["*@roam.example"], user=[user("anna")])]
    with Relay(tmp_path, accounts=accounts, **NOWHERE) as relay:
        with Talk(relay.port("smtp")) as talk:
            code, text = talk.message("x@local.example", ["b@b.example", "c@c.example"])
            assert code == 250
            message = text.split()[-1]
        with Talk(relay.port("submissions"), tls=True) as talk:
            assert talk.cmd(LOGIN)[0] == 235
            assert talk.message("x@roam.example", ["d@d.example"])[0] == 250
        log = rows(relay, 5)
        first = [r for r in log if r["message"] == message]
        assert [(r["event"], r["account"], r["from"], r["to"]) for r in first] == [
            ("received", "acme", "x@local.example", ""),
            ("queued", "acme", "x@local.example", "b@b.example"),
            ("queued", "acme", "x@local.example", "c@c.example"),
        ]
        assert first[0]["client"] == "127.0.0.1" and first[0]["subject"] == "s"
        assert "network" in first[0]["detail"]
        second = [r for r in log if r["account"] == "roam"]
        assert [r["event"] for r in second] == ["received", "queued"]
        assert "logged in as anna" in second[0]["detail"] and "TLSv1.2" in second[0]["detail"]


def test_mail_that_was_refused(tmp_path):
    with Relay(tmp_path, accounts=[account(networks=["127.0.0.1/32"])], **NOWHERE) as relay:
        with Talk(relay.port("smtp")) as talk:
            talk.cmd("MAIL FROM:<ceo@bank.example>")
            talk.message(header_from="ceo@bank.example")
        log = rows(relay, 2)
        assert [(r["event"], r["message"], r["account"], r["from"], r["to"]) for r in log] == [
            ("rejected", "", "acme", "ceo@bank.example", ""),
            ("rejected", "", "acme", "a@acme.example", "b@b.example"),
        ]
        assert all(r["detail"].startswith("550 5.7.1 ") for r in log)


def test_a_subject_forges_no_line(tmp_path):
    with Relay(tmp_path, **NOWHERE) as relay:
        with Talk(relay.port("smtp")) as talk:
            talk.mail()
            talk.send("From: a@acme.example\r\nSubject: =?utf-8?Q?one=0D=0Atwo=1B[2J=E2=80=AE?=\r\n"
                      "Message-ID: <\x1b[2J@acme.example>\r\n\r\n.\r\n")
            assert talk.reply()[0] == 250
        assert rows(relay, 2)[0]["subject"] == "one  two\ufffd[2J\ufffd"
        assert "\x1b" not in relay.log()


def test_no_event_is_lost_when_report_dies(tmp_path):
    with Relay(tmp_path, **NOWHERE) as relay:
        report = relay.pid("report")
        os.kill(report, signal.SIGSTOP)
        with Talk(relay.port("smtp")) as talk:
            for i in range(20):
                assert talk.message(f"n{i}@acme.example")[0] == 250
            os.kill(report, signal.SIGKILL)
            assert talk.message("last@acme.example")[0] == 250
            wait_for("a new report", lambda: relay.pid("report") not in (0, report) and
                     relay.is_ready())
        senders = [f"n{i}@acme.example" for i in range(20)] + ["last@acme.example"]
        log = rows(relay, 42)
        assert [r["from"] for r in log if r["event"] == "received"] == senders
        assert [r["from"] for r in log if r["event"] == "queued"] == senders
