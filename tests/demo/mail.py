# SPDX-License-Identifier: GPL-2.0-or-later
"""Mail as customers send it, and what arrived taken apart."""
import email
import email.policy
import re
import smtplib
import socket
import ssl
import subprocess
from email.message import EmailMessage
from pathlib import Path

import dkim

LINKS = ["http://shop.example/a?x=1&y=%C3%A9#part", "http://b.example/path(with)brackets?q="]
# A tracked link on http:// would take this one's encryption away, so it stays as it is.
SECURE = "https://bank.example/login?next=/"


def newsletter(sender, recipient, subject="Spring catalogue"):
    """Text and HTML with two links, non-ASCII in both."""
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = sender, recipient, subject
    m.set_content(f"Grüße!\nSee {LINKS[0]} for more.\n")
    html = "".join(f'<p><a\n href="{link.replace("&", "&amp;")}">Zu den Blumen</a></p>\n'
                   for link in [*LINKS, SECURE])
    m.add_alternative(f"<html><head><title>Grüße</title></head>\n<body>{html}</body></html>\n",
                      subtype="html", cte="quoted-printable")
    return m.as_bytes(policy=email.policy.SMTP)


def plain(sender, recipient, subject):
    return (f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\n"
            f"{subject}\r\n").encode()


class Refused(Exception):
    """The server's reply, as text."""


def submit(host, server, sender, recipients, data, port=25, login=None):
    """Hands a message over as a client on that host would; the reply to the data's end."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    raw = host.socket(family, timeout=30)
    raw.connect((server, port))
    client = smtplib.SMTP(timeout=30)
    client._host = server  # what connect() would have set: starttls() asks for it
    client.sock = raw
    code, text = client.getreply()
    try:
        if code != 220:
            raise Refused(f"{code} {text.decode()}")
        client.ehlo(f"{host.name}.example")
        if login:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client.starttls(context=context)
            client.ehlo(f"{host.name}.example")
            client.login(*login)
        for reply in [client.mail(sender)] + [client.rcpt(r) for r in recipients]:
            if reply[0] >= 400:
                raise Refused(f"{reply[0]} {reply[1].decode()}")
        code, text = client.data(data)
        if code >= 400:
            raise Refused(f"{code} {text.decode()}")
        return text.decode()
    except smtplib.SMTPResponseException as why:
        raise Refused(f"{why.smtp_code} {why.smtp_error.decode()}") from None
    finally:
        client.close()


def html_of(data):
    message = email.message_from_bytes(data, policy=email.policy.default)
    return message.get_body(("html",)).get_content()


def hrefs(html):
    found = re.findall(r'<a\s+href="([^"]*)"', html)
    return [link.replace("&amp;", "&") for link in found]


def pixel(html):
    match = re.search(r'<img[^>]+src="([^"]+)"[^>]*>', html)
    return match.group(1) if match else None


def restored(html, tracked, originals):
    """The HTML with the tracked links put back and the pixel taken out."""
    for link, original in zip(tracked, originals):
        html = html.replace(link.replace("&", "&amp;"), original.replace("&", "&amp;"))
        html = html.replace(link, original.replace("&", "&amp;"))
    return re.sub(r"<img[^>]+>", "", html)


def dkimpy_verifies(data, record):
    """Every DKIM signature, by dkimpy; how many there are."""
    verifier = dkim.DKIM(data)
    names = [name for name, _ in verifier.headers if name.lower() == b"dkim-signature"]
    for i in range(len(names)):
        if not verifier.verify(idx=i, dnsfunc=lambda name, timeout=5: record.encode()):
            return 0
    return len(names)


PERL = Path(__file__).with_name("verify.pl")


def mail_dkim_results(data, record):
    """Mail::DKIM's verdicts: {"dkim": "pass", "domainkeys": "pass"}."""
    done = subprocess.run(["perl", PERL, record], input=data, capture_output=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.decode().split())
