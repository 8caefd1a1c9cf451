# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands before and behind a mail system under test: sources, the sink, and their gauge."""
import mmap
import signal
import struct
import subprocess
import time
from pathlib import Path

from tests.bench.letter import letter
from tests.harness.relay import BUILD

PROGRAMS = BUILD / "bench"
PATIENCE_S = 600  # without a single arrival, before a bench gives up

GATE, ARRIVED, LAST_NS, CONNECTIONS, CONNECTIONS_MAX, ARRIVED_OF = (8 * n for n in range(6))


class BenchError(Exception):
    """There is no result: a message was lost, refused, unsigned, or a program failed."""


class Gauge:
    """gauge.h from this side."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.write_bytes(bytes(4096))
        with open(self.path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 4096)

    def read(self, offset):
        return struct.unpack_from("=Q", self.page, offset)[0]

    def close_gate(self, closed=True):
        struct.pack_into("=Q", self.page, GATE, int(closed))

    def arrived(self, tag=None):
        return self.read(ARRIVED if tag is None else ARRIVED_OF + 8 * (ord(tag) - ord("A")))


class Program:
    """A C program of the bench, running."""

    def __init__(self, name, *options, nice=0):
        argv = ["setpriv", "--pdeathsig", "KILL"] + (["nice", "-n", str(nice)] if nice else [])
        self.name = name
        self.process = subprocess.Popen(
            argv + [str(PROGRAMS / name)] + [str(o) for o in options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def is_over(self):
        return self.process.poll() is not None

    def wait(self):
        """Its last line; an error when it did not end well."""
        out, errors = self.process.communicate()
        if self.process.returncode != 0:
            raise BenchError(f"{self.name} ended with {self.process.returncode}: {errors.strip()}")
        return out.strip().splitlines()[-1] if out.strip() else ""

    def stop(self):
        if not self.is_over():
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.process.kill()
        self.process.communicate()


class Sink(Program):
    """The destination: its port, its gauge, what arrived and when."""

    def __init__(self, directory, reply_ms=0, serve=None, sample_every=0, nice=0):
        self.directory = Path(directory)
        self.samples = self.directory / "samples"
        self.samples.mkdir(parents=True)
        self.log = self.directory / "arrivals"
        self.gauge = Gauge(self.directory / "gauge")
        options = ["--gauge", self.gauge.path, "--log", self.log, "--reply-ms", reply_ms,
                   "--samples", self.samples, "--sample-every", sample_every]
        super().__init__("sink", *options, *(["--serve", serve] if serve else []), nice=nice)
        line = self.process.stdout.readline()
        if not line:
            self.wait()
        self.port = int(line)

    def wait_for(self, count, tag=None, programs=()):
        """Returns when so many have arrived; fails when nothing comes any more."""
        seen, since = -1, time.monotonic()
        while True:
            now = self.gauge.arrived(tag)
            if now >= count:
                return
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > PATIENCE_S:
                raise BenchError(f"{count - now} of {count} messages have not arrived, "
                                 f"and none did for {PATIENCE_S} s")
            for program in (self, *programs):
                if program.is_over() and program.process.returncode != 0:
                    program.wait()
            time.sleep(0.05)

    def arrivals(self):
        """After stop(): {(tag, number): [arrived_ns, ...]}."""
        found = {}
        for tag, number, at in struct.iter_unpack("=3Q", self.log.read_bytes()):
            found.setdefault((chr(tag), number), []).append(at)
        return found


class Source(Program):
    """Submits a letter over and over. options: source.c's, with _ for -."""

    def __init__(self, directory, port, sender, recipient, tag="A", size=5000, nice=0, **options):
        folder = Path(directory)
        self.tag = tag
        self.log = folder / f"submissions-{tag}-{time.monotonic_ns()}"
        template = folder / f"letter-{tag}-{size}.eml"
        template.write_bytes(letter(size, sender, recipient))
        more = [str(x) for name, value in options.items() if value is not None
                for x in ("--" + name.replace("_", "-"), value)]
        super().__init__("source", "--port", port, "--template", template, "--from", sender,
                         "--to", recipient, "--tag", tag, "--log", self.log, *more, nice=nice)

    def submissions(self):
        """[(number, due_ns, sent_ns, accepted_ns)], after wait() or stop()."""
        return [row[1:] for row in struct.iter_unpack("=5Q", self.log.read_bytes())]


def lost_and_doubled(submissions, tag, arrivals):
    """Numbers that were accepted and did not arrive; how many arrived more than once."""
    lost = [row[0] for row in submissions if (tag, row[0]) not in arrivals]
    doubled = sum(1 for times in arrivals.values() if len(times) > 1)
    return lost, doubled
