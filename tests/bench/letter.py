# SPDX-License-Identifier: GPL-2.0-or-later
"""The letters that are sent: a newsletter as people send them, with ten links, at a given size.

A multipart/alternative of plain text and HTML; text/plain is quoted in neither part, so that no
side has to re-encode more than it wants to. Everything but the message's name is the same in each.
"""
import random

ID_MARK = "@BENCH-ID--@"  # gauge.h
LINKS = 10
WORDS = ("order delivery winter offer customer harbour garden letter market season ticket "
         "account service weekend village bicycle kitchen journey station morning evening price "
         "colour member summer library concert museum coffee window").split()

HEADER = f"""\
Date: Mon, 23 Nov 2026 08:00:00 +0000
From: "The Market" <{{sender}}>
To: Reader <{{recipient}}>
Subject: News from the market, {ID_MARK}
Message-ID: <{ID_MARK}@{{domain}}>
X-Bench-Id: {ID_MARK}
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="=_part_7d1f"
"""


def _sentences(dice, size):
    """Lines of words, about size bytes in all."""
    lines, line = [], ""
    while size > 0:
        word = dice.choice(WORDS)
        if len(line) + len(word) > 70:
            lines.append(line.strip())
            size -= len(line) + 2
            line = ""
        line += word + " "
    return lines


def _html(dice, size, links):
    """A table of paragraphs; each link stands in a paragraph of its own."""
    styled = '<td style="font-family:Arial,sans-serif;font-size:14px;color:#333333">'
    out = ["<!DOCTYPE html>", "<html><head><title>News</title>",
           '<meta http-equiv="Content-Type" content="text/html; charset=us-ascii">',
           "<style>a { color: #0050a0 } td { padding: 8px }</style></head>", "<body>", "<table>"]
    each = max(40, (size - 600 - links * 180) // links)
    for number in range(links):
        out += ["<tr>" + styled, "<p>"] + _sentences(dice, each)
        out += [f'<a href="https://www.market.example/offer/{number}?id={dice.randrange(10**9)}'
                f'&amp;from=letter">', f"Offer {number}: read on</a></p></td></tr>"]
    return out + ["</table></body></html>"]


def letter(size_bytes, sender, recipient, links=LINKS):
    """The template: bytes with CRLF, the mark where the message's name belongs."""
    dice = random.Random(size_bytes)
    domain = sender.partition("@")[2]
    header = HEADER.format(sender=sender, recipient=recipient, domain=domain).splitlines()
    text_size = (size_bytes - 700) // 5
    lines = header + ["", "--=_part_7d1f", "Content-Type: text/plain; charset=us-ascii", ""]
    lines += _sentences(dice, text_size) + [f"Letter {ID_MARK}", "", "--=_part_7d1f"]
    lines += ["Content-Type: text/html; charset=us-ascii", ""]
    lines += _html(dice, size_bytes - text_size - 700, links) + ["--=_part_7d1f--", ""]
    return "\r\n".join(lines).encode("ascii")


def page(size_bytes, sender, recipient, links=LINKS):
    """A message that is one HTML page and no text beside it, of about that size."""
    domain = sender.partition("@")[2]
    header = HEADER.format(sender=sender, recipient=recipient, domain=domain).splitlines()[:-1]
    lines = header + ["Content-Type: text/html; charset=us-ascii", ""]
    return "\r\n".join(lines + _html(random.Random(size_bytes), size_bytes, links)
                       + [""]).encode("ascii")
