# SPDX-License-Identifier: GPL-2.0-or-later
"""Following a tracked link makes Chromium send the very request that the original would have."""
import re
import subprocess

import pytest

from tests.harness.browser import Browser, Origin
from tests.harness.relay import BUILD, Relay, account, wait_for
from tests.harness.web import HOST

# @ becomes a number of the link's own, so that each request says which link it came of.
LINKS = [
    "http://a.example/@/?x=1&amp;y=2&copy=3&lt;b&#38;c=&quot;d",
    "http://a.example/@/?x=1&y=2&amp;amp;z=&eacute;",
    "http://a.example/@/(x)/[0]/{y}/|z|?q=[1]&r={2}",
    "http://a.example/@/a b/ c?q=a b  c",
    "  http://a.example/@/edges  ",
    "http://a.example/@/li\r\nne\tbreaks?a=\n1",
    "http://a.example/@/x?q='single'&r=&quot;double&quot;&s=`t",
    "http://a.example/@/%7Euser/%zz/%/?q=%C3%A4%",
    "http://A.Example:80/x/../@/./y//z",
    "HTTP://a.example/@/case",
    "http://a.example/@/\\back\\slash?q=\\",
    "http://a.example/@/?",
    "http://a.example/@/?a=&b&&c",
    "http://a.example/@/frag?x#y?z",
    "http://a.example/@/;p=1,2/@x/$&'()*+!~_-.",
    "http://a.example/@/nested?u=http://b.example/?c=d%26e",
    "http://a.example/@/<x>^?q=<x>^",
    "http://bücher.example/@/",
    "http://a.example/@/ä/é?q=äé",
    "http://a.example/@/&auml;?q=&auml;&#233;",
    "http://xn--bcher-kva.example/@/%E4?q=%FC",
    "http://192.0.2.1/@/address",
]
CHARSETS = {"utf-8": "€ 漢", "windows-1252": "€ – œ", "iso-8859-2": "ł ž"}
FOLLOW_ALL = b"""<script>
for (const [i, a] of [...document.links].entries()) {
	const frame = document.createElement("iframe");
	frame.name = a.target = "frame" + i;
	document.body.append(frame);
	a.click();
}
</script>"""


def page_of(charset):
    """The page, in its charset: every link, and one with characters that only this one has."""
    links = LINKS + [f"http://a.example/@/own?q={CHARSETS[charset]}"]
    rows = [f'<p><a href="{link.replace("@", f"n{i}n", 1)}">x</a></p>'
            for i, link in enumerate(links)]
    return ("<html><body>" + "\r\n".join(rows) + "</body></html>\r\n").encode(charset), len(links)


def tracked(relay, charset, page):
    """What the relay makes of it, and how many links it tracks."""
    head = (f"From: a@acme.example\r\nMIME-Version: 1.0\r\nContent-Type: text/html; "
            f"charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n").encode()
    done = subprocess.run([BUILD / "bin/gatepost-track", "--config", relay.config_path,
                           "--account", "acme"], input=head + page, capture_output=True, check=True)
    body = done.stdout.split(b"\r\n\r\n", 1)[1]
    return body, len(re.findall(rf'href="http://{HOST}/c/'.encode(), body))


def requests_of(origin, browser, path, page, charset, count):
    """{link: (Host, request line)} of all links of the page, followed."""
    origin.pages[path] = f"text/html; charset={charset}", page + FOLLOW_ALL
    origin.seen.clear()
    browser.open(f"http://origin.example{path}")

    def of_links():
        return {m[1]: seen for seen in list(origin.seen)
                if (m := re.search(rb"n(\d+)n", seen[1]))}

    wait_for(f"{count} links of {path} to be followed", lambda: len(of_links()) >= count)
    browser.close()
    return of_links()


@pytest.mark.parametrize("charset", CHARSETS)
def test_the_origin_gets_the_same_request_line(tmp_path, charset):
    acme = account(track={"opens": [None], "clicks": [None]})
    page, count = page_of(charset)
    with Relay(tmp_path / "relay", accounts=[acme]) as relay, Origin() as origin, \
            Browser(tmp_path / "profile", {HOST: relay.port("http")}, origin.port) as browser:
        rewritten, links = tracked(relay, charset, page)
        assert links == count
        original = requests_of(origin, browser, "/original", page, charset, count)
        through = requests_of(origin, browser, "/tracked", rewritten, charset, count)
        assert through == original
        clicks = [row for row in relay.events() if row["event"] == "clicked"]
        assert len(clicks) == count
