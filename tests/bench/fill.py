# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay with a queue as deep as wanted, filled behind the sink's closed gate."""
import contextlib
import socket
import tempfile
import time
from pathlib import Path

from tests.bench.gatepost import DEAD_ADDRESS, Gatepost
from tests.bench.load import BenchError, Sink, Source

FLOOD = ("news@market.example", "reader@sink.example")
STALLED_S = 120


class Stand:
    """A sink, a relay before it, and whatever sources a part starts; ends all of them."""

    def __init__(self, bench, sink_options=None, **config):
        self.folder = Path(tempfile.mkdtemp(prefix="stand-", dir=bench.work))
        # What measures runs before what is measured: its own delay must not be counted.
        self.sink = Sink(self.folder / "sink", nice=-10, **(sink_options or {}))
        self.side = Gatepost(self.folder / "side", bench.key, self.sink, **config)
        self.sources = []

    def __enter__(self):
        try:
            self.side.__enter__()
        except BaseException:
            self.sink.kill()
            raise
        return self

    def __exit__(self, kind, value, trace):
        for source in self.sources:
            with contextlib.suppress(Exception):
                source.kill()
        self.side.__exit__()
        if not self.sink.is_over():
            self.sink.kill()

    @contextlib.contextmanager
    def dead_host(self):
        """dead.example's host: its connections are never answered, not even by a refusal."""
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket())
            listener.bind((DEAD_ADDRESS, self.sink.port))
            listener.listen(0)
            for _ in range(2):  # its backlog is full
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex((DEAD_ADDRESS, self.sink.port))
            yield

    def source(self, sender, recipient, **options):
        source = Source(self.folder, self.side.port, sender, recipient, **options)
        self.sources.append(source)
        return source

    def flood(self, backlog, tag="A", size=5000, sessions=20, to=FLOOD[1]):
        """A source that keeps a backlog of so many messages, until it is stopped."""
        return self.source(FLOOD[0], to, tag=tag, size=size, sessions=sessions, count=0,
                           backlog=backlog, gauge=self.sink.gauge.path)

    def wait_until_queued(self, count, source):
        """Until the relay holds so many."""
        seen, since = -1, time.monotonic()
        while True:
            queued = self.side.queued()
            if queued >= count:
                return
            if source.is_over():
                source.wait()
            if queued != seen:
                seen, since = queued, time.monotonic()
            if time.monotonic() - since > STALLED_S:
                raise BenchError(f"the queue stays at {queued} messages, not {count}")
            time.sleep(0.5)

    def fill(self, count, **options):
        """Closes the gate until count messages wait, and keeps them coming: the source."""
        self.sink.gauge.close_gate()
        source = self.flood(count, **options)
        # What travels is begun and not queued yet.
        self.wait_until_queued(count - 2 * int(options.get("sessions", 20)), source)
        self.sink.gauge.close_gate(False)
        return source
