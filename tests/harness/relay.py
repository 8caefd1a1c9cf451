# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay of the test's own: its config, its directories, its processes, its end.

    with Relay(tmp_path, accounts=[...]) as relay:
        smtp = smtplib.SMTP("127.0.0.1", relay.port("smtp"))
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "output" / ("build-sanitize" if os.environ.get("SANITIZE") else "build")
PATIENCE_S = 60  # before a test gives up on something that should have happened


def wait_for(what, condition, patience_s=PATIENCE_S):
    """The first true value of condition(); fails, naming what, when none comes."""
    end = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience_s} s in vain for {what}")
        time.sleep(0.02)


def account(name="acme", networks=("127.0.0.0/8",), senders=("*@acme.example",), **more):
    """An account as relay.json has it; more: members of the model (user, track, sign, pool...)."""
    return {"name": name, "networks": list(networks), "from": list(senders), **more}


class Relay:
    """gatepost-relay on ports of its own. config: members of gatepost:relay to add or replace;
    wrapper: a command that executes it, before its own words."""

    keeps_spool = False  # behind the with block, for who wants to look at it

    def __init__(self, directory, accounts=(), env=None, preload=None, wrapper=(), **config):
        self.directory = Path(directory)
        self.log_path = self.directory / "relay.log"
        self.config_path = self.directory / "relay.json"
        # The path of a Unix socket is at most 107 bytes long: pytest's directories are longer.
        self.short = tempfile.TemporaryDirectory(prefix="gp-")
        self.control_path = Path(self.short.name) / "c"
        self.env = dict(os.environ, **(env or {}))
        if preload:
            self.env["LD_PRELOAD"] = str(preload)
        self.wrapper = list(wrapper)
        self.process = None
        self.keys = self.directory / "keys"
        self.keys.mkdir(parents=True, exist_ok=True)
        self.config = {
            "host-name": "relay.example.net",
            "listen": [
                {"name": "smtp", "address": "127.0.0.1", "port": 0, "kind": "relay"},
                {"name": "submission", "address": "127.0.0.1", "port": 0, "kind": "submission"},
                {"name": "submissions", "address": "127.0.0.1", "port": 0, "kind": "submissions"},
            ],
            "http": [
                {"name": "http", "address": "127.0.0.1", "port": 0},
                {"name": "https", "address": "127.0.0.1", "port": 0, "tls": [None]},
            ],
            "directory": {
                "spool": str(self.directory / "spool"),
                "events": str(self.directory / "events"),
                "keys": str(self.keys),
                "control": str(self.control_path),
            },
            "tracking": {"host": "t.example.net"},
            "account": list(accounts) or [account()],
            **config,
        }

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.kill()
        self.short.cleanup()
        if kind:
            print(self.log())
        elif not self.keeps_spool:
            # Segments are preallocated: those of all tests together would fill a disk.
            shutil.rmtree(self.directory / "spool", ignore_errors=True)

    def write_config(self):
        self.config_path.write_text(json.dumps({"gatepost:relay": self.config}, indent=1))

    def start(self):
        self.spawn()
        wait_for("the relay to be ready", self.is_ready)

    def spawn(self):
        """Starts it without waiting until it is ready."""
        self.write_config()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.wrapper + [BUILD / "bin" / "gatepost-relay", "-c", self.config_path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                start_new_session=True)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the relay ended with {self.process.returncode}:\n{self.log()}")
        try:
            return all(p["ready"] for p in self.control("status")["processes"])
        except OSError:
            return False

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def control(self, verb, **members):
        """Asks the control socket; the answer as a dict."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(PATIENCE_S)
            s.connect(str(self.control_path))
            s.sendall(json.dumps({"verb": verb, **members}).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                more = s.recv(65536)
                if not more:
                    raise OSError("the control socket was closed before it answered")
                data += more
        return json.loads(data)

    def port(self, name):
        """The port that the listener of that name was given."""
        for listener in self.control("listeners")["listeners"]:
            if listener["name"] == name:
                return listener["port"]
        raise KeyError(name)

    def pid(self, role, index=0):
        for p in self.control("status")["processes"]:
            if p["role"] == role and p["index"] == index:
                return p["pid"]
        raise KeyError(role)

    def kill_role(self, role, index=0):
        """SIGKILL to one role; returns when its successor is ready."""
        old = self.pid(role, index)
        os.kill(old, signal.SIGKILL)
        wait_for(f"a new {role}", lambda: self.pid(role, index) not in (0, old) and self.is_ready())

    def reload(self):
        self.write_config()
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        """An orderly end; its exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def kill(self):
        """SIGKILL to every process at once."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def events(self, **query):
        return self.control("log", **query)["rows"]
