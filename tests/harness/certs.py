# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates of a test's own, made by openssl."""
import subprocess
from pathlib import Path


class Certificate:
    """A self-signed certificate for the names, in folder/NAME.crt and .key."""

    def __init__(self, folder, *names, days=90, name="cert"):
        self.chain, self.key = Path(folder) / f"{name}.crt", Path(folder) / f"{name}.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-keyout", self.key, "-out", self.chain, "-days", str(days), "-subj",
             f"/O=Test/CN={names[0]}", "-addext",
             "subjectAltName=" + ",".join(f"DNS:{n}" for n in names)],
            check=True, capture_output=True)

    def leaves(self):
        """As relay.json has it."""
        return {"chain-file": str(self.chain), "key-file": str(self.key)}


class Expired(Certificate):
    """Valid for one day of January 2001, for old.example."""

    def __init__(self, folder, name="expired"):
        self.chain, self.key = Path(folder) / f"{name}.crt", Path(folder) / f"{name}.key"
        self.chain.write_text(OLD_CHAIN)
        self.key.write_text(OLD_KEY)


OLD_CHAIN = """-----BEGIN CERTIFICATE-----
MIIBYDCCAQWgAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtvbGQuZXhh
bXBsZTAeFw0wMTAxMDEwMDAwMDBaFw0wMTAxMDIwMDAwMDBaMBYxFDASBgNVBAMM
C29sZC5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIHikNN7bZ3kp
QU7asw1hm6clO9uT+NAOmJ9eZNqecXAKidWZAHQSfBdh/qoeNzLFF9nGXKE+DCKG
8o3Ytzlm7aNEMEIwFgYDVR0RBA8wDYILb2xkLmV4YW1wbGUwCQYDVR0TBAIwADAd
BgNVHQ4EFgQUrj4r5B7ST+ZZJ8GrSpbFywJyc9kwCgYIKoZIzj0EAwIDSQAwRgIh
AN67MVgkKpv0B/UNpqan9BtkWd7GIhqUQHOfc1zivVKYAiEAuYQbrx2BAw92vx7m
tSReSu9uM5VIsMPrFZ19ciAMNs4=
-----END CERTIFICATE-----
"""
OLD_KEY = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5BoZOrOpvsEOj258
1Sag4Rtr/zDEGJGFXyM0XmT6vpGhRANCAAQgeKQ03ttneSlBTtqzDWGbpyU725P4
0A6Yn15k2p5xcAqJ1ZkAdBJ8F2H+qh43MsUX2cZcoT4MIobyjdi3OWbt
-----END PRIVATE KEY-----
"""
