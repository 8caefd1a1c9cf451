# SPDX-License-Identifier: GPL-2.0-or-later
"""What the sink kept of a run: every sample signed, and, of our relay's, every link tracked."""
import email
import email.policy
import re

import dkim

from tests.bench.letter import LINKS
from tests.bench.load import BenchError


def check(directory, record, tracked):
    """Raises BenchError when a sample is not as it has to be; the number of samples."""
    paths = sorted(directory.glob("*.eml"))
    if not paths:
        raise BenchError(f"the sink kept no sample in {directory}")
    for path in paths:
        data = path.read_bytes()
        if (b"\r\n" + data.lower()).count(b"\r\ndkim-signature:") != 1:
            raise BenchError(f"{path} has not one DKIM signature")
        if not dkim.verify(data, dnsfunc=lambda name, timeout=5: record.encode()):
            raise BenchError(f"the DKIM signature of {path} does not verify")
        check_links(path, data, tracked)
    return len(paths)


def check_links(path, data, tracked):
    message = email.message_from_bytes(data, policy=email.policy.default)
    html = message.get_body(("html",)).get_content()
    links = re.findall(r'<a href="([^"]*)"', html)
    ours = [link for link in links if link.startswith("https://t.example.net/")]
    if len(links) != LINKS or len(ours) != (LINKS if tracked else 0):
        raise BenchError(f"{path} has {len(links)} links, {len(ours)} of them tracked")
    pixels = len(re.findall(r'<img [^>]*src="https://t\.example\.net/', html))
    if pixels != int(tracked):
        raise BenchError(f"{path} has {pixels} pixels")
