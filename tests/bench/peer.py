# SPDX-License-Identifier: GPL-2.0-or-later
"""The other side: Debian's Postfix with OpenDKIM, from tests/bench/postfix/, in a directory of its
own on the same file system as our spool. The machine's own Postfix is not touched."""
import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from tests.bench import usage
from tests.bench.load import BenchError
from tests.harness.relay import wait_for

CONFIG = Path(__file__).parent / "postfix"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Peer:
    """with Peer(directory, key, sink) as side: side.port, side.processes()"""

    name = "postfix_opendkim"
    tracks = False

    def __init__(self, directory, key, sink):
        self.directory = Path(directory).resolve()
        self.config = self.directory / "config"
        self.port = free_port()
        self.signer = None
        for folder in (self.directory, self.config, self.directory / "queue",
                       self.directory / "log"):
            folder.mkdir(parents=True)
        for parent in [self.directory, *self.directory.parents[:3]]:
            parent.chmod(parent.stat().st_mode | 0o055)  # Postfix's user comes in
        data = self.directory / "data"
        data.mkdir()
        own(data, "postfix")
        private = self.directory / "dkim.pem"
        shutil.copyfile(key, private)
        private.chmod(0o600)
        own(private, "opendkim")
        own(self.directory, "opendkim")  # its socket is made here
        values = {"DIRECTORY": self.directory, "PORT": self.port, "SINK_PORT": sink.port,
                  "KEY": private}
        for path in CONFIG.iterdir():
            text = path.read_text()
            for name, value in values.items():
                text = text.replace(f"@{name}@", str(value))
            (self.config / path.name).write_text(text)

    def __enter__(self):
        log = open(self.directory / "opendkim.log", "wb")
        self.signer = subprocess.Popen(
            ["opendkim", "-f", "-x", str(self.config / "opendkim.conf")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for("OpenDKIM's socket", self.signer_is_ready)
            self.postfix("check")
            self.postfix("start")
            wait_for("Postfix's port", self.is_ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        try:
            left = sum(usage.descendants(self.master()).values(), [])
        except FileNotFoundError:
            left = []
        subprocess.run(["postfix", "-c", self.config, "abort"], capture_output=True)
        if self.signer:
            self.signer.kill()
            self.signer.wait()
        for pid in left:  # ours, when this process is a subreaper
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def postfix(self, verb):
        run = subprocess.run(["postfix", "-c", self.config, verb], capture_output=True, text=True)
        if run.returncode != 0:
            raise BenchError(f"postfix {verb}: {run.stderr.strip()} {self.log()}")

    def log(self):
        path = self.directory / "log" / "mail.log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def signer_is_ready(self):
        if self.signer.poll() is not None:
            raise BenchError("opendkim: " + (self.directory / "opendkim.log").read_text())
        return (self.directory / "opendkim.sock").exists()

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                return s.recv(100).startswith(b"220")
        except OSError:
            return False

    def processes(self):
        """{program: [pid]}"""
        return {**usage.descendants(self.master()), "opendkim": [self.signer.pid]}

    def master(self):
        return int((self.directory / "queue/pid/master.pid").read_text())


def own(path, user):
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)
