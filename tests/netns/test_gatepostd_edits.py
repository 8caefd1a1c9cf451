# SPDX-License-Identifier: GPL-2.0-or-later
"""Random edits of valid configs: each ends in a clean refusal or a clean commit.

A refusal says why and leaves every file and the dry run's plan byte for byte as they were. A commit
gives a new revision whose text, read again, is the same; and gatepostd is the same process all
along. The configs are those of tests/golden/policy. 1,000 edits in `make test`, 10,000 in
`make soak`; a failure names its seed.
"""
import os
import random
import re

from tests.netns.gate import ROOT, SITE, Gate

EDITS = 10000 if os.environ.get("GATEPOST_SOAK") else 1000
SEEDS = [SITE] + [p.read_text() for p in sorted((ROOT / "tests/golden/policy").glob("*.conf"))
                  if p.stat().st_size < 8000]
VALUES = ["any", "office", "0", "-1", "99999", "80,443", "1-65535", "65535-1", "203.0.113.10",
          "203.0.113.10/32", "0.0.0.0/0", "::/0", "2001:db8::1", "2001:db8::/32", "300.1.1.1", "1/8",
          '""', '"', '"\\', "*@a.example", "a b", "x" * 70, "\u00e4", "\x00", "\x7f", "{", "}", ";",
          "eth0", "eth1", "5/second", "$y$j9T$a$b", "#", "/*", "[", "]", "[ 1 2 ]", "4294967296"]


def pieces(text):
    return re.findall(r"\s+|[{};\[\]]|\"(?:[^\"\\]|\\.)*\"|[^\s{};\[\]]+", text)


def delete_some(rng, parts):
    i = rng.randrange(len(parts))
    del parts[i:i + rng.randint(1, 4)]


def repeat_some(rng, parts):
    i, n = rng.randrange(len(parts)), rng.randint(1, 30)
    at = rng.randrange(len(parts))
    parts[at:at] = parts[i:i + n]


def swap_two(rng, parts):
    i, j = rng.randrange(len(parts)), rng.randrange(len(parts))
    parts[i], parts[j] = parts[j], parts[i]


def other_value(rng, parts):
    parts[rng.randrange(len(parts))] = rng.choice(VALUES)


def other_digit(rng, parts):
    at = [i for i, p in enumerate(parts) if any(c.isdigit() for c in p)]
    if at:
        i = rng.choice(at)
        parts[i] = re.sub(r"\d", lambda m: str(rng.randrange(10)) if rng.random() < 0.5 else m[0],
                          parts[i])


def other_byte(rng, parts):
    i = rng.randrange(len(parts))
    p = list(parts[i])
    p[rng.randrange(len(p))] = chr(rng.choice([0, 9, 10, 34, 35, 92, 127, 0x2028, rng.randrange(32, 255)]))
    parts[i] = "".join(p)


def cut_off(rng, parts):
    del parts[rng.randrange(len(parts)):]


OPERATIONS = [delete_some, repeat_some, swap_two, other_value, other_value, other_digit, other_digit,
              other_digit, other_byte, cut_off]


def edit(rng):
    parts = pieces(rng.choice(SEEDS))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if parts:
            rng.choice(OPERATIONS)(rng, parts)
    return "".join(parts)


def test_random_edits_end_in_a_clean_refusal_or_a_clean_commit(tmp_path):
    seed = int(os.environ.get("GATEPOST_SEED", "20261124"))
    counts = {True: 0, False: 0}
    with Gate(tmp_path) as gate, gate.session() as session:
        before = gate.files()
        for number in range(EDITS):
            rng = random.Random(seed + number)
            text = edit(rng)
            answer = session.ask("commit", text=text)
            where = f"GATEPOST_SEED={seed + number}: {text!r}: {answer}"
            assert gate.process.poll() is None, where + gate.log()
            counts[answer["ok"]] += 1
            after = gate.files()
            if not answer["ok"]:
                assert answer["error"].strip(), where
                assert after == before, where
                continue
            kept = session.ask("config")["text"]
            assert session.ask("check", text=kept)["ok"], where
            again = session.ask("commit", text=kept)
            assert again["ok"] and again["revision"] == answer["revision"], where
            assert gate.files() == after, where
            assert gate.config.read_text() == kept, where
            before = after
        gate.restart()
        assert "closed" not in gate.ask("status") and gate.ask("config")["text"] == kept
    assert min(counts.values()) > EDITS / 20, counts  # both are tried
