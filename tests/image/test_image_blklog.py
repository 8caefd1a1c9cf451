# SPDX-License-Identifier: GPL-2.0-or-later
"""The replayer of write logs, on logs written by hand."""
import struct

import pytest

from tests.harness import blklog

SECTOR = 512


def write_log(path, requests, counted=None):
    """REQUESTS: (sector, data or sector count, flags)."""
    body = b""
    for sector, what, flags in requests:
        data = what if isinstance(what, bytes) else b""
        count = len(data) // SECTOR if data else what
        body += blklog.ENTRY.pack(sector, count, flags, 0).ljust(SECTOR, b"\0") + data
    head = blklog.SUPER.pack(blklog.MAGIC, 1, len(requests) if counted is None else counted, SECTOR)
    path.write_bytes(head.ljust(SECTOR, b"\0") + body)


def block(letter):
    return letter.encode() * SECTOR


def disk_after(tmp_path, requests, **more):
    disk = tmp_path / "disk"
    disk.write_bytes(block("-") * 4)
    write_log(tmp_path / "log", requests, **more)
    counts = blklog.replay(tmp_path / "log", disk)
    content = disk.read_bytes()
    return "".join(chr(content[n * SECTOR]) for n in range(4)), counts


def test_only_what_a_flush_covers_is_kept(tmp_path):
    assert disk_after(tmp_path, [
        (0, block("A"), 0), (1, block("B"), 0), (0, 0, blklog.FLUSH), (2, block("C"), 0),
    ]) == ("AB--", (2, 1))


def test_without_a_flush_nothing_is_kept(tmp_path):
    assert disk_after(tmp_path, [(0, block("A"), 0)])[0] == "----"


def test_a_write_with_fua_stands_by_itself(tmp_path):
    assert disk_after(tmp_path, [(0, block("A"), 0), (1, block("B"), blklog.FUA)])[0] == "-B--"


def test_a_flush_with_data_covers_only_what_came_before(tmp_path):
    assert disk_after(tmp_path, [
        (0, block("A"), 0), (1, block("B"), blklog.FLUSH),
    ])[0] == "A---"


def test_later_writes_win_over_earlier_ones(tmp_path):
    assert disk_after(tmp_path, [
        (0, block("A"), 0), (0, block("B"), blklog.FUA), (0, 0, blklog.FLUSH),
        (1, block("C"), blklog.FUA), (1, block("D"), 0),
    ])[0] == "BC--"


def test_a_discard_leaves_zeros(tmp_path):
    assert disk_after(tmp_path, [
        (0, block("A"), 0), (0, 1, blklog.DISCARD), (0, 0, blklog.FLUSH),
    ])[0] == "\0---"


def test_entries_after_the_last_count_are_found(tmp_path):
    assert disk_after(tmp_path, [
        (0, block("A"), 0), (0, 0, blklog.FLUSH), (1, block("B"), blklog.FUA),
    ], counted=2)[0] == "AB--"


def test_an_entry_cut_short_at_the_end_is_not_applied(tmp_path):
    log = tmp_path / "log"
    write_log(log, [(0, block("A"), 0), (0, 0, blklog.FLUSH), (1, block("B") * 2, blklog.FUA)],
              counted=2)
    log.write_bytes(log.read_bytes()[:-SECTOR])
    _, entries = blklog.read_log(log)
    assert len(entries) == 2


def test_a_hole_before_the_count_is_an_error(tmp_path):
    write_log(tmp_path / "log", [(0, block("A"), 0)], counted=3)
    with pytest.raises(blklog.LogError, match="3 entries are counted"):
        blklog.read_log(tmp_path / "log")


def test_something_else_is_not_taken_for_a_log(tmp_path):
    (tmp_path / "log").write_bytes(struct.pack("<QQQL", 1, 1, 0, SECTOR).ljust(SECTOR, b"\0"))
    with pytest.raises(blklog.LogError, match="not dm-log-writes"):
        blklog.read_log(tmp_path / "log")
