# SPDX-License-Identifier: GPL-2.0-or-later
"""Both sides in turn, under one load; and what a message costs beside what it must cost."""
import json
import os
import statistics
import subprocess

from tests.bench import throughput
from tests.bench.gatepost import Gatepost
from tests.bench.letter import letter
from tests.bench.load import PROGRAMS, BenchError
from tests.bench.peer import Peer

ROUNDS = 3
FLOOR_MESSAGES = 4000


def floor(bench, size, batch):
    """What floor.c measures for messages of this size, so many a sync; on every processor at one
    time, as the relay works on all of them: what they share makes each of them slower."""
    real = len(letter(size, throughput.SENDER, throughput.RECIPIENT))
    argv = [PROGRAMS / "floor", bench.work, bench.key, real, max(1, round(batch)),
            bench.few(FLOOR_MESSAGES, 500)]
    runs = [subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, text=True)
            for _ in range(os.cpu_count())]
    found = [json.loads(run.communicate()[0] or "{}") for run in runs]
    if not all(found):
        raise BenchError("floor failed, see above")
    return {part: statistics.mean(each[part] for each in found) for part in found[0]}


def sides(bench, size, counts):
    """ROUNDS runs of each side, one after the other: {name: [Run]}."""
    runs = {}
    for _ in range(bench.few(ROUNDS, 1)):
        for side in (Peer, Gatepost):
            profile = "batch" if side is Gatepost else None
            run = throughput.run(side, bench.work, bench.key, bench.record, size,
                                 counts[side], profile=profile)
            bench.say(*throughput.describe(run, f"{side.name}, {size // 1000} KB"))
            runs.setdefault(side.name, []).append(run)
    return runs


def tune(bench, size, count):
    """Our side alone, under perf."""
    run = throughput.run(Gatepost, bench.work, bench.key, bench.record, size, count,
                         profile=bench.perf)
    bench.say(*throughput.describe(run, f"gatepost, {size // 1000} KB, under perf"))


def speed(bench, name, size, counts):
    if bench.perf:
        tune(bench, size, counts[Gatepost])
        return
    runs = sides(bench, size, counts)
    rates = {side: statistics.median(run.rate for run in runs[side]) for side in runs}
    ours = runs[Gatepost.name]
    for side, rate in rates.items():
        bench.publish(**{f"{side}_{name}": rate})
        bench.publish(**{f"{side}_{name}_run{i + 1}": run.rate
                         for i, run in enumerate(runs[side])})
    bench.publish(**{
        f"ratio_{name}": rates[Gatepost.name] / rates[Peer.name],
        f"cpu_us_per_msg_{name}": statistics.median(map(throughput.cpu_us, ours)),
        f"postfix_opendkim_cpu_us_per_msg_{name}":
            statistics.median(map(throughput.cpu_us, runs[Peer.name])),
    })
    for role in ours[0].cpu:
        bench.publish(**{f"cpu_us_{role}_{name}": statistics.median(
            throughput.us(sum(run.cpu[role]), run.count) for run in ours)})
    publish_floor(bench, name, size, ours)


def publish_floor(bench, name, size, ours):
    batches = [run.batch for run in ours if run.batch]
    if not batches:
        raise BenchError("perf did not count the spool's batches: no batch size, no floor")
    batch = statistics.median(batches)
    parts = floor(bench, size, batch)
    bench.publish(**{
        f"messages_per_batch_{name}": batch,
        f"floor_us_per_msg_{name}": parts.pop("floor_us"),
        **{f"floor_{part.removesuffix('_us')}_us_{name}": value for part, value in parts.items()},
    })
    bench.publish(**{f"cpu_to_floor_{name}": bench.figures[f"cpu_us_per_msg_{name}"]
                     / bench.figures[f"floor_us_per_msg_{name}"]})


def part_5k(bench):
    speed(bench, "5k", 5000, {Peer: bench.few(6000, 600), Gatepost: bench.few(40000, 2000)})


def part_50k(bench):
    speed(bench, "50k", 50000, {Peer: bench.few(4000, 400), Gatepost: bench.few(15000, 1000)})
