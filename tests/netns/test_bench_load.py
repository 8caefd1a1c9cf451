# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench's own source and sink tell the truth: what is sent arrives, what is not is missed."""
import socket
import threading
from pathlib import Path

import pytest

from tests.bench import fair, gatepost, samples
from tests.bench.letter import LINKS, letter
from tests.bench.load import BenchError, Sink, Source, lost_and_doubled
from tests.harness.relay import wait_for

SENDER, RECIPIENT = "news@market.example", "reader@sink.example"


def exchange(folder, count, sink_options=None, **options):
    """From the source straight to the sink; both, ended."""
    sink = Sink(folder / "sink", sample_every=5, **(sink_options or {}))
    try:
        source = Source(folder, sink.port, SENDER, RECIPIENT, count=count, **options)
        assert int(source.wait()) == count
        sink.wait_for(count)
        sink.stop()
        return source, sink
    finally:
        if not sink.is_over():
            sink.kill()


@pytest.mark.parametrize("size", [5000, 50000, 1 << 20])
def test_each_message_arrives_once_under_its_name(tmp_path, size):
    source, sink = exchange(tmp_path, 40, sessions=7, size=size)
    arrivals = sink.arrivals()
    rows = source.submissions()
    assert sorted(arrivals) == [("A", n) for n in range(40)]
    assert all(len(times) == 1 for times in arrivals.values())
    assert sorted(row[0] for row in rows) == list(range(40))
    for number, due, sent, accepted in rows:
        assert due <= sent <= arrivals["A", number][0] <= accepted
    kept = sorted(sink.samples.iterdir())
    assert [path.name for path in kept] == [f"A{n:011}.eml" for n in range(0, 40, 5)]
    for path in kept:
        template = letter(size, SENDER, RECIPIENT)
        assert path.read_bytes() == template.replace(b"@BENCH-ID--@", path.stem.encode())


def test_a_letter_has_its_size_and_its_links():
    for size in (5000, 50000):
        text = letter(size, SENDER, RECIPIENT)
        assert abs(len(text) - size) < size / 10
        assert text.count(b"<a href=") == LINKS


def test_a_slow_sink_serves_as_many_as_it_should(tmp_path):
    _, sink = exchange(tmp_path, 12, {"reply_ms": 5, "serve": 3}, sessions=6)
    assert sink.gauge.read(32) == 3  # connections_max
    assert len(sink.arrivals()) == 12


def test_a_source_stops_at_its_backlog(tmp_path):
    """Behind a relay that takes everything and delivers nothing, the source stops by itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        got = [0]
        threading.Thread(target=swallow, args=(server, got), daemon=True).start()
        sink = Sink(tmp_path / "sink")
        source = Source(tmp_path, server.getsockname()[1], SENDER, RECIPIENT, count=0, backlog=5,
                        gauge=sink.gauge.path)
        wait_for("five messages", lambda: got[0] >= 5)
        source.stop()
        sink.stop()
        assert len(source.submissions()) == 5


def swallow(server, got):
    connection, _ = server.accept()
    lines = connection.makefile("rwb")
    lines.write(b"220 here\r\n")
    lines.flush()
    in_data = False
    for line in lines:
        if in_data and line != b".\r\n":
            continue
        got[0] += in_data
        in_data = not in_data and line == b"DATA\r\n"
        lines.write(b"354 go\r\n" if in_data else b"250 ok\r\n")
        lines.flush()


def test_a_refusal_ends_the_source_with_the_servers_words(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = Source(tmp_path, server.getsockname()[1], SENDER, RECIPIENT, count=1)
        connection, _ = server.accept()
        connection.sendall(b"554 5.7.1 not you\r\n")
        with pytest.raises(BenchError, match="554 5.7.1 not you"):
            source.wait()


def test_what_did_not_arrive_is_missed():
    submissions = [(0, 1, 2, 3), (1, 1, 2, 3), (2, 1, 2, 3)]
    arrivals = {("A", 0): [9], ("A", 2): [9, 10], ("B", 1): [9]}
    assert lost_and_doubled(submissions, "A", arrivals) == ([1], 1)
    with pytest.raises(BenchError, match="message A1 of the small account is lost"):
        fair.times(submissions, "A", arrivals)


def test_a_sample_without_signature_or_tracking_is_an_error(tmp_path):
    _, record = gatepost.make_key(tmp_path)
    folder = Path(tmp_path / "samples")
    folder.mkdir()
    with pytest.raises(BenchError, match="no sample"):
        samples.check(folder, record, tracked=True)
    text = letter(5000, SENDER, RECIPIENT)
    (folder / "A.eml").write_bytes(text)
    with pytest.raises(BenchError, match="not one DKIM signature"):
        samples.check(folder, record, tracked=True)
    (folder / "A.eml").write_bytes(b"DKIM-Signature: v=1; a=rsa-sha256; d=market.example; s=x; "
                                   b"h=from; bh=AAAA; b=AAAA\r\n" + text)
    with pytest.raises(BenchError, match="does not verify"):
        samples.check(folder, record, tracked=True)
    with pytest.raises(BenchError, match="10 links, 0 of them tracked"):
        samples.check_links("A.eml", text, tracked=True)
    samples.check_links("A.eml", text, tracked=False)


def test_percentiles():
    assert fair.percentile(range(1000), 0.99) == 990
    assert fair.percentile(range(1000), 0.5) == 500
    assert fair.percentile([7], 0.99) == 7
