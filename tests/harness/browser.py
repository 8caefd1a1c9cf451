# SPDX-License-Identifier: GPL-2.0-or-later
"""Chromium, and an origin that writes down what it was asked, byte for byte.

    with Origin() as origin, Browser(tmp_path, {"t.example.net": port}, origin.port) as browser:
        origin.pages["/page"] = "text/html; charset=utf-8", b"<a href=..."
        browser.open("http://origin.example/page")
"""
import os
import signal
import socket
import subprocess
import threading


class Origin:
    """Every host's server: answers with its pages, and with an empty one for the rest."""

    def __init__(self):
        self.pages = {}
        self.seen = []  # (Host, request line)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        data = b""
        with connection:
            while b"\r\n\r\n" not in data:
                try:
                    more = connection.recv(65536)
                except OSError:
                    return
                if not more:
                    return
                data += more
            lines = data.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
            host = next((line[5:].strip() for line in lines if line.lower().startswith(b"host:")),
                        b"")
            self.seen.append((host, lines[0]))
            kind, body = self.pages.get(lines[0].split(b" ")[1].decode("latin-1"),
                                        ("text/html", b"<p>here</p>"))
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: "
                               f"{len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


class Browser:
    """A headless Chromium. names: {host: port}; every other host is at origin_port."""

    def __init__(self, directory, names, origin_port):
        rules = [f"MAP {host} 127.0.0.1:{port}" for host, port in names.items()]
        self.options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
                        "--remote-debugging-port=0", f"--user-data-dir={directory}",
                        "--host-resolver-rules=" + ", ".join([*rules,
                                                              f"MAP * 127.0.0.1:{origin_port}"])]
        self.processes = []

    def __enter__(self):
        return self

    def open(self, url):
        self.processes.append(subprocess.Popen(
            ["chromium-headless-shell", *self.options, url], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))

    def close(self):
        while self.processes:
            process = self.processes.pop()
            # Debian's program is a script: what it started would stay.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __exit__(self, *_):
        self.close()
