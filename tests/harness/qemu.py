# SPDX-License-Identifier: GPL-2.0-or-later
"""A box under QEMU.

    with Machine(images / "qemu-x86_64", disks=tmp_path) as box:
        box.wait_ready()
        status, out = box.sh("ip -br link")
        box.login(box.first_password())

Machine reads everything about the hardware from the image folder (output/images/BOARD): the
kernel and its command line, the devices for each disk and port. Its caller decides what they are
wired to: disks are files in a folder of the caller's, ports go to taps, to QEMU's user-mode
network, or nowhere.

Two serial lines: `console` is ttyS0, what an administrator sees; sh() speaks to the root shell
on ttyS1 that the boot option gatepost.console=shell opens. QEMU dies with this process
(PR_SET_PDEATHSIG), so that no test leaves a machine behind.
"""
import ctypes
import functools
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from tests.harness import blklog

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / os.environ.get("GATEPOST_IMAGES", "output/images")
ROLES = ("wan", "dmz", "lan")
KVM_TRIAL_SECONDS = 6


class MachineError(Exception):
    """The machine did not do what it was asked; the message ends with its console's last lines."""


class Tap:
    """A port on the tap device NAME, which exists already."""

    def __init__(self, name):
        self.name = name

    def netdev(self, role):
        return f"tap,id={role},ifname={self.name},script=no,downscript=no"


class TapFd:
    """A port on the tap that FD holds open, perhaps one in another network name space."""

    def __init__(self, fd):
        self.fd = fd

    def netdev(self, role):
        return f"tap,id={role},fd={self.fd}"


class User:
    """A port on QEMU's user-mode network: NET in CIDR form, HOST the address that QEMU answers at.

    FORWARDS is a list of (local port, guest address, guest port).
    """

    def __init__(self, net, host, forwards=(), restrict=False):
        self.net, self.host, self.forwards, self.restrict = net, host, forwards, restrict

    def netdev(self, role):
        text = f"user,id={role},net={self.net},host={self.host},ipv6=off"
        if self.restrict:
            text += ",restrict=on"
        for local, guest, port in self.forwards:
            text += f",hostfwd=tcp:127.0.0.1:{local}-{guest}:{port}"
        return text


class Disk:
    """A disk backed by the raw file PATH. With LOG its writes are recorded there, and BASE holds
    the disk as it was at the start: what forget_unflushed() needs."""

    def __init__(self, path, logged):
        self.path = Path(path)
        self.log = self.path.with_suffix(".log") if logged else None
        self.base = self.path.with_suffix(".base")

    def prepare(self, size):
        if not self.path.exists():
            with open(self.path, "wb") as disk:
                disk.truncate(size)
        if self.log:
            subprocess.run(["cp", "--sparse=always", self.path, self.base], check=True)
            self.log.write_bytes(b"")

    def forget_unflushed(self):
        """Makes the disk what it would be after a power cut; returns (writes kept, writes lost)."""
        counts = blklog.replay(self.log, self.base)
        self.base.rename(self.path)
        return counts

    def arguments(self, role):
        # The guest's flushes end here: the host is not the one that loses power.
        file = f"driver=file,filename={self.path},node-name={role}-file,cache.no-flush=on"
        if not self.log:
            return ["-blockdev", file, "-blockdev", f"driver=raw,file={role}-file,node-name={role}"]
        return ["-blockdev", file,
                "-blockdev", f"driver=file,filename={self.log},node-name={role}-log,"
                             "cache.no-flush=on",
                "-blockdev", f"driver=blklogwrites,file={role}-file,log={role}-log,"
                             f"node-name={role}"]


class Board:
    """What an image folder says about its machine."""

    def __init__(self, image):
        self.image = Path(image)
        self.cmdline = " ".join(words(self.image / "cmdline"))
        self.arguments, self.disks, self.nics = [], {}, {}
        for line in lines(self.image / "qemu.args"):
            fields = shlex.split(line)
            if fields[0] == "disk":
                self.disks[fields[1]] = (size_bytes(fields[2]), fields[3:])
            elif fields[0] == "nic":
                self.nics[fields[1]] = fields[2:]
            else:
                self.arguments += fields


def lines(path):
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line:
            yield line


def words(path):
    for line in lines(path):
        yield from line.split()


