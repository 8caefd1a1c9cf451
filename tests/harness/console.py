# SPDX-License-Identifier: GPL-2.0-or-later
"""A box's LAN port with gatepost-console on it, and a laptop at the other end of the cable.

    with Net() as net, Console(net) as console:
        console.plug(net.host("laptop"))            # a cable between the two, and 192.168.77.2/24
        assert console.ssh("echo hello").stdout == "hello\n"
        console.log()

The console is the real program, with Debian's dropbear behind it. `admin` is a user of this box
alone; the shell is a plain one unless told otherwise. What is written lives in a folder that goes
when the block ends; the namespace of the port goes with the box's.
"""
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.harness.relay import wait_for

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "output" / ("build-sanitize" if os.environ.get("SANITIZE") else "build")
PROGRAM = BUILD / "bin" / "gatepost-console"
ADDRESS = "192.168.77.1"
PASSWORD = "correct-horse"
ADMIN, READER = 64900, 64901


class Console:
    def __init__(self, net, settings=None, shell="/bin/sh", program=PROGRAM):
        self.net = net
        # Whoever logs in has to get at it: not below a folder that is root's alone.
        self.folder = Path(tempfile.mkdtemp(prefix="gatepost-console-"))
        self.folder.chmod(0o755)
        self.program = program
        self.settings = self.folder / "lan-port"
        if settings is not None:
            self.settings.write_text(settings, encoding="utf-8")
        self.key = self.folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        subprocess.run(["dropbearkey", "-t", "ed25519", "-f", self.folder / "host-key"],
                       check=True, capture_output=True)
        self.home = self.folder / "home"
        (self.home / ".ssh").mkdir(parents=True)
        shutil.copy(f"{self.key}.pub", self.home / ".ssh" / "authorized_keys")
        for path in (self.home, self.home / ".ssh", self.home / ".ssh" / "authorized_keys"):
            os.chown(path, ADMIN, ADMIN)
            path.chmod(0o700)
        hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True,
                                capture_output=True, text=True).stdout.strip()
        self.box = net.host("box", files={
            "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
                           f"gp-console:x:{READER}:{READER}::/:/usr/sbin/nologin\n"
                           f"admin:x:{ADMIN}:{ADMIN}::{self.home}:{shell}\n",
            "/etc/group": f"root:x:0:\nadmin:x:{ADMIN}:\ntty:x:5:\n",
            "/etc/shadow": f"root:{hashed}:19000:0:99999:7:::\nadmin:{hashed}:19000:0:99999:7:::\n",
            "/etc/shells": f"/bin/sh\n{shell}\n",
        })
        self.process = None
        self.laptop = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- life ----------------------------------------------------------------------------------

    def plug(self, laptop, to=None, address="192.168.77.2/24"):
        """A cable from the port to LAPTOP (or to the switch TO, where LAPTOP is too), and the
        console at it."""
        self.laptop = laptop
        if to:
            self.net.link(self.box, "lan0", to)
            self.net.link(laptop, "eth0", to)
        else:
            self.net.link(self.box, "lan0", laptop, "eth0")
        if address:
            laptop.addr("eth0", address)
        self.net.settle()
        self.start()

    def start(self):
        (self.folder / "log").touch()
        seen = self.log().count(" ready:")
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            self.process = self.box.popen(
                [self.program, "--port", "lan0", "--netns", self.folder / "netns",
                 "--settings", self.settings, "--host-key", self.folder / "host-key",
                 "--root", self.folder / "empty", "--log", self.folder / "log-socket"], stdout=log, stderr=log)
        wait_for("the console to be ready", lambda: self.log().count(" ready:") > seen
                 or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(20) == 0, self.log()

    def log(self):
        return (self.folder / "log").read_text(encoding="utf-8")

    def wait_log(self, pattern, count=1, seconds=30):
        wait_for(f"{pattern} in the console's log",
                 lambda: len(re.findall(pattern, self.log())) >= count, seconds)

    def stack(self):
        """The pid of the process that reads frames."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in children.read_text(encoding="ascii").split():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"--stack" in words:
                return int(pid)
        return None

    def stack_status(self, field):
        text = Path(f"/proc/{self.stack()}/status").read_text(encoding="ascii")
        return re.search(rf"^{field}:\s*(.*)$", text, re.M).group(1)

    def crash_stack(self, how=signal.SIGABRT):
        """The signal with which an assertion in lwIP ends it."""
        os.kill(self.stack(), how)

    # -- the laptop ----------------------------------------------------------------------------

    def ssh_command(self, *words, host=ADDRESS, user="admin", options=()):
        return ["ssh", "-F", "none", "-i", str(self.key), "-o", "IdentitiesOnly=yes",
                "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", *options,
                f"{user}@{host}", *words]

    def ssh(self, *words, check=True, timeout=60, **kw):
        run = {key: kw.pop(key) for key in ("input", "stdin") if key in kw}
        return self.laptop.run(self.ssh_command(*words, **kw), check=check, timeout=timeout, **run)
