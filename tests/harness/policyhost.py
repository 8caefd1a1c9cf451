# SPDX-License-Identifier: GPL-2.0-or-later
"""The HTTPS server of MTA-STS policies (RFC 8461 §3.3).

    with PolicyHost(certificate) as host:
        host.policies["b.example"] = policy("enforce", "mx.b.example")
        host.port;  host.requests     # [("mta-sts.b.example", "/.well-known/mta-sts.txt"), ...]

A policy may also be (status, headers, body), for what a server should not say.
"""

import http.server
import threading


def policy(mode, *hosts, max_age=86400):
    return (f"version: STSv1\r\nmode: {mode}\r\n" + "".join(f"mx: {h}\r\n" for h in hosts) +
            f"max_age: {max_age}\r\n")


class PolicyHost:
    def __init__(self, certificate, address="127.0.0.1"):
        self.policies = {}
        self.requests = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host = self.headers.get("Host", "")
                owner.requests.append((host, self.path))
                found = owner.policies.get(host.removeprefix("mta-sts."))
                if found is None:
                    found = (404, {}, "")
                elif isinstance(found, str):
                    found = (200, {"Content-Type": "text/plain; charset=utf-8"}, found)
                status, headers, body = found
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a client that does not trust us hangs up

            def get_request(self):
                conn, peer = self.socket.accept()
                # The handshake is the handler's thread's: nobody waits for a silent client.
                return owner.context.wrap_socket(conn, server_side=True,
                                                 do_handshake_on_connect=False), peer

        self.context = certificate.context()
        self.server = Server((address, 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)
