# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw HTTP towards a relay, and tracking URLs sealed with its own keys."""
import socket
import ssl
import subprocess

from tests.harness.relay import BUILD, PATIENCE_S

HOST = "t.example.net"


class Response:
    def __init__(self, status, fields, body, head):
        self.status = status
        self.fields = fields  # lower-case name -> value
        self.body = body
        self.head = head  # the bytes before the body

    def __getitem__(self, name):
        return self.fields.get(name.lower())


class Connection:
    """One connection; what is sent is exactly what the test says."""

    def __init__(self, port, tls=False, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname=HOST)
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.data += data
        return bool(data)

    def response(self, head=False):
        """The next response, None at the end. head: it answers a HEAD, so no body follows."""
        while b"\r\n\r\n" not in self.data:
            if not self._more():
                assert not self.data, f"half a response: {self.data!r}"
                return None
        top, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = top.decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            assert name.lower() not in fields, f"{name} twice"
            fields[name.lower()] = value.strip()
        length = 0 if head else int(fields.get("content-length", "0"))
        while len(self.data) < length:
            assert self._more(), "the body is cut short"
        body, self.data = self.data[:length], self.data[length:]
        return Response(int(lines[0].split()[1]), fields, body, top)

    def ask(self, url_or_path, method="GET", host=HOST, **fields):
        """A plain request for a URL or path; field names with _ for -."""
        path = url_or_path
        if path.startswith("http"):
            host, path = path.split("//", 1)[1].split("/", 1)
            path = "/" + path
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n"
        for name, value in fields.items():
            head += f"{name.replace('_', '-')}: {value}\r\n"
        self.send((head + "\r\n").encode("latin-1"))
        return self.response(head=method == "HEAD")

    def at_end(self):
        """The other side closed, and had nothing more to say."""
        return not self.data and not self._more()


def get(port, url, tls=False, **more):
    with Connection(port, tls) as c:
        return c.ask(url, **more)


def seal(relay, *tokens, host=HOST):
    """Tracking URLs. A token: (kind "o" or "c", message, recipient, account, accepted, url)."""
    lines = "".join(" ".join(str(x) for x in t) + "\n" for t in tokens)
    out = subprocess.run([BUILD / "netns" / "seal", relay.keys / "tracking.keys", host],
                         input=lines.encode(), stdout=subprocess.PIPE, check=True)
    return out.stdout.decode().split()
