# SPDX-License-Identifier: GPL-2.0-or-later
"""The HTTP server itself: connections, pipelines, hostile bytes, hostile patience."""
import resource

import pytest

from tests.harness.relay import Relay, wait_for
from tests.harness.web import HOST, Connection, get, seal

REQUEST = f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    with Relay(tmp_path_factory.mktemp("relay")) as r:
        yield r


@pytest.fixture(scope="module")
def port(relay):
    return relay.port("http")


def test_a_connection_is_kept_and_closed_as_the_client_says(port):
    with Connection(port) as c:
        for _ in range(3):
            assert c.ask("/healthz").status == 200
        r = c.ask("/healthz", connection="close")
        assert r["connection"] == "close"
        assert c.at_end()


def test_an_http_1_0_client(port):
    with Connection(port) as c:
        c.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert c.response()["connection"] == "keep-alive"
        c.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert c.response().body == b"ok\n"
        assert c.at_end()


def test_pipelined_requests_are_answered_in_order(relay, port):
    urls = [f"https://shop.example/{i}" for i in range(50)]
    links = seal(relay, *(("c", 5, 0, "acme", 1, url) for url in urls))
    with Connection(port) as c:
        c.send(b"".join(f"GET {link.split(HOST)[1]} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
                        for link in links))
        assert [c.response()["location"] for _ in urls] == urls


def test_a_request_may_come_byte_by_byte(port):
    with Connection(port) as c:
        for i in range(len(REQUEST)):
            c.send(REQUEST[i:i + 1])
        assert c.response().status == 200


def test_a_client_that_has_closed_its_half_still_gets_its_answer(relay, port):
    (link,) = seal(relay, ("c", 5, 0, "acme", 1, "https://shop.example/half"))
    with Connection(port) as c:
        c.send(f"GET {link.split(HOST)[1]} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        c.socket.shutdown(1)
        assert c.response()["location"] == "https://shop.example/half"
        assert c.at_end()


@pytest.mark.parametrize("request_, status", [
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n01234", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    (b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /" + b"x" * 10000, 414),
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 20000, 431),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"\x16\x03\x01\x02\x00\x01", 400),
])
def test_nothing_behind_a_bad_request_is_looked_at(port, request_, status):
    with Connection(port) as c:
        c.send(request_ + REQUEST)
        r = c.response()
        assert (r.status, r["connection"]) == (status, "close")
        assert c.response() is None


def test_a_body_is_read_and_belongs_to_its_request(port):
    with Connection(port) as c:
        c.send(b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(REQUEST)
               + REQUEST + REQUEST)
        assert c.response().status == 405
        assert c.response().body == b"ok\n"
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert c.response().status == 100
        c.send(b"abc")
        assert c.response().status == 405
        c.send(REQUEST)
        assert c.response().status == 200


def test_a_dawdler_is_told_and_closed_and_nobody_waits_for_it(relay, port):
    dawdlers = [Connection(port) for _ in range(100)]
    for c in dawdlers:
        c.send(b"GET /healthz HT")
    assert get(port, "/healthz").status == 200
    # One byte now and then does not buy more time.
    first = dawdlers[0]
    first.socket.settimeout(1)
    letters = iter(b"TP/1.1\r\nHost: a\r\nX: " + b"x" * 1000)

    def feed():
        try:
            first.send(bytes([next(letters)]))
            return first.response()
        except TimeoutError:
            return None
        except OSError:
            return True
    answer = wait_for("the end of a dawdler", feed)
    assert answer is True or answer.status == 408
    for c in dawdlers[1:]:
        assert c.response().status == 408
        assert c.at_end()
        c.socket.close()
    first.socket.close()


def test_tls_that_never_comes_holds_up_nobody(relay):
    silent = [Connection(relay.port("https")) for _ in range(20)]
    silent[0].send(b"GET / HTTP/1.1\r\n\r\n")
    assert get(relay.port("https"), "/healthz", tls=True).status == 200
    for c in silent:
        c.socket.close()


