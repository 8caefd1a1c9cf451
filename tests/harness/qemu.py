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
on ttyS1 that the boot option gatepost.console=shell opens. Everything is a child of this process and
dies with it (PR_SET_PDEATHSIG), so that no test leaves a machine behind.
"""
import ctypes
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pexpect
import pexpect.fdpexpect

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
    """A disk backed by the raw file PATH; LOG, when given, records its writes (blklog.py)."""

    def __init__(self, path, log=None):
        self.path, self.log = Path(path), log

    def create(self, size):
        if not self.path.exists():
            with open(self.path, "wb") as disk:
                disk.truncate(size)
        if self.log and not Path(self.log).exists():
            Path(self.log).touch()

    def arguments(self, role):
        base = f"driver=file,filename={self.path},node-name={role}-file"
        raw = f"driver=raw,file={role}-file,node-name="
        if not self.log:
            return ["-blockdev", base, "-blockdev", raw + role]
        return ["-blockdev", base, "-blockdev", raw + f"{role}-data",
                "-blockdev", f"driver=file,filename={self.log},node-name={role}-log",
                "-blockdev", f"driver=blklogwrites,file={role}-data,log={role}-log,"
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


def kvm_works(image):
    """Whether KVM boots this image's kernel here: tried once, for a few seconds at most.

    /dev/kvm may exist and not work. GATEPOST_KVM=1 or =0 decides without a trial.
    """
    forced = os.environ.get("GATEPOST_KVM")
    if forced is not None:
        return forced == "1"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    memo = Path(tempfile.gettempdir()) / f"gatepost-kvm-{os.getuid()}-{boot}"
    if memo.exists():
        return memo.read_text(encoding="ascii") == "1"
    command = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-machine", "q35", "-m",
               "256", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
               "-kernel", str(Path(image) / "bzImage"), "-append",
               "console=ttyS0 root=/dev/none panic=-1"]
    try:
        out = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                             timeout=KVM_TRIAL_SECONDS, preexec_fn=die_with_parent).stdout
    except subprocess.TimeoutExpired as late:
        out = late.stdout or b""
    works = b"Linux version" in out
    new = memo.with_suffix(f".{os.getpid()}")
    new.write_text("1" if works else "0", encoding="ascii")
    new.rename(memo)
    return works


class Machine:
    """One box. Start it, talk to it, cut its power; stop() (or leaving `with`) always kills it."""

    def __init__(self, image, disks, nics=None, cmdline="", log_writes=(), shell=True,
                 extra_args=()):
        """IMAGE: folder of a built image. DISKS: folder for the data disks, kept between starts.

        NICS: {role: Tap | TapFd | User}; a role left out has no port. LOG_WRITES: roles of disks
        whose writes are recorded in DISKS/ROLE.log.
        """
        self.board = Board(image)
        self.folder = Path(disks)
        self.nics = nics or {}
        self.cmdline = " ".join(filter(None, [
            self.board.cmdline, "gatepost.console=shell" if shell else "", cmdline]))
        self.extra_args = list(extra_args)
        self.shell_enabled = shell
        self.disks = {role: Disk(self.folder / f"{role}.img",
                                 self.folder / f"{role}.log" if role in log_writes else None)
                      for role in self.board.disks if role != "root"}
        self.process = self.console = self.shell = self.first_password = None
        self.started_at = None
        self.transcript = self.folder / "console.txt"
        self._scratch = None

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
            disk.create(self.board.disks[role][0])

    def start(self):
        self.make_disks()
        self._scratch = tempfile.TemporaryDirectory(prefix="gp-")
        ours, sockets = [], []
        args = self.arguments()
        # QEMU gets one end of a socket pair for each serial line: nothing to wait for or clean up.
        for name in ("console", "shell"):
            mine, theirs = socket.socketpair()
            ours.append(mine)
            sockets.append(theirs)
            args += ["-chardev", f"socket,id={name},fd={theirs.fileno()}", "-serial",
                     f"chardev:{name}"]
        fds = [end.fileno() for end in sockets]
        fds += [nic.fd for nic in self.nics.values() if isinstance(nic, TapFd)]
        monitor = f"{self._scratch.name}/qmp"
        args += ["-qmp", f"unix:{monitor},server=on,wait=off"]
        self.monitor = monitor
        self.errors = open(self.folder / "qemu.txt", "w+", encoding="utf-8")
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(args, pass_fds=fds, stdin=subprocess.DEVNULL,
                                        stdout=self.errors, stderr=self.errors,
                                        preexec_fn=die_with_parent)
        for end in sockets:
            end.close()
        self._sockets = ours
        self._log = open(self.transcript, "a", encoding="utf-8", errors="replace")
        self.console = self._spawn(ours[0], self._log)
        self.shell = Shell(self._spawn(ours[1], None), self) if self.shell_enabled else None
        return self

    @staticmethod
    def _spawn(end, log):
        spawn = pexpect.fdpexpect.fdspawn(end.fileno(), encoding="utf-8", timeout=60,
                                          codec_errors="replace")
        spawn.logfile_read = log
        spawn.delaybeforesend = None
        return spawn

    def power_cut(self):
        """The plug is pulled: QEMU is killed where it stands."""
        self._end(signal.SIGKILL)

    def stop(self):
        """The end, from any state; calling it twice is harmless."""
        self._end(signal.SIGKILL)

    def power_off(self, timeout=60):
        """An orderly shutdown, asked for on the console shell; waits until QEMU has gone."""
        self.shell.child.sendline("poweroff")
        try:
            self.console.expect(pexpect.EOF, timeout=timeout)
        except pexpect.TIMEOUT:
            raise MachineError(self._describe("did not power off")) from None
        self._end(signal.SIGKILL)

    def _end(self, how):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None
            for end in self._sockets:
                end.close()
            self._log.close()
            self.errors.close()
            self._scratch.cleanup()

    def __enter__(self):
        return self.start() if not self.process else self

    def __exit__(self, *_):
        self.stop()

    # -- the console ---------------------------------------------------------------------------

    def expect(self, pattern, timeout=60):
        """Waits for PATTERN on the console; returns the match."""
        try:
            self.console.expect(pattern, timeout=timeout)
        except (pexpect.TIMEOUT, pexpect.EOF) as why:
            reason = "ended" if isinstance(why, pexpect.EOF) else f"{timeout} s passed"
            raise MachineError(self._describe(f"waited for {pattern!r}: {reason}")) from None
        return self.console.match

    def _describe(self, what):
        self._log.flush()
        tail = self.transcript.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
        self.errors.flush()
        errors = (self.folder / "qemu.txt").read_text(encoding="utf-8").splitlines()[-5:]
        return "\n".join([f"{self.board.image.name}: {what}; its console ended with:", *tail,
                          *errors])

    def wait_login(self, timeout=60):
        """Until the console asks for a name; returns the first password if the banner shows one."""
        match = self.expect(r"(?s)(?:First password: (\S+).*?)?login: $", timeout)
        self.first_password = match.group(1)
        return self.first_password

    def login(self, password, user="admin", timeout=30):
        """Logs in on the console, which is at its `login:` prompt; returns whether that worked."""
        self.console.send(f"{user}\r")
        self.expect("Password: ", timeout)
        self.console.send(f"{password}\r")
        match = self.expect(r"(Login incorrect)|\n[^\n]*[>#$] $", timeout)
        return match.group(1) is None

    def wait_ready(self, timeout=90):
        """Until every service stands."""
        return self.expect(r"\[([0-9.]+)\] gatepost: services ready", timeout)

    def timing(self):
        """Seconds from the kernel's start: {"init", "services", "ready"}, as far as it came."""
        self._log.flush()
        text = self.transcript.read_text(encoding="utf-8", errors="replace")
        marks = {"init": "boot: init", "services": "boot: services", "ready": "services ready"}
        found = {}
        for name, mark in marks.items():
            hits = re.findall(rf"\[([0-9.]+)\] gatepost: {mark}", text)
            if hits:
                found[name] = float(hits[-1])
        return found

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

    def __init__(self, child, machine):
        self.child, self.machine = child, machine
        self.count = 0
        self.synced = False

    def sync(self, timeout=60):
        """Waits until the shell answers: it may not be up yet."""
        deadline = time.monotonic() + timeout
        while True:
            self.count += 1
            self.child.sendline(f"echo sync-$((1000000+{self.count}))")
            try:
                self.child.expect_exact(f"sync-{1000000 + self.count}\n", timeout=1)
                self.synced = True
                return
            except pexpect.TIMEOUT:
                if time.monotonic() > deadline:
                    raise MachineError(self.machine._describe("its shell never answered")) from None
            except pexpect.EOF:
                raise MachineError(self.machine._describe("ended")) from None

    def run(self, command, timeout):
        if not self.synced:
            self.sync()
        self.count += 1
        mark = f"done-{self.count}-"
        self.child.send(f"(\n{command}\n) </dev/null 2>&1; echo \"{mark[:4]}\"\"{mark[4:]}$?\"\n")
        try:
            self.child.expect(rf"{mark}(\d+)\n", timeout=timeout)
        except pexpect.TIMEOUT:
            self.synced = False
            raise MachineError(self.machine._describe(
                f"`{command}` did not end within {timeout} s; it printed:\n"
                f"{self.child.before}")) from None
        except pexpect.EOF:
            raise MachineError(self.machine._describe(f"ended during `{command}`")) from None
        return int(self.child.match.group(1)), self.child.before
