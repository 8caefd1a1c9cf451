# SPDX-License-Identifier: GPL-2.0-or-later
"""What a disk holds after a power cut: only what a completed flush covers.

Killing QEMU loses nothing that the guest wrote, so it cannot show a missing fsync. QEMU's
blklogwrites driver records every write, discard and flush of a disk in order, in the format of
Linux's dm-log-writes (drivers/md/dm-log-writes.c, "log format"). replay() applies such a log to a
copy of the disk as it was before, and leaves out every write that the disk was free to forget:

    write A, write B, FLUSH, write C, write D with FUA      ->  A, B and D are on the disk, C is not

Log: a superblock (magic, version, entry count, sector size), then entries, each a header of one
sector (sector, sector count, flags, data length) followed by its data. All little-endian.
"""
import os
import struct
from dataclasses import dataclass

MAGIC = 0x6A736677736872
SUPER = struct.Struct("<QQQL")
ENTRY = struct.Struct("<QQQQ")
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


class LogError(Exception):
    """The log is damaged or was cut within an entry that later ones depend on."""


@dataclass
class Entry:
    """One request: SECTOR and COUNT in log sectors; DATA_AT is its data's place in the log."""
    sector: int
    count: int
    flags: int
    data_at: int


def read_log(path):
    """(sector size, entries) of the log at PATH.

    The superblock's count is renewed at each flush; entries after the last flush are found by
    walking on until the file ends or a header is blank. A header blank before the count is
    reached means that QEMU was killed between two writes of its own to the log.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as log:
        head = log.read(SUPER.size)
        if len(head) < SUPER.size:
            raise LogError(f"{path}: too short for a superblock")
        magic, version, counted, sector_size = SUPER.unpack(head)
        if magic != MAGIC or version != 1:
            raise LogError(f"{path}: magic {magic:#x} version {version} is not dm-log-writes 1")
        entries, at = [], sector_size
        while at + ENTRY.size <= size:
            log.seek(at)
            sector, count, flags, _ = fields = ENTRY.unpack(log.read(ENTRY.size))
            if not any(fields):
                break
            has_data = not flags & (DISCARD | MARK) and count > 0
            end = at + sector_size + (count * sector_size if has_data else 0)
            if end > size and has_data:
                break
            entries.append(Entry(sector, count, flags, at + sector_size))
            at = end
    if len(entries) < counted:
        raise LogError(f"{path}: {counted} entries are counted, but number {len(entries)} is blank")
    return sector_size, entries


def durable(entries):
    """Those of ENTRIES that a disk which loses its cache must still hold, in their order."""
    last_flush = max((n for n, entry in enumerate(entries) if entry.flags & FLUSH), default=-1)
    kept = []
    for n, entry in enumerate(entries):
        # A flush covers what came before it; its own data only with FUA.
        if n < last_flush or entry.flags & FUA:
            kept.append(entry)
    return kept


def replay(log_path, disk_path):
    """Applies the log's durable writes to the disk image DISK_PATH; returns (applied, dropped)."""
    sector_size, entries = read_log(log_path)
    writes = [entry for entry in entries if entry.count > 0 and not entry.flags & MARK]
    kept = [entry for entry in durable(entries) if entry.count > 0 and not entry.flags & MARK]
    with open(log_path, "rb") as log, open(disk_path, "r+b") as disk:
        for entry in kept:
            length = entry.count * sector_size
            if entry.flags & DISCARD:
                data = bytes(length)
            else:
                log.seek(entry.data_at)
                data = log.read(length)
            disk.seek(entry.sector * sector_size)
            disk.write(data)
    return len(kept), len(writes) - len(kept)
