# SPDX-License-Identifier: GPL-2.0-or-later
"""What an account and a message can ask of tracking, from the client's mail to the log: campaign
and tags, hosts by sender, one-click unsubscribing and what comes of it, what was shut off."""
import contextlib
import email
import email.policy
import os
import re
import signal
import smtplib
import sqlite3
import subprocess
import time

import dkim
import pytest

from tests.harness.dns import Dns
from tests.harness.relay import BUILD, Relay, account, wait_for
from tests.harness.sink import Sink
from tests.harness.web import HOST, Connection, get, seal

ZONES = {"b.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
         "acme.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
ON = [None]
ONE_CLICK = "List-Unsubscribe=One-Click"


def message(*fields, sender="news@acme.example", body='<a href="https://shop.example/">x</a>'):
    return "".join(line + "\r\n" for line in (
        f"From: News <{sender}>", "To: list@b.example", "Subject: Spring",
        "Date: Mon, 23 Nov 2026 18:07:04 +0000", f"Message-ID: <{time.monotonic_ns()}@acme.example>",
        "MIME-Version: 1.0", "Content-Type: text/html; charset=utf-8", *fields, "", body))


@contextlib.contextmanager
def site(tmp_path, track, **more):
    with Dns(ZONES) as dns, Sink() as sink, Relay(
            tmp_path, accounts=[account(track=track, senders=["*@acme.example", "*@dept.acme.example",
                                                              "*@other.example"], **more)],
            **{"name-server": [dns.address], "tracking": {"host": HOST, "https": ON},
               "lab": {"smtp-port": sink.port, "dns-port": dns.port}}) as relay:
        yield relay, sink


def send(relay, text, to="bob@b.example", sender="news@acme.example"):
    with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
        client.sendmail(sender, [to] if isinstance(to, str) else to, text)


def kept(sink, count):
    return email.message_from_bytes(sink.wait(count)[-1].data, policy=email.policy.default)


def links(mail):
    return re.findall(r"https://[\w.]+/[oc]/[\w-]+", mail.get_content())


def post(port, url, body=ONE_CLICK, kind="application/x-www-form-urlencoded"):
    path = "/" + url.split("/", 3)[3]
    with Connection(port, tls=True) as c:
        c.send((f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        return c.response()


def event_of(relay, name, **query):
    return wait_for(f"an event {name}",
                    lambda: [r for r in relay.events(**query) if r["event"] == name])[-1]


# ---- campaign, tags, hosts, wishes ----


def test_campaign_and_tags_come_back_in_every_event(tmp_path):
    track = {"clicks": ON, "campaign": "yearly", "tag": ["vip", "news"]}
    with site(tmp_path, track) as (relay, sink):
        send(relay, message("X-Gatepost-Campaign: =?utf-8?Q?Fr=C3=BChling?=",
                            "X-Gatepost-Tags: spring sale, vip", "X-Gatepost-Tags: a"))
        mail = kept(sink, 1)
        assert not any(name.lower().startswith("x-gatepost") for name in mail.keys())
        assert get(relay.port("https"), links(mail)[0], tls=True, user_agent=FIREFOX).status == 302
        for name in ("received", "queued", "delivered", "clicked"):
            row = event_of(relay, name)
            assert (row["campaign"], row["tags"]) == ("Frühling", "vip,news,spring sale,a"), name
        send(relay, message())
        row = wait_for("the second one", lambda: [r for r in relay.events()
                                                  if r["event"] == "received"][1:])[0]
        assert (row["campaign"], row["tags"]) == ("yearly", "vip,news")


def test_the_tracking_host_follows_the_sender(tmp_path):
    track = {"clicks": ON, "host": "click.acme.example", "sender-domain": [
        {"domain": "dept.acme.example", "host": "t.dept.acme.example"},
        {"domain": "other.example", "host": "t.other.example"}]}
    with site(tmp_path, track) as (relay, sink):
        for n, (sender, host) in enumerate((
                ("a@acme.example", "click.acme.example"),
                ("a@dept.acme.example", "t.dept.acme.example"),
                ("a@other.example", "t.other.example")), 1):
            send(relay, message(sender=sender), sender=sender)
            (link,) = links(kept(sink, n))
            assert link.startswith(f"https://{host}/c/")
            assert get(relay.port("https"), link, tls=True)["location"] == "https://shop.example/"
            other = link.replace(host, HOST)
            assert get(relay.port("https"), other, tls=True).status == 404


@pytest.mark.parametrize("track, field, found", [
    ({"opens": ON, "clicks": ON}, "X-Gatepost-Track: opens=no", "c"),
    ({"opens": ON, "clicks": ON}, "X-Gatepost-Track: no", ""),
    ({"clicks": ON}, "X-Gatepost-Track: opens=yes", "c"),
    ({"clicks": ON, "on-request": ON}, "X-Gatepost-Track: opens=yes", "co"),
    ({"on-request": ON}, "X-Gatepost-Track: opens=yes; clicks=yes", "co"),
    ({"on-request": ON}, "X-Nothing: x", ""),
    ({"on-request": ON}, "X-Gatepost-Track: opens=perhaps", ""),
], ids=lambda x: str(x)[:40].replace(" ", ""))
def test_a_message_asks_for_less_and_for_more_where_it_may(tmp_path, track, field, found):
    with site(tmp_path, track) as (relay, sink):
        send(relay, message(field))
        assert "".join(sorted(link.split("/")[3] for link in links(kept(sink, 1)))) == found


def test_another_domains_signature_is_broken_only_where_the_account_says_so(tmp_path):
    signed = "DKIM-Signature: v=1; a=rsa-sha256; d=elsewhere.example; s=s; h=from; bh=eA==; b=eA=="
    for n, track in enumerate(({"clicks": ON}, {"clicks": ON, "foreign-signed": ON})):
        with site(tmp_path / str(n), track) as (relay, sink):
            send(relay, message(signed))
            assert len(links(kept(sink, 1))) == n
            rows = [r for r in relay.events() if r["event"] == "not-tracked"]
            assert ["elsewhere.example" in r["detail"] for r in rows] == [True] * (1 - n)


# ---- unsubscribing ----


def unsubscribe_url(mail):
    assert mail["List-Unsubscribe-Post"] == ONE_CLICK
    return re.fullmatch(rf"<(https://{HOST}/u/[\w-]+)>", mail["List-Unsubscribe"])[1]


def test_one_click_ends_the_account_s_mail_to_who_used_it(tmp_path):
    with site(tmp_path, {"one-click": ON, "tag": ["news"]}) as (relay, sink):
        send(relay, message(), to=["bob@b.example", "eve@b.example"])
        mails = {m.recipients[0]: email.message_from_bytes(m.data, policy=email.policy.default)
                 for m in sink.wait(2)}
        url = unsubscribe_url(mails["bob@b.example"])
        assert url != unsubscribe_url(mails["eve@b.example"])
        port = relay.port("https")
        page = get(port, url, tls=True)  # a scanner, or a person who wants to see
        assert page.status == 200 and b'method="post"' in page.body and b"bob" not in page.body
        assert page["cache-control"] == "no-store" and page["set-cookie"] is None
        assert not [r for r in relay.events() if r["event"] == "unsubscribed"]
        assert post(port, url, "a=b").status == 400
        answer = post(port, url, multipart(ONE_CLICK), "multipart/form-data; boundary=x")
        assert answer.status == 200 and answer["location"] is None
        row = event_of(relay, "unsubscribed")
        assert (row["account"], row["to"], row["tags"]) == ("acme", "bob@b.example", "news")
        (entry,) = relay.control("suppressions")["rows"]
        assert (entry["account"], entry["address"], entry["reason"], entry["message"]) == (
            "acme", "bob@b.example", "unsubscribed", row["message"])

        send(relay, message(), to=["Bob@B.example", "eve@b.example"])
        row = event_of(relay, "suppressed")
        assert row["to"] == "Bob@B.example" and "5.7.1" in row["detail"]
        sink.wait(4)  # eve's, and the report to the sender
        later = {m.recipients[0]: m for m in sink.messages[2:]}
        assert set(later) == {"eve@b.example", "news@acme.example"}
        assert later["news@acme.example"].sender == ""
        assert b"Status: 5.7.1" in later["news@acme.example"].data


def multipart(pair):
    """The same form as multipart/form-data has it."""
    name, value = pair.split("=")
    return f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--x--\r\n'


def test_who_unsubscribed_stays_so_until_somebody_takes_it_back(tmp_path):
    with site(tmp_path, {"one-click": ON}) as (relay, sink):
        send(relay, message())
        url = unsubscribe_url(kept(sink, 1))
        assert post(relay.port("https"), url).status == 200
        relay.kill_role("report")
        relay.kill_role("deliver")
        send(relay, message())
        event_of(relay, "suppressed")
        relay.kill()
        relay.start()
        send(relay, message())
        # The first one may be told twice: the end came before spool knew of it.
        wait_for("a second one", lambda: len({r["message"] for r in relay.events()
                                              if r["event"] == "suppressed"}) == 2)
        answer = relay.control("unsuppress", account="acme", address="BOB@b.example")
        assert answer == {"ok": True, "new": True}
        assert relay.control("suppressions")["rows"] == []
        send(relay, message())
        wait_for("mail for bob", lambda: [m for m in sink.messages[1:]
                                          if m.recipients == ["bob@b.example"]])


def test_the_list_is_kept_by_hand_too(tmp_path):
    with site(tmp_path, {}) as (relay, sink):
        ask = relay.control
        assert ask("suppress", account="acme", address="bob@b.example", reason="by phone")["new"]
        assert not ask("suppress", account="acme", address="bob@b.example")["new"]
        (row,) = ask("suppressions", account="acme")["rows"]
        assert row["reason"] == "by phone" and row["message"] == ""
        assert ask("suppressions", account="other")["rows"] == []
        send(relay, message())
        event_of(relay, "suppressed")
        for question, word in ((dict(account="nobody", address="a@b.example"), "nobody"),
                               (dict(account="acme", address="bob"), "bob"),
                               (dict(account="acme"), "address"),
                               (dict(account="acme", address="a@b\n"), "control"),
                               (dict(account="acme", address="a@b", reason="x" * 300), "255")):
            answer = ask("suppress", **question)
            assert not answer["ok"] and word in answer["error"]
        assert not ask("unsuppress", account="acme", address="eve@b.example")["ok"]


def test_nobody_is_told_that_he_is_unsubscribed_before_it_is_kept(tmp_path):
    with site(tmp_path, {"one-click": ON}) as (relay, sink):
        send(relay, message())
        url = unsubscribe_url(kept(sink, 1))
        port, report = relay.port("https"), relay.pid("report")
        with pause(report):
            assert post(port, url).status == 503
        assert post(port, url).status == 200
        assert len(relay.control("suppressions")["rows"]) == 1


@contextlib.contextmanager
def pause(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_corrupt_list_is_put_aside_loudly_and_made_anew_from_the_events(tmp_path):
    with site(tmp_path, {"one-click": ON}) as (relay, sink):
        send(relay, message(), to="eve@b.example")
        assert post(relay.port("https"), unsubscribe_url(kept(sink, 1))).status == 200
        relay.control("suppress", account="acme", address="bob@b.example")
        before = [r for r in relay.control("suppressions")["rows"] if r["reason"] == "unsubscribed"]
        relay.kill()
        for part in ("", "-wal"):
            path = relay.directory / "events" / ("lists.db" + part)
            if path.exists():
                path.write_bytes(b"this is no database" * 1000)
        relay.start()
        assert "corrupt and was put aside" in relay.log()
        assert relay.control("suppressions")["rows"] == before
        send(relay, message(), to=["bob@b.example", "eve@b.example"])
        wait_for("mail for bob", lambda: [m for m in sink.messages if m.recipients == ["bob@b.example"]])
        assert event_of(relay, "suppressed")["to"] == "eve@b.example"


def test_the_list_is_a_database_that_sqlite_finds_sound(tmp_path):
    with site(tmp_path, {}) as (relay, _):
        for i in range(50):
            relay.control("suppress", account="acme", address=f"u{i}@b.example")
        relay.stop()
        with contextlib.closing(sqlite3.connect(relay.directory / "events" / "lists.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert db.execute("SELECT count(*) FROM suppressed").fetchone() == (50,)
        relay.start()
        assert len(relay.control("suppressions")["rows"]) == 50
        assert relay.control("suppressions", limit=7)["more"]


@contextlib.contextmanager
def report_away(relay, role):
    """A role is started anew while report says nothing."""
    with pause(relay.pid("report")):
        relay.kill_role(role)
        yield


def test_no_mail_leaves_before_it_is_known_who_unsubscribed(tmp_path):
    with site(tmp_path, {}) as (relay, sink):
        assert relay.control("suppress", account="acme", address="bob@b.example")["ok"]
        with report_away(relay, "deliver"):
            send(relay, message(), to=["bob@b.example", "eve@b.example"])
            wait_for("the mail to wait", lambda: relay.control("queue")["recipients"] == 2)
            time.sleep(1)  # in which it would be delivered
            assert sink.messages == []
        sink.wait(2)
        assert sorted(m.recipients[0] for m in sink.messages) == ["eve@b.example", "news@acme.example"]


def test_the_signature_covers_what_unsubscribing_adds(tmp_path):
    with site(tmp_path, {"one-click": ON, "opens": ON},
              sign={"domain": ["acme.example"], "selector": "g1", "dkim": ON}) as (relay, sink):
        key = relay.control("key-make", domain="acme.example", selector="g1")["key"]
        send(relay, message())
        data = sink.wait(1)[0].data
        unsubscribe_url(email.message_from_bytes(data, policy=email.policy.default))

        def lookup(name, timeout=5):
            del timeout
            assert name.decode().rstrip(".") == key["name"]
            return key["text"].encode()

        assert dkim.verify(data, dnsfunc=lookup)
        for name in (b"List-Unsubscribe", b"List-Unsubscribe-Post"):
            other = re.sub(rb"\r\n" + name + rb": [^\r]*", b"", data)
            assert other != data and not dkim.verify(other, dnsfunc=lookup)


def test_the_tool_does_what_the_relay_does(tmp_path):
    track = {"clicks": ON, "one-click": ON, "campaign": "yearly", "tag": ["a", "b"]}
    with site(tmp_path, track) as (relay, sink):
        send(relay, message())
        sent = email.message_from_bytes(sink.wait(1)[0].data, policy=email.policy.default)
        tool = [BUILD / "bin" / "gatepost-track", "--config", relay.config_path]
        for url, words in ((links(sent)[0], ["click", "https://shop.example/"]),
                           (unsubscribe_url(sent), ["unsubscribe", "bob@b.example"])):
            said = subprocess.run([*tool, "--open", url], capture_output=True, text=True, check=True)
            for word in (*words, "acme", "yearly", "a,b"):
                assert word in said.stdout
        made = subprocess.run([*tool, "--account", "acme", "--to", "bob@b.example", "--message", "7"],
                              input=message("X-Gatepost-Tags: c").encode(), capture_output=True,
                              check=True).stdout
        mail = email.message_from_bytes(made, policy=email.policy.default)
        said = subprocess.run([*tool, "--open", unsubscribe_url(mail)], capture_output=True, text=True,
                              check=True).stdout
        assert "tags      a,b,c" in said and "message   0000000000007" in said


# ---- shut off ----


def test_what_is_shut_off_leads_nowhere_also_after_a_restart(tmp_path):
    with site(tmp_path, {"clicks": ON, "opens": ON, "one-click": ON}) as (relay, sink):
        send(relay, message())
        mail = kept(sink, 1)
        click, pixel = sorted(links(mail), key=lambda u: u.split("/")[3])
        number = relay.events()[0]["message"]

        def statuses():
            port = relay.port("https")
            return tuple(get(port, u, tls=True).status for u in (click, pixel, unsubscribe_url(mail)))

        assert statuses() == (302, 200, 200)
        for shut, found in ((dict(account="acme"), (404, 404, 200)),
                            (dict(message=number.lower()), (404, 404, 200)),
                            (dict(domain="Shop.Example"), (404, 200, 200))):
            assert relay.control("shut-off", **shut, reason="phishing") == {"ok": True, "new": True}
            wait_for("it to be shut", lambda f=found: statuses() == f)
            relay.kill()
            relay.start()
            assert statuses() == found
            relay.kill_role("http")
            assert statuses() == found
            (row,) = relay.control("shut-list")["rows"]
            assert row["reason"] == "phishing" and row["kind"] == list(shut)[0]
            assert relay.control("reopen", **shut)["ok"]
            wait_for("it to be open", lambda: statuses() == (302, 200, 200))
        assert not relay.control("reopen", account="acme")["ok"]
        for bad, word in ((dict(), "one"), (dict(account="a", domain="b"), "one"),
                          (dict(account="nobody"), "nobody"), (dict(message="x"), "'x'"),
                          (dict(domain=""), "1 to 255")):
            answer = relay.control("shut-off", **bad)
            assert not answer["ok"] and word in answer["error"], answer


def test_links_are_answered_only_when_it_is_known_what_is_shut(tmp_path):
    with Relay(tmp_path) as relay:
        (link,) = seal(relay, ("c", 1, 0, "acme", int(time.time()), "https://shop.example/"))
        port = relay.port("http")
        assert relay.control("shut-off", domain="shop.example")["ok"]
        with report_away(relay, "http"):
            asked = Connection(port)
            asked.send(f"GET {link[link.index('/c/'):]} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        with asked:
            assert asked.response().status == 404


def test_links_grow_old_where_the_config_says_so(tmp_path):
    with Relay(tmp_path, tracking={"host": HOST, "expire": 30}) as relay:
        now = int(time.time())
        old, young = seal(relay, ("c", 1, 0, "acme", now - 31 * 86400, "https://shop.example/"),
                          ("c", 1, 0, "acme", now - 29 * 86400, "https://shop.example/"))
        port = relay.port("http")
        assert get(port, old).status == 404
        assert get(port, young).status == 302
        del relay.config["tracking"]["expire"]
        relay.reload()
        wait_for("no bound", lambda: get(port, old).status == 302)
