# SPDX-License-Identifier: GPL-2.0-or-later
"""The tracking host: pixel, redirect, and a 404 for everything else."""
import pytest

from tests.harness.relay import Relay
from tests.harness.web import HOST, Connection, get, seal

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
MESSAGE = 0x1234567  # as a sealed token has it
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c0000000001000100"
                      "0002024401003b")

URLS = [
    "http://shop.example/",
    "https://shop.example",
    "https://shop.example/?a=1&b=2&&c=#top",
    "https://shop.example/%7Euser/a%20b/(x)[0]/'q'?q=\"<>|^`{}\\",
    "https://shop.example:8443/@user/a;b,c=d?e=http://other.example/?f=g%26h#i?j#k",
    "https://xn--bcher-kva.example/%E2%82%AC",
    "HTTPS://Shop.Example/CaSe",
    "http://[2001:db8::1]:8080/x",
    "https://shop.example/" + "x" * 3000,
]


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    with Relay(tmp_path_factory.mktemp("relay")) as r:
        yield r


@pytest.fixture(scope="module")
def port(relay):
    return relay.port("http")


def token(kind="c", url="https://shop.example/", message=MESSAGE, accepted=1):
    return (kind, message, 0, "acme", accepted, url)


def rows(relay, event, **query):
    return [r for r in relay.events(**query) if r["event"] == event]


@pytest.mark.parametrize("url", URLS)
def test_a_click_leads_to_the_very_address(relay, port, url):
    (link,) = seal(relay, token(url=url))
    r = get(port, link, user_agent=FIREFOX)
    assert (r.status, r["location"], r.body) == (302, url, b"")
    assert r["cache-control"] == "no-store"
    assert rows(relay, "clicked")[-1]["url"] == url


def test_the_pixel_is_always_the_same_and_stored_by_nobody(relay, port):
    links = seal(relay, token("o", ""), token("o", "", message=MESSAGE + 1))
    answers = [get(port, link, user_agent=FIREFOX) for link in links]
    for r in answers:
        assert (r.status, r["content-type"], r.body) == (200, "image/gif", PIXEL)
        assert r["cache-control"] == "no-store"
        assert r["set-cookie"] is None and r["referrer-policy"] is None
    assert len(rows(relay, "opened")) >= 2


def test_a_hit_is_in_the_log_under_its_message_when_it_is_answered(relay, port):
    link, pixel = seal(relay, token(message=77), token("o", "", message=77))
    assert get(port, link, user_agent=FIREFOX).status == 302
    assert get(port, pixel, user_agent="YahooMailProxy").status == 200
    (clicked,) = rows(relay, "clicked", message="000000000002D")
    (opened,) = rows(relay, "opened", message="000000000002D")
    assert clicked["account"] == "acme" and clicked["url"] == "https://shop.example/"
    assert clicked["class"] == "person" and clicked["detail"] == FIREFOX
    assert clicked["client"] == "127.0.0.1" and clicked["reason"] == "browser: Firefox"
    assert opened["class"] == "proxy" and opened["url"] == ""


def test_https_answers_the_same(relay):
    link, pixel = seal(relay, token(), token("o", ""))
    with Connection(relay.port("https"), tls=True) as c:
        assert c.ask(link)["location"] == "https://shop.example/"
        assert c.ask(pixel).body == PIXEL
        assert c.ask("/healthz").body == b"ok\n"


def without_date(response):
    return [line for line in response.head.split(b"\r\n") if not line.startswith(b"Date:")]


def test_whatever_is_not_ours_is_one_and_the_same_404(relay, port):
    link, pixel = seal(relay, token(), token("o", ""))
    text = link.rsplit("/", 1)[1]
    others = [f"http://{HOST}/c/" + text[:i] + ("A" if text[i] != "A" else "B") + text[i + 1:]
              for i in range(len(text))]
    others += [f"http://{HOST}/c/" + text[:n] for n in range(len(text))]
    others += [link + "A", link.replace("/c/", "/o/"), pixel.replace("/o/", "/c/"),
               link.replace(HOST, "u.example.net"), link.replace("/c/", "/x/"),
               f"http://{HOST}/", f"http://{HOST}/c/", f"http://{HOST}/c/{text}/x",
               f"http://{HOST}/c/?url=https://evil.example/",
               f"http://{HOST}/favicon.ico", f"http://{HOST}/c/" + "A" * 9000]
    (other_host,) = seal(relay, token(), host="u.example.net")
    others.append(other_host.replace("u.example.net", HOST))
    before = len(relay.events(limit=1000))
    with Connection(port) as c:
        plain = c.ask("/")
        assert plain.status == 404
        for url in others:
            r = c.ask(url)
            if r.status != 404:  # the last character of base64 may hold bits that say nothing
                assert r.status == 302 and url[:-1] == link[:-1], url
                before += 1
                continue
            assert (without_date(r), r.body) == (without_date(plain), plain.body), url
            assert b"evil" not in r.head + r.body
    assert len(relay.events(limit=1000)) == before


def test_a_query_behind_a_link_does_no_harm(relay, port):
    (link,) = seal(relay, token())
    assert get(port, link + "?fbclid=abc").status == 302
    escaped = link.rsplit("/", 1)
    assert get(port, escaped[0] + "/%" + f"{ord(escaped[1][0]):02x}" + escaped[1][1:]).status == 302


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x.example/", "//x.example/",
                                 "https:x.example", "https://", "http://u:p@x.example/",
                                 "https://x.example/\tb", "https://x.example/\x01"])
def test_only_web_addresses_are_ever_led_to(relay, port, url):
    (link,) = seal(relay, token(url=url))
    r = get(port, link)
    assert r.status == 404 and r["location"] is None


def test_head_is_answered_without_a_body_and_marked(relay, port):
    link, pixel = seal(relay, token(message=99), token("o", "", message=99))
    with Connection(port) as c:
        r = c.ask(link, method="HEAD", user_agent=FIREFOX)
        assert (r.status, r["location"]) == (302, "https://shop.example/")
        r = c.ask(pixel, method="HEAD", user_agent=FIREFOX)
        assert (r.status, r["content-length"]) == (200, "43")
        assert c.ask("/healthz").body == b"ok\n"  # nothing was left over between them
    hits = relay.events(message="0000000000033")
    assert [(r["event"], r["class"], r["reason"]) for r in hits] == [
        ("clicked", "scanner", "HEAD request"), ("opened", "scanner", "HEAD request")]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"])
def test_other_methods_are_told_which_ones_there_are(relay, port, method):
    (link,) = seal(relay, token())
    r = get(port, link, method=method)
    assert (r.status, r["allow"], r["location"]) == (405, "GET, HEAD", None)


def test_a_hostile_user_agent_shows_as_text(relay, port):
    (link,) = seal(relay, token(message=101))
    agent = 'x"};\x9b\xff<script>alert(1)</script>\'\\'
    assert get(port, link, user_agent=agent).status == 302
    (row,) = relay.events(message="0000000000035")
    assert row["detail"] == 'x"};\\x9B\\xFF<script>alert(1)</script>\'\\\\'


def test_health(relay, port):
    assert get(port, "/healthz").status == 200
