# SPDX-License-Identifier: GPL-2.0-or-later
"""A gatepostd of the test's own, and the CLI that talks to it.

    with Gate(tmp_path, config=TEXT) as gate:           # dry run: no root, nothing touched
        assert gate.cli("show", "version").returncode == 0
    with Gate(tmp_path, config=TEXT, host=net.host("gate")) as gate:   # for real, in a namespace
"""
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "output" / ("build-sanitize" if os.environ.get("SANITIZE") else "build")
GATEPOSTD = BUILD / "bin" / "gatepostd"
GATEPOST = BUILD / "bin" / "gatepost"
MODEL = ROOT / "model"

SITE = """\
system {
    host-name gw1;
    name-server 192.0.2.53;
}
interfaces {
    wan {
        device eth0;
        address 198.51.100.2/30;
        gateway 198.51.100.1;
    }
    dmz {
        device eth1;
        address 203.0.113.1/26;
    }
}
groups {
    office {
        192.0.2.0/24;
    }
}
servers {
    web1 { # the shop
        address 203.0.113.10;
        allow http {
            tcp 80,443;
            from any;
        }
    }
}
policy {
    dmz-outbound {
        allow any;
    }
    box {
        ping any;
    }
}
relay {
    host-name relay.example.net;
    pool shared {
        source 203.0.113.6;
    }
    account acme {
        networks 203.0.113.10/32;
        from "*@acme.example";
        user acme {
            password "$y$j9T$secret$hash";
        }
    }
}
"""


def until(what, seconds=20, step=0.02):
    """Waits for a condition; seconds is when to give up, not how long it may take."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(step)
    raise AssertionError("it did not come to pass")


class Session:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.lines.close()
        self.socket.close()

    def ask(self, verb, **more):
        self.socket.sendall(json.dumps({"verb": verb, **more}).encode() + b"\n")
        return json.loads(self.lines.readline())


class Gate:
    def __init__(self, folder, config=SITE, host=None, options=()):
        self.store = Path(folder) / "store"
        self.run = Path(folder) / "run"
        self.config = self.store / "gatepost.conf"
        self.socket = self.run / "control.sock"
        self.host = host
        self.options = list(options)
        self.log_path = Path(folder) / "gatepostd.log"
        self.audit_path = Path(folder) / "audit" / "log"
        self.process = None
        self.store.mkdir(parents=True, exist_ok=True)
        if config is not None:
            self.config.write_text(config)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def start(self):
        argv = [str(GATEPOSTD), "--config", str(self.config), "--run-dir", str(self.run),
                "--yang", str(MODEL), "--guest", "--audit", str(self.audit_path),
                *self.options]
        if self.host is None:
            argv.append("--dry-run")
        self.socket.unlink(missing_ok=True)
        log = open(self.log_path, "a", encoding="utf-8")
        spawn = self.host.popen if self.host else subprocess.Popen
        self.process = spawn(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        until(lambda: self.socket.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()
        if self.host:
            self.tidy()

    def tidy(self):
        """Until the ruleset before the last commit is gone: it goes after the commit's answer."""
        until(lambda: self.ask("status")["tidy"])

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            status = self.process.wait(20)
            assert status == 0, f"gatepostd ended with {status}:\n{self.log()}"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def log(self):
        return self.log_path.read_text(encoding="utf-8")

    # -- asking --------------------------------------------------------------------------------

    def command(self, *words):
        return [str(GATEPOST), "--control", str(self.socket),
                "--rescue", str(self.run / "rescue.sock"), "--yang", str(MODEL), *words]

    def cli(self, *words, stdin=""):
        """gatepost WORDS, to its end: a CompletedProcess."""
        return subprocess.run(self.command(*words), input=stdin, text=True, timeout=60,
                              capture_output=True, check=False)

    def do(self, commands):
        """Several commands; what they print. They must all go well."""
        got = self.cli("-c", commands)
        assert got.returncode == 0, got.stdout + got.stderr + self.log()
        return got.stdout

    def ask(self, verb, **more):
        """The control socket itself."""
        return self.raw(json.dumps({"verb": verb, **more}).encode() + b"\n")

    def raw(self, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(self.socket))
            s.sendall(request)
            return json.loads(s.makefile("rb").readline())

    def session(self):
        """A connection that stays: with gate.session() as s: s.ask("lock")."""
        return Session(self.socket)

    def commit(self, text, **more):
        return self.ask("commit", text=text, **more)

    def relay_json(self):
        return json.loads((self.run / "relay.json").read_text())

    def files(self):
        """Everything it keeps and writes, by name: {path: bytes}."""
        return {str(p): p.read_bytes() for folder in (self.store, self.run)
                for p in sorted(folder.rglob("*")) if p.is_file()}
