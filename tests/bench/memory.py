# SPDX-License-Identifier: GPL-2.0-or-later
"""What the relay's processes hold in memory: idle, and with 100,000 messages queued."""
import time

from tests.bench import usage
from tests.bench.fill import FLOOD, Stand

QUEUED = 100000
MB = 1024 * 1024


def by_role(side):
    """{role: MB}; the sum counts a memory file that two roles hold once."""
    roles = side.processes()
    return ({role: usage.memory_bytes(pids) / MB for role, pids in roles.items()},
            usage.memory_bytes(sum(roles.values(), [])) / MB)


def part_memory(bench):
    queued = bench.few(QUEUED, 3000)
    with Stand(bench) as stand:
        time.sleep(2)
        _, idle = by_role(stand.side)
        bench.publish(rss_mb_idle=idle)
        stand.sink.gauge.close_gate()
        source = stand.source(*FLOOD, tag="A", sessions=20, count=queued)
        source.wait()
        stand.wait_until_queued(queued, source)
        time.sleep(2)
        roles, total = by_role(stand.side)
        bench.publish(rss_mb_100k_queued=total,
                      **{f"rss_mb_{role}_100k_queued": mb for role, mb in roles.items()})
        stand.sink.gauge.close_gate(False)
        stand.sink.wait_for(queued, "A")
        time.sleep(2)
        bench.publish(rss_mb_after_100k=by_role(stand.side)[1])