@pytest.fixture
def narrow(tmp_path):
    """A relay whose http has 128 descriptors: 64 places, 16 for one source."""
    with Relay(tmp_path) as relay:
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (128, 128))
        relay.kill_role("http")
        yield relay


def open_on(port, source):
    c = Connection(port, source=source)
    c.send(b"GET /healthz HT")
    return c


def is_open(c):
    """Nothing came: the server still waits for the rest."""
    c.socket.setblocking(False)
    try:
        return c.socket.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def test_one_source_has_a_share_and_displaces_its_own(narrow):
    port = narrow.port("http")
    flood = [open_on(port, "127.0.0.1") for _ in range(200)]
    other = open_on(port, "127.0.0.2")
    wait_for("the flood to be cut", lambda: sum(map(is_open, flood)) <= 16)
    assert is_open(other)
    assert is_open(flood[-1]) and not is_open(flood[0])
    assert _served(port)
    other.socket.setblocking(True)
    other.send(b"TP/1.1\r\nHost: a\r\n\r\n")
    assert other.response().status == 200


def test_a_flood_from_everywhere_takes_the_places_of_the_oldest(narrow):
    port = narrow.port("http")
    flood = [open_on(port, f"127.0.1.{i}") for i in range(1, 201)]
    assert _served(port)
    wait_for("the flood to be cut", lambda: sum(map(is_open, flood)) <= 64)
    assert is_open(flood[-1]) and not is_open(flood[0])


def _served(port):
    try:
        r = get(port, "/healthz")
        return r and r.status == 200
    except OSError:
        return False


def test_a_listener_that_left_the_config_is_closed_and_a_new_one_opened(tmp_path):
    with Relay(tmp_path) as relay:
        old = relay.port("http")
        with Connection(old) as kept:
            assert kept.ask("/healthz").status == 200
            relay.config["http"] = [{"name": "other", "address": "127.0.0.1", "port": 0}]
            relay.reload()
            wait_for("the new listener", lambda: _has(relay, "other"))
            assert get(relay.port("other"), "/healthz").status == 200
            wait_for("the old one's end", lambda: not _served(old))
            assert kept.ask("/healthz").status == 200  # whoever is connected stays


def _has(relay, name):
    return name in [x["name"] for x in relay.control("listeners")["listeners"]]


def test_a_new_tracking_key_is_used_after_a_reload_and_old_links_go_on(tmp_path):
    token = ("c", 5, 0, "acme", 1, "https://shop.example/")
    with Relay(tmp_path) as relay:
        port, (old,) = relay.port("http"), seal(relay, token)
        with open(relay.keys / "tracking.keys", "a") as f:
            f.write("77 " + "5a" * 32 + "\n")
        (new,) = seal(relay, token)
        assert get(port, new).status == 404
        relay.reload()
        wait_for("the new key", lambda: get(port, new).status == 302)
        assert get(port, old)["location"] == "https://shop.example/"


def test_a_new_certificate_is_used_after_a_reload(tmp_path):
    def certificate(port):
        with Connection(port, tls=True) as c:
            return c.socket.getpeercert(binary_form=True)
    with Relay(tmp_path) as relay:
        port = relay.port("https")
        first = certificate(port)
        assert certificate(port) == first
        with Connection(port, tls=True) as kept:
            (relay.keys / "relay.crt").unlink()
            (relay.keys / "relay.key").unlink()
            relay.reload()
            wait_for("the new certificate", lambda: certificate(port) != first)
            assert kept.ask("/healthz").status == 200


def test_http_is_back_on_the_same_port_after_its_death(relay, port):
    relay.kill_role("http")
    assert get(port, "/healthz").status == 200


def test_an_orderly_end_answers_what_was_asked(tmp_path):
    with Relay(tmp_path) as relay:
        port = relay.port("http")
        idle, busy = Connection(port), Connection(port)
        assert idle.ask("/healthz").status == 200
        busy.send(REQUEST[:-2])
        assert _served(port)  # so the half request was read
        relay.process.terminate()
        assert idle.at_end()
        busy.send(REQUEST[-2:])
        assert busy.response()["connection"] == "close"
        assert relay.process.wait(60) == 0
