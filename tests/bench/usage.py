# SPDX-License-Identifier: GPL-2.0-or-later
"""What processes cost: processor time, memory, system calls; read from /proc and from perf."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    """(user, system) seconds of a process with its threads and the children that it waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0.0
    user, system, of_children, in_children = (int(f) / TICKS for f in fields[11:15])
    return user + of_children, system + in_children


def cpu_by_role(processes):
    """processes: {role: [pid]} -> {role: (user, system)}."""
    return {role: tuple(map(sum, zip(*(cpu_s(pid) for pid in pids))))
            for role, pids in processes.items() if pids}


def difference(after, before):
    return {role: tuple(a - b for a, b in zip(after[role], before.get(role, (0, 0))))
            for role in after}


def descendants(pid):
    """{comm: [pid]} of a process and all under it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parents[int(stat.parent.name)] = (int(text.rpartition(")")[2].split()[1]),
                                          text[text.index("(") + 1:text.rindex(")")])
    found, wanted = {}, {pid}
    while wanted:
        for each in wanted:
            if each in parents:
                found.setdefault(parents[each][1], []).append(each)
        wanted = {child for child, (parent, _) in parents.items() if parent in wanted}
    return found


def memory_bytes(pids):
    """Anonymous and shared memory of the processes, and the memory files that they hold open."""
    total, files = 0, {}
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        for field in ("Anonymous", "Pss_Shmem"):
            total += int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1)) * 1024
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.readlink(fd).startswith("/memfd:"):
                    st = os.stat(fd)
                    files[st.st_ino] = st.st_blocks * 512
            except OSError:
                continue
    return total + sum(files.values())


class Calls:
    """Counts the system calls of processes by role with perf, until stop().

        {role: {"recvfrom": 12, ...}}
    """

    def __init__(self, processes, directory):
        self.runs = {}
        for role, pids in processes.items():
            out = Path(directory) / f"calls-{role}"
            self.runs[role] = out, subprocess.Popen(
                ["perf", "stat", "-x", ",", "-o", str(out), "-e", "syscalls:sys_enter_*",
                 "-p", ",".join(map(str, pids))],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)

    def stop(self):
        found = {}
        for role, (out, process) in self.runs.items():
            process.send_signal(signal.SIGINT)
            process.wait()
            rows = re.findall(r"^(\d+),,syscalls:sys_enter_(\w+),", out.read_text(), re.M)
            found[role] = {name: int(count) for count, name in rows if int(count)}
        return found


class Profile:
    """Where the processes of each role spend their time: a list of functions for each, in files."""

    HERTZ = 997

    def __init__(self, processes, directory, output):
        self.output, self.runs = output, {}
        for role, pids in processes.items():
            data = Path(directory) / f"perf-{role}.data"
            self.runs[role] = data, subprocess.Popen(
                ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(self.HERTZ), "-o",
                 str(data), "-p", ",".join(map(str, pids))],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)

    def stop(self):
        """The files that were written."""
        written = []
        for role, (data, process) in self.runs.items():
            process.send_signal(signal.SIGINT)
            process.wait()
            path = Path(self.output) / f"profile-{role}.txt"
            # Debian's libcrypto has no symbols for its assembly: by library first.
            path.write_text("".join(self.report(data, sort) for sort in ("dso", "dso,symbol")))
            written.append(path)
        return written

    @staticmethod
    def report(data, sort):
        lines = subprocess.run(
            ["perf", "report", "--stdio", "-i", str(data), "--sort", sort, "--percent-limit",
             "0.3"], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout.splitlines()
        return "\n".join(x for x in lines if x.strip() and not x.startswith("#")) + "\n\n"


class Batches:
    """Counts the spool's batches with perf, until stop(); None when perf cannot.

    A batch ends with one synced write (RWF_DSYNC), or, should the spool do without that, with an
    fdatasync of another file than its state.
    """

    RWF_DSYNC = 2

    def __init__(self, pid, directory):
        self.out = Path(directory) / "batches"
        state = [fd.name for fd in Path(f"/proc/{pid}/fd").iterdir()
                 if "state.mdb" in os.readlink(fd)] or ["0"]
        self.process = subprocess.Popen(
            ["perf", "stat", "-x", ",", "-o", str(self.out),
             "-e", "syscalls:sys_enter_pwritev2", "--filter", f"flags & {self.RWF_DSYNC}",
             "-e", "syscalls:sys_enter_fdatasync", "--filter",
             " && ".join(f"fd != {fd}" for fd in state), "-p", str(pid)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        text = self.out.read_text() if self.out.exists() else ""
        counts = {name: int(count) for count, name in
                  re.findall(r"^(\d+),,syscalls:sys_enter_(\w+),", text, re.M)}
        return counts.get("pwritev2") or counts.get("fdatasync")
