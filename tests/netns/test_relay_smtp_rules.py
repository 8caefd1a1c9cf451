# SPDX-License-Identifier: GPL-2.0-or-later
"""What the relay refuses, and how it stands up to clients that do not behave."""

import contextlib
import os
import signal
import socket
import time

import pytest

from tests.harness.relay import Relay, account, wait_for
from tests.netns.smtp_talk import NOWHERE, Talk, hashed, no_verify, user

PLAIN_SECRET = "AGFubmEAc2VjcmV0"  # NUL anna NUL secret
PLAIN_WRONG = "AGFubmEAd3Jvbmc="
PLAIN_NOBODY = "AG5vYm9keQBzZWNyZXQ="


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    accounts = [
        account(),
        account("roam", networks=[], senders=["*@roam.example"], user=[user("anna")]),
        account("small", senders=["*@small.example"],
                limits={"message-size": 1024, "recipients": 2, "connections": 2}),
    ]
    with Relay(tmp_path_factory.mktemp("relay"), accounts=accounts, **NOWHERE) as relay:
        yield relay


@pytest.fixture
def lone(tmp_path):
    """A relay of the test's own, to be disturbed."""
    with Relay(tmp_path, accounts=[
        account(), account("roam", networks=[], senders=["*@roam.example"], user=[user("anna")]),
    ], **NOWHERE) as relay:
        yield relay


def is_kept(relay, token):
    return any(token.encode() in p.read_bytes() for p in (relay.directory / "spool").glob("body-*"))


# ---- who ----


def test_a_forged_envelope_sender_is_refused(relay):
    with Talk(relay.port("smtp")) as talk:
        code, text = talk.cmd("MAIL FROM:<ceo@bank.example>")
        assert code == 550
        assert text.startswith("5.7.1 ceo@bank.example: account acme may not send as this address")


@pytest.mark.parametrize("header", [
    "From: ceo@bank.example",
    "From: a@acme.example, ceo@bank.example",
    "From: a@acme.example\r\nFrom: ceo@bank.example",
    "From: a@acme.example\r\nFrom : ceo@bank.example",
    "From: Staff: a@acme.example;",
    "From: =?utf-8?q?ceo=40bank.example?=@acme.example",
    "Subject: no From at all",
])
def test_a_forged_header_from_is_refused(relay, header):
    with Talk(relay.port("smtp")) as talk:
        talk.mail()
        talk.send(header + "\r\n\r\nbody\r\n.\r\n")
        code, text = talk.reply()
        assert code == 550 and text.startswith("5.7.1 ")


def test_from_alone_does_not_open_the_relay(relay):
    with Talk(relay.port("smtp")) as talk:
        code, text = talk.cmd("MAIL FROM:<a@roam.example>")
        assert code == 550 and text.startswith("5.7.1 a@roam.example: account acme may not")


def test_a_password_is_not_taken_in_clear(relay):
    with Talk(relay.port("submission")) as talk:
        assert "AUTH" not in talk.extensions
        assert talk.cmd("AUTH PLAIN " + PLAIN_SECRET)[0] == 538


def test_a_wrong_user_looks_like_a_wrong_password(relay):
    replies = []
    for secret in (PLAIN_WRONG, PLAIN_NOBODY):
        with Talk(relay.port("submissions"), tls=True) as talk:
            replies.append(talk.cmd("AUTH PLAIN " + secret))
            assert talk.cmd("MAIL FROM:<a@roam.example>")[0] == 550
    assert replies[0] == replies[1] == (535, "5.7.8 user name or password is wrong")


def test_a_network_is_one_whatever_the_listeners_family(tmp_path):
    """A socket on :: sees an IPv4 client as ::ffff:a.b.c.d."""
    accounts = [account("four", networks=["127.0.0.1/32"], senders=["*@four.example"]),
                account("six", networks=["::1/128"], senders=["*@six.example"])]
    listen = [{"name": "smtp", "address": "::", "port": 0, "kind": "relay"}]
    with Relay(tmp_path, accounts=accounts, listen=listen, **NOWHERE) as relay:
        for address, mine, other in (("127.0.0.1", "four", "six"), ("::1", "six", "four")):
            with Talk(relay.port("smtp"), address=address) as talk:
                assert talk.cmd(f"MAIL FROM:<a@{other}.example>")[0] == 550
                assert talk.message(f"a@{mine}.example")[0] == 250


