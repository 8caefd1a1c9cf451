# SPDX-License-Identifier: GPL-2.0-or-later
"""gatepost-track as tests use it, and messages compared before and after.

    tracker = Tracker(tmp_path)
    out = tracker.rewrite(message)           # bytes with CRLF, everything on
"""
import email
import email.policy
import json
import os
import re
import subprocess
from pathlib import Path

import html5lib

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "output" / ("build-sanitize" if os.environ.get("SANITIZE") else "build")
CORPORA = Path(os.environ.get("GATEPOST_CORPORA", ROOT / "../shared/corpora"))
HOST = "t.example.net"
TIME = 1700000000
CLICK = re.compile(rb"https://t\.example\.net/c/[A-Za-z0-9_-]+")
PIXEL = re.compile(rb'<img src="https://t\.example\.net/o/[A-Za-z0-9_-]+"'
                   rb' width="1" height="1" border="0" alt="">')


class Tracker:
    """A relay.json, its keys, and the tool. domains: those that the account signs for."""

    def __init__(self, directory, domains=("acme.example",), https=True):
        self.directory = Path(directory)
        self.keys = self.directory / "keys"
        self.keys.mkdir(parents=True, exist_ok=True)
        (self.keys / "tracking.keys").write_text("1 " + "5a" * 32 + "\n")
        self.config = self.directory / "relay.json"
        self.rsa = self.make_key("rsa", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        self.ed25519 = self.make_key("ed25519", "ED25519")
        for domain in domains:
            self.give_key(f"{domain}.g1.pem", self.rsa)
            self.give_key(f"{domain}.g1-ed25519.pem", self.ed25519)
        self.config.write_text(json.dumps({"gatepost:relay": {
            "host-name": "relay.example.net",
            "directory": {"keys": str(self.keys)},
            "tracking": {"host": HOST, **({"https": [None]} if https else {})},
            "account": [{
                "name": "acme", "networks": ["127.0.0.0/8"],
                "from": [f"*@{d}" for d in domains],
                "sign": {"domain": list(domains), "selector": "g1", "dkim": [None],
                         "domainkeys": [None]},
            }],
        }}))

    def make_key(self, name, algorithm, *more):
        path = self.directory / f"{name}.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", algorithm, *more, "-out", path],
                       check=True, capture_output=True)
        return path

    def give_key(self, name, source):
        path = self.keys / name
        path.write_bytes(source.read_bytes())
        path.chmod(0o400)

    def public(self, key):
        """The key as a DNS record has it."""
        der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        import base64
        return base64.b64encode(der if key == self.rsa else der[-32:]).decode()

    def record(self, ed25519=False):
        """What DNS says of the key."""
        if ed25519:
            return f"v=DKIM1; k=ed25519; p={self.public(self.ed25519)}"
        return f"v=DKIM1; k=rsa; p={self.public(self.rsa)}"

    def run(self, *arguments, message=b""):
        return subprocess.run([BUILD / "bin" / "gatepost-track", "--config", self.config,
                               *arguments], input=message, capture_output=True, check=False)

    def rewrite(self, message, *options):
        done = self.run("--account", "acme", "--time", str(TIME), *(options or ("--all",)),
                        message=message)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def explain(self, message):
        """[(part, kind, url, verdict)], and the lines that are about no link."""
        links, rest = [], []
        for line in self.rewrite(message, "--all", "--explain").decode().splitlines():
            found = re.fullmatch(r"part (\d+) (html|text): (.*): ([^:]*)", line)
            if found:
                links.append((int(found[1]), found[2], found[3], found[4]))
            else:
                rest.append(line)
        return links, rest

    def open(self, url):
        """What a tracking URL holds, as a dict."""
        done = self.run("--open", url)
        assert done.returncode == 0, done.stderr.decode()
        return dict(line.split(maxsplit=1) for line in done.stdout.decode().splitlines())


def verdicts(command, message):
    """What a verifier that reads standard input says, line by line."""
    return subprocess.run(command, input=message, capture_output=True,
                          check=True).stdout.decode().splitlines()


def mail_dkim(tracker, message):
    """Mail::DKIM's verdicts, which knows DomainKeys as well: ["dkim=pass", "domainkeys=pass"]."""
    return verdicts(["perl", ROOT / "tests/demo/verify.pl", tracker.record()], message)


def opendkim(tracker, message):
    """libopendkim's: ["rsa-sha256=pass", "ed25519-sha256=pass"]."""
    zone = tracker.directory / "zone"
    if not zone.exists():
        zone.write_text(f"g1 {tracker.record()}\ng1-ed25519 {tracker.record(True)}\n")
    return verdicts([BUILD / "netns/opendkim", zone], message)


def crlf(data):
    """The message as SMTP would bring it: a line end of any kind is CRLF."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", data)


def parse(data):
    return email.message_from_bytes(data, policy=email.policy.compat32)


def tree(message):
    """What a mail program knows of the parts: types, parameters, names, nesting."""
    return [(part.get_content_type(), part.get_params(), part.get_filename(),
             part.get("Content-Disposition"), len(part.get_payload())
             if part.is_multipart() else 0) for part in message.walk()]


def url_of(href):
    """What the URL standard looks at of an attribute's value."""
    return href.strip("".join(map(chr, range(0x21)))).translate({9: None, 10: None, 13: None})


def _nodes(element, opened, pixels):
    """The tree as a list; tracked links mapped back, the pixel left out (its tail stays)."""
    out = []

    def text(value):
        if not value:
            return
        for url, original in opened.items():
            value = value.replace(url, original)
        if out and out[-1][0] == "text":
            out[-1] = ("text", out[-1][1] + value)
        else:
            out.append(("text", value))

    def walk(node):
        if not isinstance(node.tag, str):
            value = node.text or ""
            for url, original in opened.items():
                value = value.replace(url, original)
            out.append(("comment", value))
        elif (node.get("src") or "").startswith(f"https://{HOST}/o/"):
            pixels.append(node)
        else:
            attributes = {k: url_of(opened.get(v, v)) if k == "href" else v
                          for k, v in node.attrib.items()}
            out.append(("start", node.tag, attributes))
            text(node.text)
            for child in node:
                walk(child)
                text(child.tail)
            out.append(("end", node.tag))

    walk(element)
    return out


def dom(html, opened=None, pixels=None):
    """The nodes of the tree that a browser builds. html: bytes, each taken for one character."""
    document = html5lib.parse(html.decode("latin-1"), treebuilder="etree",
                              namespaceHTMLElements=False)
    return _nodes(document, opened or {}, pixels if pixels is not None else [])
