# SPDX-License-Identifier: GPL-2.0-or-later
"""Very much mail of mixed sizes comes and goes through the real store (spool_churn.c).

In `make test` a short run shows that space is given back. `make soak` puts a million through and
writes to output/bench/churn.json what that did to the rate; GATEPOST_CHURN_COUNT sets another count.
"""
import json
import os
import subprocess

from tests.harness.relay import BUILD, ROOT

SOAK = bool(os.environ.get("GATEPOST_SOAK"))
COUNT = int(os.environ.get("GATEPOST_CHURN_COUNT", 1000000 if SOAK else 20000))
MB = 1000 * 1000
SEGMENT_MB = 67.2


def churn(directory, count, **settings):
    done = subprocess.run([BUILD / "netns" / "spool_churn", str(count),
                           *(f"{name}={value}" for name, value in settings.items())],
                          cwd=directory, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def test_what_came_and_went_holds_no_disk(tmp_path):
    late, defer, mean = 2000, 200, 20000
    found = churn(tmp_path, COUNT, late=late, defer=defer, mean=mean,
                  probe=100000 if SOAK else 700)
    print(found)
    assert found["left"] == 0
    # The mail of one tick, what the late ones hold, and a few segments that are not empty yet.
    bound = 3 * late * mean / MB + 4 * SEGMENT_MB
    assert found["disk_max_mb"] < bound, f"{found['disk_max_mb']} MB of {found['bytes'] / MB:.0f}"
    if SOAK:
        out = ROOT / "output" / "bench" / "churn.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1) + "\n")
