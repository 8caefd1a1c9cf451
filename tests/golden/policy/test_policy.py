# SPDX-License-Identifier: GPL-2.0-or-later
"""NAME.conf as nft text: NAME.nft, to the byte. NAME.plan: its network, dry.

A new NAME.conf, or a change that is meant: GATEPOST_GOLDEN=write, and read the difference."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FWLOAD = ROOT / "output" / ("build-sanitize" if os.environ.get("SANITIZE") else "build") / "netns/fwload"
CONFIGS = sorted(HERE.glob("*.conf"))
PLANS = sorted(HERE.glob("*.plan"))


def made(order, conf):
    done = subprocess.run([FWLOAD, order, conf], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compare(path, text):
    if os.environ.get("GATEPOST_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("conf", CONFIGS, ids=lambda path: path.stem)
def test_config_gives_this_ruleset(conf):
    order = "text+flows" if conf.stem == "vlan" else "text"
    compare(conf.with_suffix(".nft"), made(order, conf))


@pytest.mark.parametrize("plan", PLANS, ids=lambda path: path.stem)
def test_config_gives_this_network(plan):
    compare(plan, made("plan", plan.with_suffix(".conf")))


@pytest.mark.parametrize("conf", CONFIGS, ids=lambda path: path.stem)
def test_same_config_gives_same_text(conf):
    assert made("text", conf) == made("text", conf)
