# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench-relay: the relay's figures, beside Postfix with OpenDKIM, into output/bench/relay.json.

docs/performance.md says what each figure means and how to read it.
"""
import argparse
import shutil
import sys
import tempfile

from tests.bench import gatepost, throughput
from tests.bench.load import BenchError
from tests.harness.relay import ROOT

OUTPUT = ROOT / "output" / "bench"


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

    def say(self, *lines):
        for line in lines:
            print(line, flush=True)

    def publish(self, **figures):
        self.figures.update(figures)


def part_5k(bench):
    run = throughput.run(gatepost.Gatepost, bench.work, bench.key, bench.record, 5000,
                         bench.few(60000, 3000), profile=bench.perf)
    bench.say(*throughput.describe(run, "gatepost, 5 KB"))


PARTS = {"5k": part_5k}


def main():
    parser = argparse.ArgumentParser(prog="make bench-relay")
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--perf", choices=("calls", "functions"))
    args = parser.parse_args()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    bench = Bench(args.quick, args.perf)
    try:
        for name, part in PARTS.items():
            if args.part in (None, name):
                part(bench)
    except BenchError as error:
        print(f"bench-relay: {error}\n(what was left behind: {bench.work})", file=sys.stderr)
        return 1
    shutil.rmtree(bench.work)
    return 0


sys.exit(main())