def size_bytes(text):
    units = {"M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def die_with_parent():
    """In the child: be killed when the thread that started us ends, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@functools.cache
def kvm_works(image):
    """Whether KVM boots this image's kernel here: tried once a process, for a few seconds at most.

    /dev/kvm may exist and not work. GATEPOST_KVM=1 or =0 decides without a trial.
    """
    forced = os.environ.get("GATEPOST_KVM")
    if forced is not None:
        return forced == "1"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-machine", "q35", "-m",
               "256", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
               "-kernel", str(Path(image) / "bzImage"), "-append",
               "console=ttyS0 root=/dev/none panic=-1"]
    try:
        out = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                             timeout=KVM_TRIAL_SECONDS, preexec_fn=die_with_parent).stdout
    except subprocess.TimeoutExpired as late:
        out = late.stdout or b""
    return b"Linux version" in out


class Line:
    """Our end of a serial line. A thread reads it all the time, so that the box never waits for us."""

    def __init__(self, end, transcript=None):
        self.end = end
        self.text = ""
        self.ended = False
        self.seen = 0  # what expect() has passed
        self.transcript = open(transcript, "a", encoding="utf-8") if transcript else None
        self.changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                data = self.end.recv(65536)
            except OSError:
                data = b""
            with self.changed:
                self.text += data.decode("utf-8", "replace")
                self.ended = not data
                self.changed.notify_all()
            if self.transcript:
                self.transcript.write(data.decode("utf-8", "replace"))
                self.transcript.flush()
            if not data:
                break
        if self.transcript:
            self.transcript.close()

    def send(self, text):
        try:
            self.end.sendall(text.encode())
        except OSError:
            pass  # the other end is gone; whoever waits for the answer will say so

    def find(self, pattern, timeout, start):
        """Waits until PATTERN matches after START; the match, or None when time or line ended."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while not (match := re.compile(pattern).search(self.text, start)):
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    return None
                self.changed.wait(left)
        return match

    def expect(self, pattern, timeout):
        """find() after what was expected before."""
        match = self.find(pattern, timeout, self.seen)
        if match:
            self.seen = match.end()
        return match

    def close(self):
        self.end.close()


class Machine:
    """One box. Start it, talk to it, cut its power; stop() (or leaving `with`) always kills it."""

    def __init__(self, image, disks, nics=None, cmdline="", log_writes=(), without=(),
                 shell=True, extra_args=()):
        """IMAGE: folder of a built image. DISKS: folder for the data disks, kept between starts.

        NICS: {role: Tap | TapFd | User}; a role left out has no port. LOG_WRITES: roles of disks
        whose writes are recorded, for forget_unflushed() after a power cut. WITHOUT: roles of disks
        that have been pulled out. SHELL: whether sh() works.
        """
        self.board = Board(image)
        self.folder = Path(disks)
        self.nics = nics or {}
        self.cmdline = " ".join(filter(None, [
            self.board.cmdline, "gatepost.console=shell" if shell else "", cmdline]))
        self.extra_args = list(extra_args)
        self.disks = {role: Disk(self.folder / f"{role}.img", role in log_writes)
                      for role in self.board.disks if role not in ("root", *without)}
        self.process = self.console = self.shell = self.first_password = None
        self.started_at = None

    # -- life ----------------------------------------------------------------------------------

    def arguments(self):
        """The whole QEMU command line."""
        kvm = kvm_works(self.board.image)
        args = ["qemu-system-x86_64", "-accel", "kvm" if kvm else "tcg,thread=multi",
                *self.board.arguments, "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-kernel", str(self.board.image / "bzImage"),
                "-append", self.cmdline]
        if kvm:
            args += ["-cpu", "host"]
        root = self.board.image / "rootfs.squashfs"
        args += ["-blockdev", f"driver=file,filename={root},node-name=root-file,read-only=on",
                 "-blockdev", "driver=raw,file=root-file,node-name=root,read-only=on",
                 *self.board.disks["root"][1]]
        for role, disk in self.disks.items():
            args += [*disk.arguments(role), *self.board.disks[role][1]]
        for role in ROLES:
            if role in self.nics:
                args += ["-netdev", self.nics[role].netdev(role), *self.board.nics[role]]
        return args + self.extra_args

    def make_disks(self):
        """The data disks that are not there yet, blank."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for role, disk in self.disks.items():
            disk.prepare(self.board.disks[role][0])

    def start(self):
        self.make_disks()
        args = self.arguments()
        # QEMU gets one end of a socket pair for each serial line: nothing to wait for or clean up.
        ours, theirs = zip(*(socket.socketpair() for _ in range(2)))
        for name, end in zip(("console", "shell"), theirs):
            args += ["-chardev", f"socket,id={name},fd={end.fileno()}",
                     "-serial", f"chardev:{name}"]
        fds = [end.fileno() for end in theirs]
        fds += [nic.fd for nic in self.nics.values() if isinstance(nic, TapFd)]
        with open(self.folder / "qemu.txt", "w", encoding="utf-8") as errors:
            self.started_at = time.monotonic()
            self.process = subprocess.Popen(args, pass_fds=fds, stdin=subprocess.DEVNULL,
                                            stdout=errors, stderr=errors,
                                            preexec_fn=die_with_parent)
        for end in theirs:
            end.close()
        self.console = Line(ours[0], self.folder / "console.txt")
        self.shell = Shell(Line(ours[1]), self)
        return self

    def power_cut(self):
        """The plug is pulled: QEMU is killed where it stands."""
        self.stop()

    def forget_unflushed(self, role):
        """After power_cut(): the disk loses what no flush covered; returns (kept, lost) writes."""
        return self.disks[role].forget_unflushed()

    def power_off(self, timeout=60):
        """An orderly shutdown; waits until QEMU has gone."""
        self.shell.line.send("poweroff\n")
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.error("did not power off") from None
        self.stop()

    def stop(self):
        """The end, from any state; calling it twice is harmless."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.console.close()
            self.shell.line.close()

    def __enter__(self):
        return self.start() if not self.process else self

    def __exit__(self, *_):
        self.stop()

    # -- the console ---------------------------------------------------------------------------

    def error(self, what):
        """A MachineError that says what the machine said last."""
        tail = self.console.text.splitlines()[-30:]
        errors = (self.folder / "qemu.txt").read_text(encoding="utf-8").splitlines()[-5:]
        return MachineError("\n".join([f"{self.board.image.name}: {what}; its console ended with:",
                                       *tail, *errors]))

    def expect(self, pattern, timeout=60):
        """Waits for PATTERN on the console, after what was expected before; returns the match."""
        match = self.console.expect(pattern, timeout)
        if not match:
            reason = "the machine ended" if self.console.ended else f"{timeout} s passed"
            raise self.error(f"waited for {pattern!r}: {reason}")
        return match

    def wait_for_line(self, pattern, timeout):
        """Waits for PATTERN anywhere in what the console has printed since the start."""
        match = self.console.find(pattern, timeout, 0)
        if not match:
            raise self.error(f"never printed {pattern!r}")
        return match

    def wait_login(self, timeout=90):
        """Until the console asks for a name; returns the first password if the banner shows one."""
        end = self.wait_for_line(r" login: ", timeout).end()
        shown = re.search(r"First password: (\S+)", self.console.text[:end])
        self.first_password = shown.group(1) if shown else None
        return self.first_password

    def login(self, password, user="admin", timeout=30):
        """Logs in on the console; returns whether that worked (it then shows the CLI's prompt)."""
        self.console.seen = len(self.console.text)
        self.console.send("\r")  # a fresh prompt, whatever was printed since the last one
        self.expect(r" login: $", timeout)
        self.console.send(f"{user}\r")
        self.expect("Password: $", timeout)
        self.console.send(f"{password}\r")
        return self.expect(r"(Login incorrect)|[>#$] (\x1b\[6n)?$", timeout).group(1) is None

    def wait_ready(self, timeout=120):
        """Until every service stands; returns the seconds since the kernel's start."""
        return float(self.wait_for_line(r"\[([0-9.]+)\] gatepost: services ready",
                                        timeout).group(1))

    def timing(self):
        """Seconds from the kernel's start: {"init", "services", "ready"}, as far as it came."""
        marks = {"init": "boot: init", "services": "boot: services", "ready": "services ready"}
        found = {name: re.search(rf"\[([0-9.]+)\] gatepost: {mark}", self.console.text)
                 for name, mark in marks.items()}
        return {name: float(match.group(1)) for name, match in found.items() if match}

    # -- the shell -----------------------------------------------------------------------------

    def sh(self, command, timeout=30):
        """Runs COMMAND as root on the box; returns (exit status, output of both streams)."""
        return self.shell.run(command, timeout)

    def must(self, command, timeout=30):
        """sh() that has to succeed; returns the output."""
        status, out = self.sh(command, timeout)
        if status != 0:
            raise MachineError(f"`{command}` on the box ended with {status}:\n{out}")
        return out


class Shell:
    """The raw root shell on ttyS1: one command at a time, each answer closed by a marker."""

    def __init__(self, line, machine):
        self.line, self.machine = line, machine
        self.count = 0
        self.in_step = False

    def sync(self, timeout=60):
        """Waits until the shell answers: it may not be up yet, or a command may hang in it."""
        deadline = time.monotonic() + timeout
        while not self.in_step:
            self.count += 1
            self.line.send(f"echo sync-$((1000000+{self.count}))\n")
            if self.line.expect(f"sync-{1000000 + self.count}\n", 1):
                self.in_step = True
            elif self.line.ended or time.monotonic() > deadline:
                raise self.machine.error("the shell on its second serial line never answered")

    def run(self, command, timeout):
        self.sync()
        self.count += 1
        start = self.line.seen
        # The marker is sent in two halves, so that the command itself never contains it.
        self.line.send(f'(\n{command}\n) </dev/null 2>&1; echo "done-""{self.count}-$?"\n')
        match = self.line.expect(rf"done-{self.count}-(\d+)\n", timeout)
        if not match:
            self.in_step = False
            printed = self.line.text[start:]
            raise self.machine.error(f"`{command}` did not end within {timeout} s; "
                                     f"it printed:\n{printed}\n")
        return int(match.group(1)), self.line.text[start:match.start()]
