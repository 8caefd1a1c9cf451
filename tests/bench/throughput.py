# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages per second end to end: from the first MAIL to the last message's end at the sink."""
import shutil
import tempfile
import time
from pathlib import Path

from tests.bench import samples, usage
from tests.bench.load import BenchError, Sink, Source, lost_and_doubled

SESSIONS = 20
SAMPLES = 20
RECIPIENT = "reader@sink.example"
SENDER = "news@market.example"


class Run:
    """What one run gave."""

    rate = 0.0         # messages per second
    accept_rate = 0.0  # while the source was at it
    count = doubled = 0
    seconds = 0.0
    cpu = None         # {role: (user s, system s)}
    cpu_own = None     # the same, of source and sink
    source = None
    calls = None       # {role: {name: count}}, when asked for
    profiles = ()      # files with the functions that took the time, when asked for
    batch = None       # messages per batch, when it was counted


def run(side_class, work, key, record, size, count, warm_up=200, profile=None, config=None):
    """One run of one side. profile: "batch", "calls", "functions", or None."""
    folder = Path(tempfile.mkdtemp(prefix=f"{side_class.name}-", dir=work))
    result = Run()
    sink = Sink(folder / "sink", sample_every=max(1, count // SAMPLES))
    try:
        with side_class(folder / "side", key, sink, **(config or {})) as side:
            def source(tag, n):
                return Source(folder, side.port, SENDER, RECIPIENT, tag=tag, size=size, count=n,
                              sessions=SESSIONS)

            first = source("W", warm_up)
            first.wait()
            sink.wait_for(warm_up, "W")
            time.sleep(1)  # what was delivered is noted
            measure(result, side, sink, source, count, profile, folder)
            sink.stop()
    finally:
        if not sink.is_over():
            sink.kill()
    arrivals = sink.arrivals()
    submissions = result.source.submissions()
    lost, result.doubled = lost_and_doubled(submissions, "A", arrivals)
    if lost or len(submissions) != count:
        raise BenchError(f"{side_class.name}: {len(lost)} of {count} messages are lost: {lost[:5]}")
    begun = min(row[1] for row in submissions)
    result.seconds = (max(t[0] for (tag, _), t in arrivals.items() if tag == "A") - begun) / 1e9
    result.rate = count / result.seconds
    result.accept_rate = count / ((max(row[3] for row in submissions) - begun) / 1e9)
    samples.check(sink.samples, record, side_class.tracks)
    shutil.rmtree(folder)
    return result


def count_batch(result, batches):
    result.batch = result.count / batches if batches else None


def count_calls(result, calls):
    result.calls = calls


def note_profiles(result, paths):
    result.profiles = paths


# profile: what counts, from when the processes are known; and what becomes of what it found.
COUNTERS = {
    "batch": (lambda roles, folder: usage.Batches(roles["spool"][0], folder), count_batch),
    "calls": (usage.Calls, count_calls),
    "functions": (lambda roles, folder: usage.Profile(roles, folder, folder.parents[1]),
                  note_profiles),
}


def measure(result, side, sink, source, count, profile, folder):
    """The run itself: from the source's start until the last message is at the sink."""
    begin, note = COUNTERS.get(profile, (None, None))
    counter = begin(side.processes(), folder) if begin else None
    before = usage.cpu_by_role(side.processes())
    own = {"sink": [sink.process.pid]}
    before_own = usage.cpu_by_role(own)
    result.count, result.source = count, source("A", count)
    own["source"] = [result.source.process.pid]
    while not result.source.is_over():
        result.cpu_own = usage.difference(usage.cpu_by_role(own), before_own)
        time.sleep(0.1)
    result.source.wait()
    sink.wait_for(count, "A")
    result.cpu_own["sink"] = usage.difference(usage.cpu_by_role(own), before_own)["sink"]
    time.sleep(1)  # the results of the last ones reach the disk
    result.cpu = usage.difference(usage.cpu_by_role(side.processes()), before)
    if counter:
        note(result, counter.stop())


def us(seconds, count):
    return seconds * 1e6 / count


def cpu_us(result):
    return us(sum(map(sum, result.cpu.values())), result.count)


def describe(result, name):
    """Lines for people."""
    lines = [f"{name}: {result.rate:.0f} msg/s end to end ({result.count} in "
             f"{result.seconds:.1f} s, accepted at {result.accept_rate:.0f}/s"
             + (f", {result.doubled} came twice)" if result.doubled else ")")]
    lines.append(f"  {'CPU, us per message':24}{'user':>9}{'system':>9}{'sum':>9}")
    rows = sorted(result.cpu.items(), key=lambda row: -sum(row[1]))
    for role, (user, system) in rows:
        if user + system:
            lines.append(f"  {role:24}{us(user, result.count):9.1f}{us(system, result.count):9.1f}"
                         f"{us(user + system, result.count):9.1f}")
    total = [sum(t[i] for t in result.cpu.values()) for i in (0, 1)]
    lines.append(f"  {'all':24}{us(total[0], result.count):9.1f}{us(total[1], result.count):9.1f}"
                 f"{us(sum(total), result.count):9.1f}")
    for role, (user, system) in result.cpu_own.items():
        lines.append(f"  {'(' + role + ')':24}{us(user, result.count):9.1f}"
                     f"{us(system, result.count):9.1f}{us(user + system, result.count):9.1f}")
    for role, calls in (result.calls or {}).items():
        most = sorted(calls.items(), key=lambda row: -row[1])[:14]
        lines.append(f"  {role}: {sum(calls.values()) / result.count:.2f} calls per message: "
                     + ", ".join(f"{name} {n / result.count:.2f}" for name, n in most
                                 if n / result.count >= 0.005))
    lines += [f"  {path}" for path in result.profiles]
    if result.batch:
        lines.append(f"  {result.batch:.1f} messages per batch")
    return lines
