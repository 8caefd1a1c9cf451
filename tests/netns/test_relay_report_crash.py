# SPDX-License-Identifier: GPL-2.0-or-later
"""What was answered is in the log, whoever dies meanwhile; and a dead log stops no click."""
import os
import resource
import select
import signal
import threading
import time

import pytest

from tests.harness.relay import Relay, wait_for
from tests.harness.web import Connection, get, seal


@pytest.fixture
def relay(tmp_path):
    with Relay(tmp_path) as r:
        yield r


def links(relay, count, prefix="https://shop.example/"):
    urls = [f"{prefix}{i}" for i in range(count)]
    return dict(zip(urls, seal(relay, *(("c", 5, 0, "acme", 1, u) for u in urls))))


def logged(relay, **query):
    return [r["url"] for r in relay.events(limit=1000, **query) if r["event"] == "clicked"]


def test_sigkill_of_report_loses_nothing_that_was_acknowledged(relay):
    port, todo = relay.port("http"), links(relay, 300)
    answered = []

    def click():
        with Connection(port) as c:
            for url, link in todo.items():
                r = c.ask(link)
                assert (r.status, r["location"]) == (302, url)
                answered.append(url)
    thread = threading.Thread(target=click)
    thread.start()
    for at in (20, 120, 220):
        wait_for("clicks", lambda: len(answered) > at)
        relay.kill_role("report")
    thread.join()
    assert len(answered) == 300
    wait_for("every event", lambda: set(logged(relay)) == set(answered))


def test_sigkill_of_everything_loses_nothing_that_was_acknowledged(relay):
    port = relay.port("http")
    for url, link in links(relay, 50).items():
        assert get(port, link)["location"] == url
    relay.kill()
    relay.start()
    assert len(logged(relay)) == 50
    port = relay.port("http")
    for url, link in links(relay, 5, "https://later.example/").items():
        assert get(port, link)["location"] == url
    assert len(logged(relay)) == 55


def test_a_click_works_while_report_hangs_and_is_counted_later(relay):
    port, pid = relay.port("http"), relay.pid("report")
    os.kill(pid, signal.SIGSTOP)
    try:
        for url, link in links(relay, 20).items():
            assert get(port, link)["location"] == url
    finally:
        os.kill(pid, signal.SIGCONT)
    assert sorted(set(wait_for("the events", lambda: len(logged(relay)) >= 20 and logged(relay)))
                  ) == sorted(links(relay, 20))


def test_no_answer_before_the_event_is_kept(relay):
    """Only up to a bound, so look early; on a machine that is late, look again."""
    port, pid = relay.port("http"), relay.pid("report")
    for url, link in links(relay, 20).items():
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        with Connection(port) as c:
            c.send(f"GET {link.split('t.example.net')[1]} HTTP/1.1\r\n"
                   "Host: t.example.net\r\n\r\n".encode())
            early = bool(select.select([c.socket], [], [], 0.5)[0])
            in_time = time.monotonic() - started < 1.5
            os.kill(pid, signal.SIGCONT)
            assert c.response()["location"] == url
        wait_for("the event", lambda: url in logged(relay))
        if in_time:
            assert not early
            return


def test_a_full_disk_stops_no_click_and_loses_none(relay):
    port, pid = relay.port("http"), relay.pid("report")
    before, after = links(relay, 30), links(relay, 5, "https://later.example/")
    for url, link in before.items():
        assert get(port, link)["location"] == url
    assert len(logged(relay)) == 30
    (journal,) = (relay.directory / "events").glob("journal.*")
    full = journal.stat().st_size  # and the relay's log is smaller
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    for url, link in after.items():
        assert get(port, link)["location"] == url
    assert set(logged(relay)) == set(before)
    assert "cannot be written" in relay.log()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    wait_for("every event", lambda: set(logged(relay)) == {*before, *after})
    assert relay.pid("report") == pid
    assert relay.control("statistics")["lost"] == 0


def test_a_click_works_while_report_is_away(relay):
    """Its directory is gone, so it cannot start."""
    port, todo = relay.port("http"), links(relay, 20)
    events, away = relay.directory / "events", relay.directory / "away"
    events.rename(away)
    os.kill(relay.pid("report"), signal.SIGKILL)
    for url, link in todo.items():
        assert get(port, link)["location"] == url
    away.rename(events)
    wait_for("report", relay.is_ready)
    wait_for("every event", lambda: set(logged(relay)) == set(todo))


def test_a_corrupt_store_is_rebuilt_and_stops_nothing(relay):
    port = relay.port("http")
    for url, link in links(relay, 30).items():
        assert get(port, link)["location"] == url
    assert len(logged(relay)) == 30
    assert relay.stop() == 0
    assert not (relay.directory / "events" / "events.db-wal").exists()  # it was closed
    store = relay.directory / "events" / "events.db"
    store.write_bytes(b"\xa5" * store.stat().st_size)
    relay.start()
    assert len(logged(relay)) == 30
    assert relay.control("statistics")["set_aside"] == 1
    assert "set aside" in relay.log()
    assert (relay.directory / "events" / "events.db.corrupt").exists()
    ((url, link),) = links(relay, 1, "https://later.example/").items()
    assert get(relay.port("http"), link)["location"] == url
    assert url in logged(relay)


def test_a_torn_journal_is_mended(relay):
    port = relay.port("http")
    for url, link in links(relay, 10).items():
        assert get(port, link)["location"] == url
    relay.kill()
    (journal,) = (relay.directory / "events").glob("journal.*")
    with open(journal, "ab") as f:
        f.write(b"\x50\0\0\0\1\2\3\4torn")
    relay.start()
    assert len(logged(relay)) == 10
    assert relay.control("statistics")["damaged_bytes"] == 12
    assert "torn record" in relay.log()


def test_questions_about_nothing(relay):
    assert relay.control("log") == {"ok": True, "rows": [], "more": False}
    assert relay.control("statistics")["accounts"] == []
    assert not relay.control("log", since="yesterday")["ok"]
