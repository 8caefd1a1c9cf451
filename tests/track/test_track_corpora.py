# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages that nobody of this project wrote, with everything on: only links and the pixel change,
and every signature holds in other people's verifiers."""
import email.utils
import re

import dkim
import pytest

from tests.harness.track import (CLICK, CORPORA, PIXEL, Tracker, crlf, dom, mail_dkim, opendkim,
                                 parse, tree, url_of)

MAIL = sorted((CORPORA / "mail").glob("**/*.eml"))
BOUNCES = sorted((CORPORA / "bounces").glob("**/*.eml"))
pytestmark = pytest.mark.skipif(not MAIL, reason="no corpora")


def short(path):
    """A test's name; there may be no path at all."""
    return str(path.relative_to(CORPORA)) if MAIL else "none"


def from_domain(data):
    """Of the one address of the one From field; None where that is not so."""
    fields = parse(data).get_all("From", [])
    found = re.search(r"@([A-Za-z0-9.-]+)\W*$", email.utils.parseaddr(str(fields[0]))[1]) \
        if len(fields) == 1 else None
    return found[1].lower() if found else None


@pytest.fixture(scope="module")
def tracker(tmp_path_factory):
    domains = {from_domain(crlf(p.read_bytes())) for p in MAIL} - {None}
    return Tracker(tmp_path_factory.mktemp("track"), sorted(domains | {"acme.example"}))


def opened_links(tracker, before, after):
    """{tracked URL: its original}; each redirect gives back what the message had."""
    links, _ = tracker.explain(before)
    tracked = [url for _, _, url, verdict in links if verdict == "tracked"]
    urls = []
    for part in parse(after).walk():
        if part.get_content_maintype() == "text":
            urls += CLICK.findall(part.get_payload(decode=True) or b"")
    opened = {url.decode(): tracker.open(url.decode())["url"] for url in dict.fromkeys(urls)}
    assert sorted(opened.values()) == sorted(tracked)
    return opened


def fields(message, but=()):
    """The header, unfolded: a line over 998 bytes is folded once more."""
    return [(k, re.sub(r"\r\n", "", str(v))) for k, v in message.items() if k.lower() not in but]


def check_leaf(before, after, opened):
    """One leaf part before and after: its bytes, or what they mean with the links mapped back."""
    if before.get_payload() == after.get_payload():
        assert fields(before) == fields(after)
        return 0
    was, now = before.get_payload(decode=True), after.get_payload(decode=True)
    may_change = {"content-transfer-encoding"}
    if "MIME-Version" not in before:
        may_change.add("mime-version")
    assert fields(before, may_change) == fields(after, may_change)
    pixels = PIXEL.findall(now)
    nodes = []
    if before.get_content_type() == "text/html":
        assert dom(was) == dom(now, opened, nodes)
        assert len(nodes) == len(pixels) <= 1
    unmasked = PIXEL.sub(b"", now)
    for url, original in opened.items():
        unmasked = unmasked.replace(url.encode(), original.encode())
    if b"&" not in was and was.isascii() and before.get_content_type() == "text/plain":
        assert unmasked == was
    return len(pixels)


def check(tracker, data):
    """Rewrites, compares; gives (pixels, links)."""
    out = tracker.rewrite(data)
    before, after = parse(data), parse(out)
    assert tree(before) == tree(after)
    assert b"\n" not in out.replace(b"\r\n", b"")
    assert b"\r" not in out.replace(b"\r\n", b"")
    assert max(map(len, out.split(b"\r\n"))) <= 998
    opened = opened_links(tracker, data, out)
    pixels = sum(check_leaf(b, a, opened) for b, a in zip(before.walk(), after.walk())
                 if not b.is_multipart())
    assert pixels <= 1
    assert before.preamble == after.preamble and before.epilogue == after.epilogue
    if not opened and not pixels and max(map(len, data.split(b"\r\n"))) <= 998:
        assert out == data
    return pixels, len(opened)


@pytest.mark.parametrize("path", MAIL, ids=short)
def test_only_links_and_the_pixel_change(tracker, path):
    check(tracker, crlf(path.read_bytes()))


def test_bounces_and_reports_pass_as_they_came(tracker):
    assert len(BOUNCES) > 200
    for path in BOUNCES:
        try:
            check(tracker, crlf(path.read_bytes()).replace(b"\0", b""))
        except AssertionError as e:
            raise AssertionError(f"{short(path)}: {e}") from e


@pytest.mark.parametrize("path", MAIL, ids=short)
def test_signatures_hold_in_other_verifiers(tracker, path, tmp_path):
    data = crlf(path.read_bytes())
    domain = from_domain(data)
    if not domain:
        pytest.skip("no From field with one address: nothing signs for it")
    out = tracker.rewrite(data, "--all", "--sign", "--trace")
    assert max(map(len, out.split(b"\r\n"))) <= 998
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", out)

    def dns(name, timeout=5):
        del timeout
        return tracker.record(b"ed25519" in name).encode()

    assert dkim.DKIM(out).verify(idx=0, dnsfunc=dns)
    assert dkim.DKIM(out).verify(idx=1, dnsfunc=dns)
    seen = mail_dkim(tracker, out)
    assert "dkim=pass" in seen and "domainkeys=pass" in seen, seen
    assert opendkim(tracker, out)[:2] == ["rsa-sha256=pass", "ed25519-sha256=pass"]


def test_a_forged_message_holds_in_no_verifier(tracker):
    """Were they asked nothing, they would say nothing above."""
    data = b"From: a@acme.example\r\nSubject: x\r\n\r\nbody\r\n"
    out = tracker.rewrite(data, "--all", "--sign").replace(b"\r\nbody", b"\r\nbodies")
    seen = opendkim(tracker, out) + mail_dkim(tracker, out)
    assert len(seen) == 5 and not any(verdict.endswith("=pass") for verdict in seen), seen


def test_the_corpora_hold_what_is_to_be_tracked(tracker):
    """Were nothing tracked in them, the comparisons above would say nothing."""
    pixels = links = 0
    for path in MAIL:
        p, n = check(tracker, crlf(path.read_bytes()))
        pixels, links = pixels + p, links + n
    print(f"\n{len(MAIL)} messages: {pixels} pixels, {links} links")
    assert pixels > 10


def test_url_of_is_the_standards():
    assert url_of(" \nhttp://a/\r\n\tb ") == "http://a/b"
