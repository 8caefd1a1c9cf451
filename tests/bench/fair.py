# SPDX-License-Identifier: GPL-2.0-or-later
"""What a small account's mail waits while a large one has 50,000 messages queued.

B sends a message every 50 ms, 1,000 of them, whatever becomes of the last one; A keeps its queue as
deep as it was throughout. A time is from just before the source writes the end of the data to the
moment at which the sink has read it: the way to the disk, and thus to the 250, is within it. What a
program that does nothing else waits for a synced write of that size is measured meanwhile.
"""
import statistics
import time
from collections import namedtuple

from tests.bench.fill import Stand
from tests.bench.load import BenchError, Program

SMALL = ("anna@small.example", "reader@sink.example")
SMALL_ADDRESS = "127.0.0.2"
SIZE = 5000
COUNT, INTERVAL_US, SESSIONS = 1000, 50000, 8
WARM_UP = 60
RUNS = "BCD"  # a tag for each
SLOW = {"reply_ms": 100, "serve": 20}

# backlog: what A has queued. dead: A's mail goes to a host that never answers.
Setting = namedtuple("Setting", "sink backlog size sessions dead", defaults=({}, 50000, 5000, 20,
                                                                             False))
SETTINGS = {
    "cpu": Setting(),
    "destination": Setting(sink=SLOW),
    "100conn": Setting(sessions=100),
    "1mb": Setting(backlog=2000, size=1024 * 1024),
    "dead": Setting(dead=True),
}
IDLE = {"idle": {}, "idle_destination": SLOW}
DEAD_INTERVAL_US = 5000  # A goes on with so much when its backlog never goes
DEAD_RETRY = {"first": 10, "longest": 60, "expire": 86400}

# In milliseconds. due: since its turn came; accept: until the 250; after_250: since then.
Times = namedtuple("Times", "p50 p99 due_p99 accept_p99 after_250_p99")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def times(submissions, tag, arrivals):
    """A run's Times; each message has to have arrived."""
    rows = []
    for number, due, sent, accepted in submissions:
        arrived = arrivals.get((tag, number))
        if not arrived:
            raise BenchError(f"message {tag}{number} of the small account is lost")
        rows.append((arrived[0] - sent, arrived[0] - due, accepted - sent,
                     arrived[0] - accepted))
    columns = [[t / 1e6 for t in column] for column in zip(*rows)]
    return Times(percentile(columns[0], 0.5), *(percentile(column, 0.99) for column in columns))


def small_runs(bench, stand):
    """B's runs; [Times] once the sink has stopped, A's rate and the disk's p50 and p99 meanwhile."""
    def small(tag, count):
        source = stand.source(*SMALL, tag=tag, count=count, size=SIZE, interval_us=INTERVAL_US,
                              sessions=SESSIONS, bind=SMALL_ADDRESS, nice=-10)
        source.wait()
        stand.sink.wait_for(count, tag, programs=stand.sources)
        return source

    gauge = stand.sink.gauge
    small("W", bench.few(WARM_UP, 20))
    disk = Program("disk", stand.folder / "disk", SIZE, INTERVAL_US, nice=-10)
    begun, count = time.monotonic(), gauge.arrived("A")
    sources = {tag: small(tag, bench.few(COUNT, 60)) for tag in RUNS[:bench.few(3, 1)]}
    rate = (gauge.arrived("A") - count) / (time.monotonic() - begun)
    synced = [float(field) for field in disk.stop().split()]
    stand.sink.stop()
    arrivals = stand.sink.arrivals()
    return [times(source.submissions(), tag, arrivals) for tag, source in sources.items()], \
        rate, synced


def publish(bench, name, runs, synced):
    p99 = statistics.median(run.p99 for run in runs)
    bench.publish(**{
        f"fair_{name}_p50_ms": statistics.median(run.p50 for run in runs),
        f"fair_{name}_p99_ms": p99,
        f"fair_{name}_disk_p50_ms": synced[0],
        f"fair_{name}_disk_p99_ms": synced[1],
        **{f"fair_{name}_{field}_ms_run{i + 1}": getattr(run, field)
           for i, run in enumerate(runs) for field in Times._fields},
    })
    return p99


def measure_idle(bench, name, sink):
    with Stand(bench, sink) as stand:
        runs, _, synced = small_runs(bench, stand)
    return publish(bench, name, runs, synced)


def flood(bench, stand, setting):
    """A's queue is filled and kept."""
    backlog = bench.few(setting.backlog, setting.backlog // 25)
    if not setting.dead:
        return stand.fill(backlog, size=setting.size, sessions=setting.sessions)
    source = stand.source("news@market.example", "reader@dead.example", tag="A", count=backlog,
                          sessions=setting.sessions)
    source.wait()
    stand.wait_until_queued(backlog, source)
    return stand.source("news@market.example", "reader@dead.example", tag="A", count=0,
                        sessions=setting.sessions, interval_us=DEAD_INTERVAL_US)


def measure_loaded(bench, name, setting):
    config = {"retry": DEAD_RETRY} if setting.dead else {}
    with Stand(bench, setting.sink, **config) as stand:
        with stand.dead_host():
            source = flood(bench, stand, setting)
            runs, rate, synced = small_runs(bench, stand)
            if source.is_over():
                source.wait()
                raise BenchError("the flood ended before the small account's mail")
    bench.publish(**{f"fair_{name}_flood_per_s": rate})
    return publish(bench, name, runs, synced)


def part_fair(bench):
    idle = {name: measure_idle(bench, name, sink) for name, sink in IDLE.items()}
    for name, setting in SETTINGS.items():
        bench.say(f"  {name}")
        base = idle["idle_destination" if setting.sink else "idle"]
        bench.publish(**{f"fair_p99_ratio_{name}": measure_loaded(bench, name, setting) / base})
