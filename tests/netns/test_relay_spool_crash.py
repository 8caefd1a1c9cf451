# SPDX-License-Identifier: GPL-2.0-or-later
"""The spool's promise, broken on purpose: power cuts at random moments, and failing disks.

The store works through a layer that logs each write and each flush (tests/harness/crash). From
any prefix of that log the disk is rebuilt as a power cut would have left it; the store then has to
hold what it had promised up to that moment.
"""
import errno
import os
import random
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.harness.crash.disk import Cut, Disk, build_layer, read_log
from tests.harness.crash.spool import build_driver

CUTS = 50  # in each run
SOAK = bool(os.environ.get("GATEPOST_SOAK"))
SEEDS = 40 if SOAK else 4
STEPS = 40

DELIVERED, FAILED = "1", "2"

@pytest.fixture(scope="module")
def tools():
    """The layer and the driver, and a directory in memory: the layer is the disk here."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="gp-crash-", dir=memory) as directory:
        yield Tools(Path(directory), build_layer(directory), build_driver(directory))


class Tools:
    def __init__(self, directory, layer, driver):
        self.directory, self.layer, self.driver = directory, layer, driver
        self.count = 0

    def fresh(self, name):
        self.count += 1
        path = self.directory / f"{name}-{self.count}"
        path.mkdir()
        return path

    def run(self, spool, *arguments, log=None, **disk):
        """The driver in the directory spool; with a log, under the layer."""
        env = dict(os.environ, **{f"DISK_{k.upper()}": str(v) for k, v in disk.items()})
        if log:
            env.update(LD_PRELOAD=str(self.layer), DISK_DIR=str(spool), DISK_LOG=str(log))
        return subprocess.run([self.driver, *map(str, arguments)], cwd=spool, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def work(self, seed, steps=STEPS, **disk):
        """A run under the layer; the spool it left, and its log."""
        spool, log = self.fresh("spool"), self.fresh("log") / "log"
        done = self.run(spool, "run", seed, steps, log=log, **disk)
        return spool, log, done


class Promises:
    """What the store has said so far, read from the driver's lines."""

    def __init__(self, output):
        self.kept = {}  # id -> (size, crc)
        self.standing = {}  # id -> a state per recipient; None once it is forgotten
        self.tried = Counter()  # (size, crc) that no answer was given for
        self.refused = Counter()
        self.under_way = []  # (id, recipient, state) that no answer was given for
        for line in output.splitlines():
            word, *rest = line.split()
            getattr(self, "on_" + word)(*rest)

    def on_trying(self, size, crc):
        self.tried[size, crc] += 1

    def on_kept(self, message, size, crc, recipients):
        self.tried[size, crc] -= 1
        assert message not in self.kept, f"two messages have the id {message}"
        self.kept[message] = (size, crc)
        self.standing[message] = "0" * int(recipients)

    def on_refused(self, size, crc, _why):
        self.tried[size, crc] -= 1
        self.refused[size, crc] += 1

    def on_noting(self, message, recipient, state):
        self.under_way.append((message, int(recipient), state))

    def on_noted(self, message, recipient, state):
        assert self.under_way.pop(0) == (message, int(recipient), state)
        self.note(self.standing, message, int(recipient), state)

    def on_failed(self, message):
        assert self.under_way.pop(0)[0] == message

    def on_moved(self, message):
        assert self.standing[message], f"{message} is forgotten and was moved"

    @staticmethod
    def note(standing, message, recipient, state):
        old = standing[message]
        if old is None:
            return
        new = old[:recipient] + state + old[recipient + 1:]
        standing[message] = None if set(new) <= {DELIVERED, FAILED} else new

    def worlds(self):
        """How the kept messages may stand: without the batch that is under way, or with it."""
        yield self.standing
        if self.under_way:
            after = dict(self.standing)
            for item in self.under_way:
                self.note(after, *item)
            yield after

    def violations(self, found):
        """What a check's lines show to be broken."""
        broken, have = [], {}
        for line in found.splitlines():
            word, *rest = line.split()
            if word == "have":
                have[rest[0]] = rest[1:]
            elif line not in ("usable", "damaged 0"):
                broken.append(line)
        if "usable" not in found.split():
            broken.append("the store takes no new message")
        return broken + self.unexpected(have) + min(
            (self.differences(world, have) for world in self.worlds()), key=len)

    def differences(self, world, have):
        broken = []
        for message, states in world.items():
            if states is None and message in have:
                broken.append(f"{message} was delivered and is back")
            elif states is not None and message not in have:
                broken.append(f"{message} was kept and is lost")
            elif states is not None and tuple(have[message][:2]) != self.kept[message]:
                broken.append(f"{message} has other bytes")
            elif states is not None and have[message][2] != states:
                broken.append(f"{message} stands at {have[message][2]}, not {states}")
        return broken

    def unexpected(self, have):
        others = Counter((size, crc) for message, (size, crc, _) in have.items()
                         if message not in self.kept)
        return [f"{what} is there and was never promised" for what in others - self.tried]