def test_limits_of_the_account_hold(relay):
    with Talk(relay.port("smtp")) as talk:
        assert talk.cmd("MAIL FROM:<a@small.example> SIZE=1025")[0] == 552
        assert talk.message("a@small.example", text="x" * 900 + "\r\n")[0] == 250
        assert talk.message("a@small.example", text="x" * 1100 + "\r\n")[0] == 552
        assert talk.cmd("MAIL FROM:<a@small.example>")[0] == 250
        assert [talk.cmd(f"RCPT TO:<{n}@b.example>")[0] for n in "bcd"] == [250, 250, 452]
        with Talk(relay.port("smtp")) as second, Talk(relay.port("smtp")) as third:
            assert second.cmd("MAIL FROM:<a@small.example>")[0] == 250
            assert third.cmd("MAIL FROM:<a@small.example>")[0] == 421
    with Talk(relay.port("smtp")) as again:
        wait_for("a connection to be counted off",
                 lambda: again.cmd("RSET")[0] and again.cmd("MAIL FROM:<a@small.example>")[0] == 250)


def test_a_rate_is_the_accounts_whichever_way_it_sends(tmp_path):
    accounts = [account(limits={"rate": "3/hour"}, user=[user("anna")]),
                account("other", senders=["*@other.example"])]
    with Relay(tmp_path, accounts=accounts, **NOWHERE) as relay:
        with Talk(relay.port("smtp")) as talk:
            assert talk.message(recipients=("b@b.example", "c@b.example"))[0] == 250
        with Talk(relay.port("submissions"), tls=True) as talk:
            assert talk.cmd("AUTH PLAIN " + PLAIN_SECRET)[0] == 235
            # Given up, it does not count; two users of an account are still one account.
            assert talk.cmd("MAIL FROM:<x@acme.example>")[0] == 250
            assert talk.cmd("RCPT TO:<d@b.example>")[0] == 250
            code, text = talk.cmd("RCPT TO:<e@b.example>")
            assert code == 450
            assert text.startswith("4.7.1 account acme may send to 3 recipients an hour: "
                                   "try again in ")
            assert talk.cmd("RSET")[0] == 250
        with Talk(relay.port("smtp")) as talk:
            assert talk.message("y@acme.example")[0] == 250
            assert talk.cmd("MAIL FROM:<z@acme.example>")[0] == 450
            assert talk.message("a@other.example")[0] == 250
        relay.config["account"][0]["limits"]["rate"] = "100/second"
        relay.config["account"][1]["paused"] = [None]
        relay.reload()
        with Talk(relay.port("smtp")) as talk:
            wait_for("the account to be paused", lambda: talk.cmd("RSET")[0] == 250 and
                     talk.cmd("MAIL FROM:<a@other.example>") ==
                     (450, "4.7.1 account other is paused by its operator: try again later"))
            wait_for("the new rate", lambda: talk.cmd("MAIL FROM:<a@acme.example>")[0] == 250)
            assert talk.cmd("RCPT TO:<b@b.example>")[0] == 250


# ---- bytes ----


SMUGGLING = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\n.\r", b"\r.\r", b"\r.\n", b"\r.\r\n", b"\r\n.\r",
             b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\n\n.\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n"]


@pytest.mark.parametrize("sequence", SMUGGLING, ids=repr)
def test_a_false_end_of_data_smuggles_nothing(relay, sequence):
    with Talk(relay.port("smtp")) as talk:
        talk.mail()
        talk.send(b"From: a@acme.example\r\n\r\nx" + sequence +
                  b"MAIL FROM:<ceo@acme.example>\r\nRCPT TO:<eve@b.example>\r\nDATA\r\n"
                  b"From: ceo@acme.example\r\n\r\nsmuggled" + repr(sequence).encode() +
                  b"\r\n.\r\n")
        code, text = talk.reply()
        assert code == 554 and text.startswith("5.6.0 line ")
        # One reply, and what comes next is the reply to what is sent next.
        assert talk.cmd("NOOP") == (250, "2.0.0 done")
    assert not is_kept(relay, "smuggled" + repr(sequence))


@pytest.mark.parametrize("sequence", [b"\n.\n", b"\r", b"\n", b"\0"], ids=repr)
def test_bdat_is_no_way_around(relay, sequence):
    body = b"From: a@acme.example\r\n\r\nx" + sequence + b"y\r\n"
    with Talk(relay.port("smtp")) as talk:
        talk.cmd("MAIL FROM:<a@acme.example>")
        talk.cmd("RCPT TO:<b@b.example>")
        talk.send(b"BDAT %d LAST\r\n" % len(body) + body)
        assert talk.reply()[0] == 554


