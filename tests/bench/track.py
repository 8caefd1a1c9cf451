# SPDX-License-Identifier: GPL-2.0-or-later
"""Rewriting, signing and the tracking endpoint, each beside what it is measured against."""
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
import xml.etree.ElementTree
from pathlib import Path

from tests.bench import letter
from tests.bench.load import PROGRAMS, BenchError
from tests.harness.relay import BUILD, ROOT, Relay, account
from tests.harness.web import HOST, seal

ROUNDS = 3
HTML_BYTES = 50000
LETTER_BYTES = (5000, 50000)
CONNECTIONS = 32
TOKENS = 1000
NGINX = Path(__file__).with_name("nginx.conf")
REPLAY = Path(__file__).with_name("replay.lua")
FOLLOW_PATIENCE_S = 30  # without an event more in the store, before the rest counts as lost


def run(argv, **more):
    """Standard output; a failure is the bench's."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise BenchError(f"{argv[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


# --- rewriting and signing ---------------------------------------------------------------------

def openssl_per_s(seconds):
    """RSA-2048 signatures a second, as `openssl speed` has them."""
    out = run(["openssl", "speed", "-seconds", str(seconds), "rsa2048"])
    return float(re.search(r"^rsa +2048 bits +\S+ +\S+ +([\d.]+)", out, re.M)[1])


def letters(directory):
    """The HTML message and the letters, as files."""
    sender, reader = "news@craft.example", "reader@sink.example"
    html = directory / "html.eml"
    html.write_bytes(letter.page(HTML_BYTES, sender, reader))
    paths = [html]
    for size in LETTER_BYTES:
        paths.append(directory / f"{size}.eml")
        paths[-1].write_bytes(letter.letter(size, sender, reader))
    return paths


def part_craft(bench):
    """Rewriting and signing, in turns with openssl, on one core."""
    directory = Path(bench.work) / "craft"
    directory.mkdir()
    shutil.copyfile(bench.key, directory / "craft.example.bench.pem")
    (directory / "craft.example.bench.pem").chmod(0o400)
    seconds = bench.few(4, 1)
    rounds = []
    for _ in range(bench.few(ROUNDS, 1)):
        own = json.loads(run([PROGRAMS / "craft", directory, seconds, *letters(directory)]))
        if own["links"] != letter.LINKS:
            raise BenchError(f"{own['links']} links were rewritten where there are {letter.LINKS}")
        openssl = openssl_per_s(seconds)
        rounds.append((own["rewrite_mb_s"], openssl, *own["sign_per_s"]))
    rewrite, openssl, *signs = (statistics.median(column) for column in zip(*rounds))
    ratios = [statistics.median(row[2 + i] / row[1] for row in rounds) for i in range(len(signs))]
    bench.publish(rewrite_mb_s=rewrite, sign_per_s=min(signs), sign_ratio=min(ratios),
                  openssl_rsa2048_per_s=openssl)
    for size, per_s, ratio in zip(LETTER_BYTES, signs, ratios):
        bench.publish(**{f"sign_per_s_{size // 1000}k": per_s,
                         f"sign_ratio_{size // 1000}k": ratio})


# --- the endpoint ------------------------------------------------------------------------------

class Nginx:
    """One worker, an access log, empty_gif for everything. with Nginx(directory) as n: n.port"""

    def __init__(self, directory, wrapper):
        self.directory = Path(directory)
        self.directory.mkdir()
        self.wrapper = wrapper

    def __enter__(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        config = self.directory / "nginx.conf"
        config.write_text(NGINX.read_text().replace("@PORT@", str(self.port))
                          .replace("@DIRECTORY@", str(self.directory)))
        self.process = subprocess.Popen(
            [*self.wrapper, "nginx", "-p", str(self.directory), "-c", str(config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(1)
        if self.process.poll() is not None:
            raise BenchError(f"nginx: {self.process.communicate()[1].decode().strip()}")
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait()


def hit(port, urls, seconds, cpu):
    """wrk on its own core, its paths those of the URLs: (requests a second, requests)."""
    out = run(["taskset", "-c", cpu, "wrk", "-t", 1, "-c", CONNECTIONS, "-d", f"{seconds}s",
               "-s", REPLAY, f"http://127.0.0.1:{port}", "--", urls])
    if "Non-2xx" in out or "Socket errors" in out:
        raise BenchError(f"wrk: {out}")
    return float(re.search(r"Requests/sec: +([\d.]+)", out)[1]), int(
        re.search(r"(\d+) requests in", out)[1])


def opened(relay):
    rows = relay.control("statistics", account="acme")["accounts"]
    return rows[0]["events"].get("opened", 0) if rows else 0


def all_in_store(relay, wanted):
    """How many opens the store holds when it has followed the journal."""
    seen, since = -1, time.monotonic()
    while True:
        now = opened(relay)
        if now >= wanted:
            return now
        if now != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() - since > FOLLOW_PATIENCE_S:
            return now
        time.sleep(0.5)


def part_endpoint(bench):
    """The pixel beside nginx's empty_gif, in turns: each side on one core, wrk on another."""
    if os.cpu_count() < 2:
        raise BenchError("one processor for the server and one for wrk are needed")
    directory = Path(bench.work) / "endpoint"
    directory.mkdir()
    pinned, seconds = ["taskset", "-c", "0"], bench.few(5, 1)
    ours, theirs, asked = [], [], 0
    with Relay(directory / "relay", accounts=[account()], wrapper=pinned) as relay, \
            Nginx(directory / "nginx", pinned) as nginx:
        urls = directory / "urls"
        tokens = [("o", 0x1000000 + n, 0, "acme", int(time.time()), "") for n in range(TOKENS)]
        urls.write_text("\n".join(url.partition(HOST)[2] for url in seal(relay, *tokens)) + "\n")
        port = relay.port("http")
        for _ in range(bench.few(ROUNDS, 1)):
            theirs.append(hit(nginx.port, urls, seconds, 1)[0])
            rate, requests = hit(port, urls, seconds, 1)
            ours.append(rate)
            asked += requests
            followed = all_in_store(relay, asked)
            bench.say(f"endpoint: {rate:.0f}/s, nginx {theirs[-1]:.0f}/s; {asked} answered, "
                      f"{followed} in the store")
    bench.publish(endpoint_per_s=statistics.median(ours), nginx_per_s=statistics.median(theirs),
                  endpoint_ratio=statistics.median(a / b for a, b in zip(ours, theirs)),
                  endpoint_events_lost=max(0, asked - followed))


# --- the checks --------------------------------------------------------------------------------

def part_checks(bench):
    """The comparisons of messages before and after, and the tokenizer's cases, counted."""
    report = Path(bench.work) / "checks.xml"
    subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/track",
                    f"--junitxml={report}"], cwd=ROOT, check=False, capture_output=True)
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    out = subprocess.run([BUILD / "unit/relay_html_tokenizer_test"], cwd=ROOT, text=True,
                         capture_output=True, check=False)
    cases = re.search(r"html tokenizer: (\d+) cases, (\d+) failures", out.stdout + out.stderr)
    if not cases or counts["tests"] - counts["skipped"] < 150:
        raise BenchError("the checks did not run: are the corpora there?")
    bench.publish(domdiff_checks=counts["tests"] - counts["skipped"],
                  domdiff_failures=counts["failures"] + counts["errors"],
                  tokenizer_cases=int(cases[1]), tokenizer_failures=int(cases[2]))
