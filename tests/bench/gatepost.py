# SPDX-License-Identifier: GPL-2.0-or-later
"""Our side: a relay that tracks and signs, with a test DNS that leads to the sink."""
import shutil
import subprocess
from pathlib import Path

from tests.harness.dns import Dns
from tests.harness.relay import Relay, account

DEAD_ADDRESS = "127.0.0.99"
ZONES = {
    "sink.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "dead.example": f"@ MX 10 mx\nmx A {DEAD_ADDRESS}\n",
    "market.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
    "small.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
}
SELECTOR = "bench"


def sender(name, network, **more):
    """An account with opens and clicks tracked, and one DKIM signature."""
    domain = f"{name}.example"
    return account(name, networks=[network], senders=[f"*@{domain}"],
                   track={"opens": [None], "clicks": [None]},
                   sign={"domain": [domain], "selector": SELECTOR, "dkim": [None]},
                   limits={"connections": 1000, "message-size": 64 * 1024 * 1024}, **more)


class Gatepost:
    """with Gatepost(directory, key, sink) as side: side.port, side.processes()"""

    name = "gatepost"
    tracks = True

    def __init__(self, directory, key, sink, **config):
        self.directory = Path(directory)
        self.dns = Dns(ZONES)
        config.setdefault("account", [sender("market", "127.0.0.1/32"),
                                      sender("small", "127.0.0.2/32")])
        self.relay = Relay(self.directory, **{
            "name-server": [self.dns.address],
            "lab": {"smtp-port": sink.port, "dns-port": self.dns.port},
            "tracking": {"host": "t.example.net", "https": [None]},
            # Should a session of a gate that is closed for long time out, its mail is soon back.
            "retry": {"first": 2, "longest": 5, "expire": 86400},
            **config,
        })
        for domain in ("market.example", "small.example"):
            shutil.copyfile(key, self.relay.keys / f"{domain}.{SELECTOR}.pem")

    def __enter__(self):
        try:
            self.relay.start()
        except BaseException:
            self.__exit__()
            raise
        self.port = self.relay.port("smtp")
        return self

    def __exit__(self, *exc):
        self.relay.kill()
        self.relay.short.cleanup()
        self.dns.stop()

    def processes(self):
        """{role: [pid]}, main included."""
        found = {"main": [self.relay.process.pid]}
        for p in self.relay.control("status")["processes"]:
            found.setdefault(p["role"], []).append(p["pid"])
        return found

    def queued(self):
        return self.relay.control("queue")["messages"]


def make_key(directory):
    """An RSA-2048 key for both sides: its path, and the public half as DKIM's DNS record."""
    private = Path(directory) / "dkim.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", private, "2048"], check=True,
                   capture_output=True)
    private.chmod(0o600)
    public = subprocess.run(["openssl", "rsa", "-in", private, "-pubout"], check=True,
                            capture_output=True, text=True).stdout
    text = "".join(line for line in public.splitlines() if "-----" not in line)
    return private, f"v=DKIM1; k=rsa; p={text}"