def test_bdat_in_chunks(relay):
    body = b"From: a@acme.example\r\n\r\nchunky token\r\n.\r\n..\r\nlast"
    with Talk(relay.port("smtp")) as talk:
        talk.send(b"MAIL FROM:<a@acme.example>\r\nRCPT TO:<b@b.example>\r\n")
        for i in range(0, len(body), 7):
            talk.send(b"BDAT %d\r\n" % len(body[i:i + 7]) + body[i:i + 7])
        talk.send(b"BDAT 0 LAST\r\n")
        codes = [talk.reply()[0] for _ in range(2 + (len(body) + 6) // 7 + 1)]
        assert set(codes) == {250}
    assert is_kept(relay, "chunky token\r\n.\r\n..\r\nlast\r\n")


@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP \rx\r\n", b"NOOP \0\r\n"], ids=repr)
def test_a_command_ends_with_crlf(relay, line):
    with Talk(relay.port("smtp")) as talk:
        talk.send(line)
        assert talk.reply()[0] == 500
        assert talk.reply()[0] == 421
        assert talk.rest() == ""


def test_what_is_sent_before_tls_counts_for_nothing(relay):
    """CVE-2011-0411 and its kin."""
    with Talk(relay.port("submission")) as talk:
        talk.send(b"STARTTLS\r\nMAIL FROM:<a@acme.example>\r\nRCPT TO:<b@b.example>\r\n")
        assert talk.reply()[0] == 220
        assert not talk.buffer
        talk.socket = no_verify().wrap_socket(talk.socket)
        assert talk.cmd("NOOP") == (250, "2.0.0 done")
        assert talk.cmd("RCPT TO:<b@b.example>")[0] == 503
        assert talk.cmd("MAIL FROM:<a@acme.example>")[0] == 503  # no EHLO either


def test_commands_ahead_of_354_are_not_taken_for_the_message(relay):
    with Talk(relay.port("smtp")) as talk:
        talk.send(b"MAIL FROM:<a@acme.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n"
                  b"From: a@acme.example\r\n\r\nahead\r\n.\r\n")
        text = talk.rest()
        assert "354" not in text and "503 5.5.1" in text and "421" in text
    assert not is_kept(relay, "ahead")


def test_replies_hold_no_bytes_of_the_clients_choice(relay):
    with Talk(relay.port("smtp")) as talk:
        talk.send(b"MAIL FROM:<\x1b[2J\xff\xc2\x85@x>\r\n")
        code, text = talk.reply()
        assert code == 501 and "\\x1B" in text and text.isprintable()


def test_junk_ends_the_session(relay):
    for junk in (os.urandom(200000).replace(b"\n", b"x"), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50,
                 b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500)):
        with Talk(relay.port("smtp")) as talk:
            with contextlib.suppress(OSError):
                talk.send(junk)
                talk.send(b"\r\n" * 50)
            talk.rest()
    with Talk(relay.port("smtp")) as talk:
        assert talk.message()[0] == 250


def test_tls_junk_ends_the_handshake(relay):
    with Talk(relay.port("submissions"), greet=False) as talk:
        talk.send(b"EHLO client.example\r\n")
        talk.rest()
    with Talk(relay.port("submissions"), tls=True) as talk:
        assert talk.message()[0] == 250


# ---- many ----


def test_slow_clients_hold_up_nobody(relay):
    """Half a command, half a message, half a handshake: each waits alone."""
    held = []
    for _ in range(10):
        command = Talk(relay.port("smtp"))
        command.send(b"MAIL FR")
        message = Talk(relay.port("smtp"))
        message.mail()
        message.send(b"From: a@acme.example\r\n\r\nhalf")
        handshake = Talk(relay.port("submissions"), greet=False)
        handshake.send(b"\x16\x03\x01\x02")
        held += [command, message, handshake]
    with Talk(relay.port("smtp")) as talk:
        assert talk.message()[0] == 250
    for talk in held[1::3]:
        talk.send(b"\r\n.\r\n")
        assert talk.reply()[0] == 250
    for talk in held:
        talk.close()


def test_a_client_that_does_not_read_costs_little(relay):
    """Replies pile up to a bound, then nothing more is read from it."""
    pid = relay.pid("accept")

    def memory_kb():
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

    before = memory_kb()
    with socket.create_connection(("127.0.0.1", relay.port("smtp"))) as s:
        s.settimeout(1)
        s.sendall(b"EHLO client.example\r\n")
        time.sleep(0.2)
        s.sendall(b"MAIL FROM:<a@acme.example>\r\n")
        sent = 0
        with contextlib.suppress(TimeoutError):  # it is not read any more
            while sent < 100_000_000:
                sent += s.send(b"RCPT TO:<b@b.example>\r\n" * 1000)
        assert sent < 100_000_000
        assert memory_kb() - before < 4096
    with Talk(relay.port("smtp")) as talk:
        assert talk.message()[0] == 250


def test_failed_logins_are_slowed_then_refused(lone):
    codes = []
    for _ in range(4):
        with Talk(lone.port("submissions"), tls=True) as talk:
            codes.append(talk.cmd("AUTH PLAIN " + PLAIN_NOBODY)[0])
    assert codes == [535] * 4
    # The fifth has to wait for seconds; the right password meanwhile waits as well, but not in vain.
    with Talk(lone.port("submissions"), tls=True) as talk:
        begun = time.monotonic()
        assert talk.cmd("AUTH PLAIN " + PLAIN_SECRET)[0] == 235
        assert time.monotonic() - begun > 0.5
    # Known here from now on: the cache answers at once, whatever others get wrong.
    for _ in range(3):
        with Talk(lone.port("submissions"), tls=True) as talk:
            assert talk.cmd("AUTH PLAIN " + PLAIN_SECRET)[0] == 235


# ---- the other processes come and go ----


def auth_plain(port, secret=PLAIN_SECRET):
    with Talk(port, tls=True) as talk:
        return talk.cmd("AUTH PLAIN " + secret)[0]


def test_a_session_outlives_the_spool(lone):
    with Talk(lone.port("smtp")) as talk:
        assert talk.message()[0] == 250
        spool = lone.pid("spool")
        os.kill(spool, signal.SIGSTOP)
        talk.mail()
        talk.send("From: a@acme.example\r\n\r\nstopped\r\n.\r\n")
        time.sleep(0.3)
        os.kill(spool, signal.SIGKILL)
        assert talk.reply()[0] == 451
        wait_for("a new spool", lambda: lone.pid("spool") not in (0, spool) and lone.is_ready())
        assert talk.message()[0] == 250


def test_a_session_outlives_auth(lone):
    with Talk(lone.port("submissions"), tls=True) as talk:
        auth = lone.pid("auth")
        os.kill(auth, signal.SIGSTOP)
        talk.send("AUTH PLAIN " + PLAIN_SECRET + "\r\n")
        time.sleep(0.3)
        os.kill(auth, signal.SIGKILL)
        assert talk.reply()[0] == 454
        wait_for("a new auth", lambda: lone.pid("auth") not in (0, auth) and lone.is_ready())
        assert talk.cmd("AUTH PLAIN " + PLAIN_SECRET)[0] == 235


def test_a_reload_drops_no_session(lone):
    port = lone.port("smtp")
    with Talk(port) as idle, Talk(port) as busy, \
            Talk(lone.port("submissions"), tls=True) as logged_in:
        assert logged_in.cmd("AUTH PLAIN " + PLAIN_SECRET)[0] == 235
        busy.mail()
        busy.send("From: a@acme.example\r\n\r\n")
        lone.config["account"].append(account("late", senders=["*@late.example"]))
        lone.config["account"][1]["user"][0]["password"] = hashed("changed")
        lone.reload()
        wait_for("the new account", lambda: idle.cmd("RSET")[0] == 250 and
                 idle.cmd("MAIL FROM:<a@late.example>")[0] == 250)
        busy.send("body\r\n.\r\n")
        assert busy.reply()[0] == 250
        assert logged_in.message("a@roam.example")[0] == 250
        assert lone.port("smtp") == port
    # The cache of logins forgot the old password.
    wait_for("the new password", lambda: auth_plain(lone.port("submissions")) == 535)


def test_a_reload_takes_listeners_away_and_brings_new_ones(lone):
    gone = lone.port("smtp")
    with Talk(gone) as talk:
        lone.config["listen"][0]["name"] = "other"
        lone.reload()

        def refused():
            with contextlib.suppress(ConnectionResetError):  # it closed amid the handshake
                try:
                    socket.create_connection(("127.0.0.1", gone)).close()
                except ConnectionRefusedError:
                    return True

        wait_for("the old listener to close", refused)
        assert talk.message()[0] == 250
    with Talk(lone.port("other")) as talk:
        assert talk.message()[0] == 250


def test_stop_lets_a_message_finish(lone):
    with Talk(lone.port("smtp")) as idle, Talk(lone.port("smtp")) as busy:
        busy.mail()
        busy.send("From: a@acme.example\r\n\r\nlast words")
        lone.process.terminate()
        assert idle.reply()[0] == 421
        busy.send("\r\n.\r\n")
        assert busy.reply()[0] == 250
        assert busy.reply()[0] == 421
    assert lone.process.wait(60) == 0
    assert is_kept(lone, "last words")


def test_stop_does_not_wait_for_ever(lone):
    with Talk(lone.port("smtp")) as busy:
        busy.mail()
        lone.process.terminate()
        assert lone.process.wait(60) == 0
