# SPDX-License-Identifier: GPL-2.0-or-later
"""From a customer's mail to what the log says about its reader: nothing here is made up."""
import email
import email.policy
import re
import smtplib

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account
from tests.harness.sink import Sink
from tests.harness.web import HOST, get

ZONES = {"b.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
LINKS = ["https://shop.example/?a=1&b=2#c", "http://shop.example/(x)"]
HTML = ('<html><body><p>See <a href="https://shop.example/?a=1&amp;b=2#c">one</a> and '
        '<a href=http://shop.example/(x)>two</a></p></body></html>\r\n')
RECIPIENTS = ["bob@b.example", "eve@b.example"]


def message():
    return ("From: News <news@acme.example>\r\nTo: list@b.example\r\nSubject: Spring\r\n"
            "Date: Mon, 23 Nov 2026 18:07:04 +0000\r\nMessage-ID: <1@acme.example>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + HTML)


def html_of(kept):
    parsed = email.message_from_bytes(kept.data, policy=email.policy.default)
    return parsed.get_content()


def test_pixel_and_link_of_a_delivered_message(tmp_path):
    acme = account(track={"opens": [None], "clicks": [None]})
    with Dns(ZONES) as dns, Sink() as sink, Relay(
            tmp_path, accounts=[acme], **{"name-server": [dns.address],
                                          "tracking": {"host": HOST, "https": [None]},
                                          "lab": {"smtp-port": sink.port, "dns-port": dns.port}}
    ) as relay:
        with smtplib.SMTP("127.0.0.1", relay.port("smtp")) as client:
            client.sendmail("news@acme.example", RECIPIENTS, message())
        kept = {m.recipients[0]: html_of(m) for m in sink.wait(2)}
        assert sorted(kept) == RECIPIENTS
        port = relay.port("https")
        for recipient, html in kept.items():
            tracked = re.findall(rf"https://{HOST}/c/[\w-]+", html)
            pixels = re.findall(rf"https://{HOST}/o/[\w-]+", html)
            assert len(tracked) == 2 and len(pixels) == 1
            assert not any(link in html for link in ("shop.example", recipient))
            assert [get(port, link, tls=True, user_agent=FIREFOX)["location"] for link in tracked] == LINKS
            assert get(port, pixels[0], tls=True, user_agent="YahooMailProxy").status == 200
        ids = {row["message"] for row in relay.events()}
        assert len(ids) == 1
        story = relay.events(message=ids.pop())
        for recipient in RECIPIENTS:
            hits = [r for r in story if r["to"] == recipient and r["event"] in
                    ("opened", "clicked")]
            assert [(r["event"], r["url"]) for r in hits] == [
                ("clicked", LINKS[0]), ("clicked", LINKS[1]), ("opened", "")]
            assert {r["from"] for r in hits} == {"news@acme.example"}
            assert {r["account"] for r in hits} == {"acme"}
            assert hits[2]["class"] == "proxy"
            assert [r["event"] for r in relay.events(to=recipient)][0] == "queued"
        assert story[0]["event"] == "received" and story[0]["subject"] == "Spring"
        counts, = relay.control("statistics", account="acme")["accounts"]
        assert counts["events"]["received"] == 1 and counts["events"]["queued"] == 2
        assert counts["events"]["opened"] == 2 and counts["events"]["clicked"] == 4
