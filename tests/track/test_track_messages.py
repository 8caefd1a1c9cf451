# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages with awkward links, in every encoding and nesting: what a browser builds out of them is
the same but for the links, and each link leads where it led."""
import base64
import quopri
import re

import pytest

from tests.harness.track import (CLICK, HOST, PIXEL, Tracker, dom, mail_dkim, opendkim, parse,
                                 tree)

LINKS = [
    '<a href="http://a.example/?x=1&amp;y=2&copy=3&lt;b&#38;c=&quot;d">entities</a>',
    "<a href='http://a.example/(x)/[0]/{y}?q=a b&r=\"s\"#frag'>brackets and spaces</a>",
    "<a\r\n  class=x\r\n  href = http://a.example/unquoted/?a=b>lines</a>",
    '<A HREF="HTTPS://A.Example:443/../x//y?">case</A>',
    '<a href=" http://a.example/white\r\n\tspace ">space</a>',
    '<a href="#top">anchor</a><a href="mailto:a@b.example?subject=x">mail</a><a href>none</a>',
    '<a href="http://a.example/%E4?%zz%">per cent</a>',
    '<a data-gatepost-notrack href="http://a.example/login">out</a>',
    '<map name=m><area href="http://a.example/area" alt=x></map><img src=cid:x usemap=#m>',
    '<!--[if mso]><v:roundrect href="http://a.example/vml"></v:roundrect><![endif]-->',
    '<!--[if !mso]><!--><a href="http://a.example/notmso">x</a><!--<![endif]-->',
    '<!-- <a href="http://a.example/comment"> --><script>"<a href=http://a.example/js>"</script>',
    '<svg><a href="http://a.example/svg"><title>t</title></a></svg>',
    '<table><tr><td><a href=http://a.example/cell>cell</table><a href=http://a.example/after>x</a>',
    '<a href="http://a.example/nested/?u=http://b.example/%3Fx">nested</a>',
    "<p>http://a.example/text is no link here</p>",
]

PAGES = {
    "whole": "<!DOCTYPE html><html><head><title>x</title><base href=http://base.example/>"
             "<style>a{}</style></head><body bgcolor=white>{}</body></html>",
    "fragment": "{}",
    "no-end": "<html><body>{}",
    "two-ends": "<body>{}</body></html><p>footer</p></body>",
    "hidden-ends": "<body>{}<!-- </body> --><script>'</body>'</script>",
    "open-formatting": "<body><font color=red><b>{}<p><i>x</p></body>",
    "lost-formatting": "<p><b>{}<ul><li><font size=1>x</li></ul></div></body></html>",
    "lost-in-table": "<div>{}<table><tr><td><p><b>x</p></td><td><p><i>y</p></table></body>",
    "lost-and-closed": "<p><b><i>{}</p></b></i></body>",
    "open-table": "<body><table><tr><td>{}</body>",
    "open-comment": "<body>{}<!-- never closed",
    "no-head-end": "<html><head><meta charset=utf-8><style>x</style>{}</html>",
    "placeholder": "<body><!-- gatepost-pixel --><p>{}</p></body>",
    "text-around": "Before\r\n{}\r\nafter.\r\n",
}

PLACEHOLDER = b"<!-- gatepost-pixel -->"
ENCODINGS = ("7bit", "quoted-printable", "base64", "8bit-long")


def encode(html, encoding):
    """Header line and body."""
    data = html.encode()
    if encoding == "quoted-printable":
        data = quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    elif encoding == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    elif encoding == "8bit-long":
        data = ("ä" * 450 + html.replace("\r\n", " ")).encode()
        encoding = "8bit"
    return f"Content-Transfer-Encoding: {encoding}\r\n", data


def leaf(html, encoding):
    header, body = encode(html, encoding)
    return f"Content-Type: text/html; charset=utf-8\r\n{header}\r\n".encode() + body


def nest(*parts):
    body = b"".join(b"--in ner\r\n" + p + b"\r\n" for p in parts) + b"--in ner--\r\n"
    inner = (b'Content-Type: multipart/alternative; boundary="in ner"\r\n\r\n'
             b"--in ner\r\nContent-Type: text/plain\r\n\r\nhttp://a.example/text.\r\n" + body)
    return (b"Content-Type: multipart/mixed; boundary=outer\r\n\r\npreamble\r\n--outer\r\n" + inner +
            b"\r\n--outer\r\nContent-Type: application/pdf; name=x.pdf\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n--outer--\r\nepilogue\r\n")


HEAD = b"From: Bob <bob@acme.example>\r\nTo: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"


@pytest.fixture(scope="module")
def tracker(tmp_path_factory):
    return Tracker(tmp_path_factory.mktemp("track"))


def html_of(message):
    return next(p for p in message.walk() if p.get_content_type() == "text/html")


def compare(tracker, data):
    """Rewrites; everything but links and the pixel is the same. Gives the links, mapped."""
    out = tracker.rewrite(data)
    before, after = parse(data), parse(out)
    assert tree(before) == tree(after)
    assert max(map(len, out.split(b"\r\n"))) <= 998
    assert b"\n" not in out.replace(b"\r\n", b"")
    was, now = (html_of(m).get_payload(decode=True) for m in (before, after))
    opened = {url.decode(): tracker.open(url.decode())["url"]
              for url in dict.fromkeys(CLICK.findall(now))}
    pixels = []
    assert dom(now, opened, pixels) == dom(was.replace(PLACEHOLDER, b""))
    assert len(pixels) == len(PIXEL.findall(now)) == 1
    for a, b in zip(before.walk(), after.walk()):
        if a.get_content_type() not in ("text/html", "text/plain") and not a.is_multipart():
            assert a.as_bytes() == b.as_bytes()
    return opened


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_page_is_the_same_but_for_its_links(tracker, page, encoding):
    html = PAGES[page].replace("{}", "\r\n".join(LINKS))
    opened = compare(tracker, HEAD + leaf(html, encoding))
    assert len(opened) >= 13
    assert 'http://a.example/?x=1&y=2&copy=3<b&c="d' in opened.values()
    assert any(u.startswith("http://a.example/white") for u in opened.values())
    assert not any("login" in u or "comment" in u or "/js" in u for u in opened.values())


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nested_parts_are_reached(tracker, encoding):
    html = PAGES["whole"].replace("{}", LINKS[0])
    data = HEAD + nest(leaf(html, encoding))
    compare(tracker, data)
    out = tracker.rewrite(data)
    text = next(p for p in parse(out).walk() if p.get_content_type() == "text/plain")
    url, dot = text.get_payload()[:-1], text.get_payload()[-1]
    assert dot == "." and tracker.open(url)["url"] == "http://a.example/text"


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_signed_as_it_will_be_sent(tracker, page):
    """The pixel may be the last thing in it, behind the last line end: SMTP adds another."""
    html = PAGES[page].replace("{}", LINKS[0]) + "\r\n"
    out = tracker.rewrite(HEAD + leaf(html, "7bit"), "--all", "--sign")
    sent = out if out.endswith(b"\r\n") else out + b"\r\n"
    assert opendkim(tracker, sent) == ["rsa-sha256=pass", "ed25519-sha256=pass"]
    assert set(mail_dkim(tracker, sent)) >= {"dkim=pass", "domainkeys=pass"}


def test_only_the_spliced_bytes_differ(tracker):
    """In 7bit, putting the original bytes back gives the very message."""
    links = "\r\n".join((LINKS[14], LINKS[8], "<!-- x -->", LINKS[3]))
    html = PAGES["whole"].replace("{}", links)
    data = HEAD + leaf(html, "7bit")
    out = PIXEL.sub(b"", tracker.rewrite(data))
    for url in dict.fromkeys(CLICK.findall(out)):
        out = out.replace(url, tracker.open(url.decode())["url"].encode())
    assert out == data


def test_quoted_printable_is_not_written_anew(tracker):
    """Lines that the change does not touch stay as the sender's mailer wrote them."""
    body = (b"<p>=e4=\r\n =C3=A4 odd =20\r\n<a href=3D\"http://a.exa=\r\nmple/\">x</a>=20\r\n"
            b"<b>y</b> \t\r\n")
    data = (HEAD + b"Content-Type: text/html; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + body)
    out = tracker.rewrite(data)[len(data) - len(body):]
    assert out.startswith(b"<p>=e4=\r\n =C3=A4 odd =20\r\n<a href=3D\"https://" + HOST.encode())
    assert b'">x</a>=20\r\n<b>y</b> \t\r\n<img' in out
    assert max(map(len, out.split(b"\r\n"))) <= 76


def test_explain_names_each_link_and_why(tracker):
    links, rest = tracker.explain(HEAD + leaf("".join(LINKS), "7bit"))
    verdicts = {url: verdict for _, _, url, verdict in links}
    assert verdicts["mailto:a@b.example?subject=x"] == "not http or https with a host"
    assert verdicts["http://a.example/login"] == "its sender opted it out"
    assert verdicts["http://a.example/vml"] == "tracked"
    assert rest == ["13 links tracked, one pixel, 0 parts or fields with mended lines, "
                    "0 old signatures taken out"]


def test_open_shows_what_a_url_holds(tracker):
    out = tracker.rewrite(HEAD + leaf(LINKS[0], "7bit"), "--all", "--recipient", "3", "--message",
                          "77")
    click = CLICK.findall(out)[0].decode()
    shown = tracker.open(click)
    assert shown["kind"] == "click" and shown["account"] == "acme" and shown["recipient"] == "3"
    assert shown["accepted"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    for wrong in (click[:-1], click + "A", click.replace("/c/", "/o/"), "nonsense",
                  click.replace(HOST, "other.example.net"), "http://" + HOST + "/c/"):
        done = tracker.run("--open", wrong)
        assert done.returncode == 1 and b"--open: '" in done.stderr


@pytest.mark.parametrize("arguments,says", [
    (["--account", "nobody"], b"there is no account 'nobody'"),
    (["--account", "acme", "--recipient", "-1"], b"--recipient: '-1' is no number"),
    (["--account", "acme", "--bogus"], b"usage: gatepost-track"),
    ([], b"usage: gatepost-track"),
])
def test_a_wrong_command_line_is_said(tracker, arguments, says):
    done = tracker.run(*arguments, message=b"From: a\r\n\r\n")
    assert done.returncode in (1, 2) and says in done.stderr and not done.stdout


def test_what_the_relay_would_refuse_is_refused(tracker):
    for data, says in ((b"a: b\r\n\r\nx\ry\r\n", b"line 3 of the message: a CR without LF"),
                       (b"a: b\r\n\r\nx\0\r\n", b"line 3 of the message: a NUL")):
        done = tracker.run("--account", "acme", message=data)
        assert done.returncode == 1 and says in done.stderr and not done.stdout


def test_signing_says_what_is_missing(tracker, tmp_path):
    other = Tracker(tmp_path)
    (other.keys / "acme.example.g1.pem").unlink()
    done = other.run("--account", "acme", "--sign", message=HEAD + b"\r\nx\r\n")
    assert done.returncode == 1
    assert b"acme.example.g1.pem: there is no such key" in done.stderr
    done = other.run("--account", "acme", "--sign", message=b"From: a@b.example\r\n\r\nx\r\n")
    assert b"does not sign for the domain of the From field" in done.stderr


def test_a_message_without_a_date_gets_one_that_is_signed(tracker):
    out = tracker.rewrite(HEAD + b"\r\nx\r\n", "--all", "--trace", "--sign")
    names = re.findall(rb"^([A-Za-z-]+):", out, re.M)
    assert names[:6] == [b"DKIM-Signature", b"DKIM-Signature", b"DomainKey-Signature", b"Received",
                         b"Date", b"Message-ID"]
    assert re.search(rb"h=Date:Message-ID:From", out)
