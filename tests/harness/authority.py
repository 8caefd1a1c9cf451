# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for tests: an authority, what it issues, and TLSA records of either (by openssl).

    authority = Authority(tmp_path)
    authority.path                                   # PEM, for a ca-file
    cert = authority.issue("mx.b.example")
    Sink(certificate=cert);  cert.tlsa(3, 1, 1);  authority.tlsa(2, 0, 1)
"""

import hashlib
import ssl
import subprocess
from pathlib import Path

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def _openssl(*argv, data=None):
    return subprocess.run(["openssl", *map(str, argv)], input=data, check=True,
                          capture_output=True).stdout


class Certificate:
    """A certificate with its key; chain: what a server sends."""

    def __init__(self, path, key, issuer=None, send_issuer=True):
        self.path, self.key = Path(path), Path(key)
        pem = self.path.read_text()
        self.der = ssl.PEM_cert_to_DER_cert(pem)
        self.chain = self.path.with_suffix(".chain")
        self.chain.write_text(pem + (issuer.path.read_text() if issuer and send_issuer else ""))

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    def tlsa(self, usage, selector, matching):
        """The data of a TLSA record (RFC 6698), as a zone file has it."""
        data = self.der
        if selector:
            data = _openssl("pkey", "-pubin", "-outform", "DER",
                            data=_openssl("x509", "-pubkey", "-noout", "-in", self.path))
        if matching:
            data = (hashlib.sha256 if matching == 1 else hashlib.sha512)(data).digest()
        return f"TLSA {usage} {selector} {matching} {data.hex()}"


class Authority(Certificate):
    def __init__(self, folder, name="Test CA"):
        self.folder = Path(folder) / name.replace(" ", "-")
        self.folder.mkdir(parents=True)
        path, key = self.folder / "ca.pem", self.folder / "ca.key"
        _openssl("req", "-x509", *_KEY, "-days", 30, "-subj", "/CN=" + name, "-keyout", key,
                 "-out", path, "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.count = 0
        super().__init__(path, key)

    def issue(self, *names, over=False, send_issuer=True):
        """For these host names; over=True: it was valid until 2020."""
        self.count += 1
        base = self.folder / str(self.count)
        key, request, extensions, path = (base.with_suffix(s) for s in
                                          (".key", ".csr", ".ext", ".pem"))
        _openssl("req", "-new", *_KEY, "-subj", "/CN=" + names[0], "-keyout", key, "-out",
                 request)
        extensions.write_text("basicConstraints=CA:FALSE\nsubjectAltName=" +
                              ",".join("DNS:" + n for n in names) + "\n")
        first, last = ("190101000000Z", "200101000000Z") if over else ("200101000000Z",
                                                                       "491231000000Z")
        base.with_suffix(".db").touch()
        config = base.with_suffix(".conf")
        config.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={base}.db\nnew_certs_dir={self.folder}"
                          "\npolicy=p\ndefault_md=sha256\nrand_serial=yes\n[p]\n"
                          "commonName=supplied\n")
        _openssl("ca", "-batch", "-notext", "-config", config, "-cert", self.path, "-keyfile",
                 self.key, "-in", request, "-startdate", first, "-enddate", last, "-extfile",
                 extensions, "-out", path)
        return Certificate(path, key, self, send_issuer)
