# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the rate depend on how many wait? Messages per second with 1,000 and 200,000 queued."""
import statistics
import time

from tests.bench.fill import Stand

SHALLOW, DEEP = 1000, 200000
WINDOW = 15000  # messages
WINDOWS = 3
SETTLE_S = 2


def rates(bench, stand, window):
    """The rate at the sink over WINDOWS windows, while the source keeps the backlog."""
    gauge = stand.sink.gauge
    time.sleep(SETTLE_S)
    found = []
    for _ in range(bench.few(WINDOWS, 1)):
        begun, count = time.monotonic(), gauge.arrived()
        stand.sink.wait_for(count + window, programs=stand.sources)
        found.append((gauge.arrived() - count) / (time.monotonic() - begun))
    return found


def part_deep(bench):
    window = bench.few(WINDOW, 1500)
    with Stand(bench) as stand:
        source = stand.flood(SHALLOW)
        shallow = rates(bench, stand, window)
        source.stop()
        stand.sources.remove(source)
        stand.sink.wait_for(len(source.submissions()), "A")
        stand.fill(bench.few(DEEP, 5000), tag="B")
        deep = rates(bench, stand, window)
    bench.publish(shallow_queue_per_s=statistics.median(shallow),
                  deep_queue_per_s=statistics.median(deep),
                  deep_queue_ratio=statistics.median(deep) / statistics.median(shallow))
