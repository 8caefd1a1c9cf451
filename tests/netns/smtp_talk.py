# SPDX-License-Identifier: GPL-2.0-or-later
"""A hand-driven SMTP client for tests, and passwords for them."""

import contextlib
import functools
import socket
import ssl
import warnings

with warnings.catch_warnings():  # it leaves Python in 3.13, long after Debian 12
    warnings.simplefilter("ignore", DeprecationWarning)
    import crypt

PATIENCE_S = 60

# For a relay whose mail is to stay where it is: nobody answers there.
NOWHERE = {"name-server": ["127.0.0.1"], "lab": {"smtp-port": 9, "dns-port": 9}}


def hashed(password):
    """A crypt(5) hash that is quick to check: what is tested is not how slow it is."""
    return crypt.crypt(password, "$5$rounds=1000$gatepost")


def user(name, password="secret"):
    return {"name": name, "password": hashed(password)}


@functools.cache
def no_verify():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Talk:
    """One connection. Replies are whole: (code, text of all lines)."""

    def __init__(self, port, tls=False, greet=True, address="127.0.0.1", source=None):
        self.socket = socket.create_connection((address, port), PATIENCE_S,
                                               (source, 0) if source else None)
        self.buffer = b""
        if tls:
            self.socket = no_verify().wrap_socket(self.socket)
        if greet:
            assert self.reply()[0] == 220
            self.extensions = self.cmd("EHLO client.example")[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        while b"\n" not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(f"closed after {self.buffer!r}")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), line
        return line[:-1].decode("ascii")

    def reply(self):
        text = []
        while True:
            line = self.line()
            text.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), "\n".join(text)

    def cmd(self, command):
        self.send(command + "\r\n")
        return self.reply()

    def rest(self):
        """Everything until the server closes."""
        data = self.buffer
        with contextlib.suppress(ConnectionResetError):
            while more := self.socket.recv(65536):
                data += more
        return data.decode()

    def starttls(self, greet=True):
        assert self.cmd("STARTTLS")[0] == 220
        assert not self.buffer
        self.socket = no_verify().wrap_socket(self.socket)
        if greet:
            self.extensions = self.cmd("EHLO client.example")[1]

    def mail(self, sender="a@acme.example", recipients=("b@b.example",), **more):
        """Up to 354."""
        assert self.cmd(f"MAIL FROM:<{sender}>")[0] == 250
        for recipient in recipients:
            assert self.cmd(f"RCPT TO:<{recipient}>")[0] == 250
        assert self.cmd("DATA")[0] == 354

    def message(self, sender="a@acme.example", recipients=("b@b.example",), text="body\r\n",
                header_from=None):
        """A whole transaction; the reply to its end."""
        self.mail(sender, recipients)
        self.send(f"From: {header_from or sender}\r\nSubject: s\r\n\r\n{text}.\r\n")
        return self.reply()
