# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench-relay: the relay's figures, beside Postfix with OpenDKIM, into output/bench/relay.json;
make bench-track: those of rewriting, signing and the endpoint, into output/bench/track.json.

docs/performance.md says what each figure means and how to read it.
"""
import argparse
import ctypes
import json
import shutil
import signal
import sys
import tempfile
import time

from tests.bench import auth, deep, fair, gatepost, memory, speed, throughput, track
from tests.bench.load import BenchError
from tests.harness.relay import ROOT

OUTPUT = ROOT / "output" / "bench"
SETS = {"relay": {
    "5k": speed.part_5k,
    "50k": speed.part_50k,
    "fair": fair.part_fair,
    "auth": auth.part_auth,
    "memory": memory.part_memory,
    "deep": deep.part_deep,
}, "track": {
    "craft": track.part_craft,
    "endpoint": track.part_endpoint,
    "checks": track.part_checks,
}}
PR_SET_CHILD_SUBREAPER = 36


class Bench:
    """What all parts share: where to work, the key, the figures so far."""

    def __init__(self, quick, perf):
        self.quick, self.perf = quick, perf
        self.work = tempfile.mkdtemp(prefix="run-", dir=OUTPUT)
        self.key, self.record = gatepost.make_key(self.work)
        self.figures = {}

    def few(self, count, quick):
        """A count, or what stands for it in a quick run."""
        return quick if self.quick else count

    @staticmethod
    def say(*lines):
        for line in lines:
            print(line, flush=True)

    def publish(self, **figures):
        """Figures, in the order in which the table has them."""
        self.figures.update({name: round(value, 4) for name, value in figures.items()})

    def write(self, name, whole):
        """The figures of this run; unless it was whole, over what runs of other parts left."""
        path = OUTPUT / name
        known = json.loads(path.read_text()) if path.exists() and not whole else {}
        known.update(self.figures)
        path.write_text(json.dumps(known, indent=1) + "\n")
        width = max(map(len, self.figures))
        self.say("", *(f"{key:{width}}  {value:>12g}" for key, value in self.figures.items()),
                 "", f"{path}" + (" (quick: its figures mean nothing)" if self.quick else ""))


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench")
    parser.add_argument("set", choices=SETS, nargs="?", default="relay")
    parser.add_argument("--part", choices=[part for parts in SETS.values() for part in parts])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sessions", type=int, default=throughput.SESSIONS)
    parser.add_argument("--perf", choices=("calls", "functions"))
    args = parser.parse_args()
    throughput.SESSIONS = args.sessions
    # What Postfix leaves behind when it is ended is ours to bury.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    OUTPUT.mkdir(parents=True, exist_ok=True)
    bench = Bench(args.quick, args.perf)
    try:
        for name, part in SETS[args.set].items():
            if args.part in (None, name):
                began = time.monotonic()
                bench.say(f"== {name}")
                part(bench)
                bench.say(f"== {name}: {time.monotonic() - began:.0f} s")
    except (BenchError, AssertionError) as error:
        print(f"bench-{args.set}: {error}\n(what was left behind: {bench.work})", file=sys.stderr)
        return 1
    except BaseException:
        shutil.rmtree(bench.work)
        raise
    if bench.figures:
        bench.write(f"{args.set}-quick.json" if bench.quick else f"{args.set}.json",
                    whole=not args.part)
    shutil.rmtree(bench.work)
    return 0


sys.exit(main())