def cut_points(log, count, rng):
    """Moments to cut at: half of them anywhere, half right after a promise was given."""
    kinds = [record[0] for record in read_log(log)]
    said = [i + 1 for i, kind in enumerate(kinds) if kind == "K"]
    anywhere = rng.sample(range(1, len(kinds)), count - count // 2)
    return sorted(anywhere + rng.sample(said, min(len(said), count // 2)))


def disks_at(log, points, rng, start):
    """The disk at each of these moments."""
    disk, seen = Disk(rng, start), 0
    records = read_log(log)
    for point in points:
        while seen < point:
            disk.feed(*next(records))
            seen += 1
        yield disk


def broken_by_cuts(tools, log, points, rng):
    """Cuts at these points; what each breaks."""
    spool, empty = tools.fresh("cut"), tools.fresh("empty")
    broken = []
    for number, disk in enumerate(disks_at(log, points, rng, empty)):
        disk.write_to(spool, Cut.SOME if number % 2 else Cut.NONE)
        promises = Promises(disk.output)
        done = tools.run(spool, "check")
        broken.append(promises.violations(done.stdout) + done.stderr.splitlines())
    return broken


def test_the_layer_sees_everything(tools):
    """Replayed without a cut, the log gives the very directory: the model misses no write."""
    spool, log, done = tools.work(seed=1)
    assert done.returncode == 0, done.stderr
    disk = Disk(random.Random(0), tools.fresh("empty"))
    for record in read_log(log):
        disk.feed(*record)
    again = tools.fresh("again")
    disk.write_to(again, Cut.ALL)
    assert sorted(os.listdir(spool)) == sorted(os.listdir(again))
    for name in os.listdir(spool):
        assert (spool / name).read_bytes() == (again / name).read_bytes(), name
    assert disk.output == done.stdout


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_promised_survives_a_power_cut(tools, seed):
    rng = random.Random(seed)
    _, log, done = tools.work(seed)
    assert done.returncode == 0, done.stderr
    assert "refused" not in done.stdout and "failed" not in done.stdout
    points = cut_points(log, CUTS, rng)
    for point, broken in zip(points, broken_by_cuts(tools, log, points, rng)):
        assert not broken, f"cut after operation {point} of seed {seed}"


def test_a_power_cut_while_the_spool_is_made_leaves_one_that_opens(tools):
    _, log, done = tools.work(seed=9, steps=2)
    assert done.returncode == 0, done.stderr
    kinds = [record[0] for record in read_log(log)]
    points = range(1, kinds.index("K") + 1)
    for seed in range(3):
        rng = random.Random(seed)
        spool = tools.fresh("cut")
        for point, disk in zip(points, disks_at(log, points, rng, tools.fresh("empty"))):
            disk.write_to(spool, Cut.SOME)
            done = tools.run(spool, "check")
            assert not Promises("").violations(done.stdout), f"{point}: {done.stderr}"


@pytest.mark.parametrize("seed", range(3))
def test_a_power_cut_during_recovery_loses_nothing(tools, seed):
    rng = random.Random(seed)
    _, log, _ = tools.work(seed + 100)
    spool, second = tools.fresh("cut"), tools.fresh("log")
    for number, disk in enumerate(disks_at(log, cut_points(log, 6, rng), rng, tools.fresh("e"))):
        disk.write_to(spool, Cut.SOME)
        promises = Promises(disk.output)
        recovery = Disk(rng, spool)
        tools.run(spool, "check", log=second / str(number))
        records = list(read_log(second / str(number)))
        for record in records[:rng.randint(0, len(records))]:
            recovery.feed(*record)
        # What check itself keeps may be there or not.
        for size, crc in [line.split()[2:4] for line in tools.run(spool, "check").stdout.splitlines()
                          if line.startswith("have")]:
            promises.tried[size, crc] += 2
        recovery.write_to(spool, Cut.SOME)
        assert not promises.violations(tools.run(spool, "check").stdout)


@pytest.mark.parametrize("lie", ["body", "state", "dir"])
def test_a_store_without_one_of_its_syncs_is_caught(tools, lie):
    """The test can fail: with syncs that come back and do nothing, cuts lose what was promised."""
    rng = random.Random(1)
    _, log, done = tools.work(seed=1, lie=lie)
    assert done.returncode == 0, done.stderr
    points = cut_points(log, 20, rng)
    lost = [broken for broken in broken_by_cuts(tools, log, points, rng) if broken]
    assert len(lost) >= 5, f"without the sync of {lie} only {len(lost)} of 20 cuts lost anything"


def operation_count(tools, seed, steps):
    """How many there are; among them is each kind of write and sync that the store has."""
    _, log, done = tools.work(seed, steps)
    records = list(read_log(log))
    names = {file: name for kind, file, _, name, _ in records if kind == "C"}
    seen = {(kind, names.get(file, name)[:5]) for kind, file, _, name, _ in records}
    assert {("A", "body-"), ("W", "body-"), ("w", "body-"), ("S", "body-"), ("T", "body-"),
            ("U", "body-"), ("D", ""), ("W", "state"), ("w", "state"), ("S", "state"),
            ("R", "state"), ("A", "reser")} <= seen, seen
    segments = [record for record in records if record[0] == "A" and record[3] != "reserve"]
    assert len(segments) > 3 and "moved" in done.stdout
    assert records[-1][0] == "N"
    return records[-1][2]


def check_faults(tools, number, seed, steps, fault, lasting):
    """One run with a fault from operation `number` on; what must hold whatever it hit."""
    count = 10**9 if lasting else 1
    spool, log, done = tools.work(seed, steps, fault=f"{number}:{fault}:{count}")
    what = f"operation {number} failing with {errno.errorcode[fault]}: {done.stderr}"
    # It may fail to open, with a message; never to go on.
    assert done.returncode == 0 or (done.returncode == 2 and done.stderr and not done.stdout), what
    promises = Promises(done.stdout)
    if not lasting and done.returncode == 0:
        answers = [line.split()[0] for line in done.stdout.splitlines()]
        assert answers.count("refused") < answers.count("kept"), what
    # Nothing that was refused is there, nothing that was promised is not; then, and after a cut.
    rng = random.Random(number)
    disk = Disk(rng, tools.fresh("empty"))
    for record in read_log(log):
        disk.feed(*record)
    found = tools.run(spool, "check")
    assert not promises.violations(found.stdout), what
    for cut in (Cut.NONE, Cut.SOME):
        disk.write_to(spool, cut)
        assert not promises.violations(tools.run(spool, "check").stdout), f"{what} ({cut.value})"
    return promises


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_each_write_and_sync_may_fail(tools, fault, lasting):
    """An error answer, never a promise that does not hold; and the store goes on afterwards."""
    seed, steps = (4, 24) if SOAK else (9, 10)
    total = operation_count(tools, seed, steps)
    assert total > 40
    refused = 0
    for number in range(1, total + 1):
        refused += bool(check_faults(tools, number, seed, steps, fault, lasting).refused)
    assert refused > 10
