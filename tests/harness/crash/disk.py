# SPDX-License-Identifier: GPL-2.0-or-later
"""What a power cut leaves of a directory, from the log that drop_unsynced.c wrote.

The model of a disk, as hard as POSIX lets it be and ext4 mostly is not:

- A file's bytes and size are on the disk up to its last flush. Of each write after that all, some
  of its 512-byte sectors, or nothing may be there, in no order (Cut.SOME), or nothing (Cut.NONE).
- A write of at most one sector is there whole or not at all.
- A write through O_DSYNC is there, without what was written before it.
- A name is on the disk once the directory was flushed after it was made, changed or unlinked; of
  the changes since, the first few may be there (a journal keeps their order).
- What a failed flush should have written may be there or not, and no later flush of the same file
  brings it.
"""
import enum
import os
import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
RECORD = struct.Struct("<BBHIQQ")
SECTOR = 512


class Cut(enum.Enum):
    NONE = "nothing that was not flushed"
    SOME = "some of what was not flushed"
    ALL = "everything: no power cut"


def build_layer(directory):
    """The preload library, built into a directory."""
    library = Path(directory) / "drop_unsynced.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror",
                    "-D_GNU_SOURCE", "-o", library, HERE / "drop_unsynced.c", "-ldl"], check=True)
    return library


def read_log(path):
    """The records of a log, as (kind, file, at, name, data); one cut short at the end is left out."""
    raw = memoryview(Path(path).read_bytes())
    at = 0
    while at + RECORD.size <= len(raw):
        kind, _, name_len, data_len, file, where = RECORD.unpack_from(raw, at)
        at += RECORD.size
        if at + name_len + data_len > len(raw):
            return
        name = bytes(raw[at:at + name_len]).decode()
        yield chr(kind), file, where, name, bytes(raw[at + name_len:at + name_len + data_len])
        at += name_len + data_len


class File:
    """One file: what is flushed, and what came since, in order."""

    def __init__(self, content=b""):
        self.flushed = bytearray(content)
        self.pending = []  # (kind, at, data)

    @staticmethod
    def apply(content, kind, at, data):
        if kind == "W":
            if len(content) < at:
                content.extend(bytes(at - len(content)))
            content[at:at + len(data)] = data
        elif kind == "T" and at < len(content):
            del content[at:]
        elif len(content) < at:
            content.extend(bytes(at - len(content)))

    def flush(self):
        for operation in self.pending:
            self.apply(self.flushed, *operation)
        self.pending.clear()

    def left(self, cut, rng):
        content = bytearray(self.flushed)
        for operation in self.pending:
            if cut is Cut.ALL:
                self.apply(content, *operation)
            elif cut is Cut.SOME:
                for part in torn(operation, rng):
                    self.apply(content, *part)
        return content

    def fail_flush(self, rng):
        """The kernel says once that a flush failed and drops what it could not write."""
        for operation in self.pending:
            for part in torn(operation, rng):
                self.apply(self.flushed, *part)
        self.pending.clear()


def torn(operation, rng):
    """Nothing, all, or some sectors of one operation."""
    kind, at, data = operation
    roll = rng.random()
    if roll < 0.4:
        return
    if roll < 0.8 or kind != "W":
        yield operation
        return
    start = 0
    while start < len(data):
        n = min(SECTOR - (at + start) % SECTOR, len(data) - start)
        if rng.random() < 0.5:
            yield kind, at + start, data[start:start + n]
        start += n


class Disk:
    """Feed it records; ask it at any time what a power cut would leave. rng decides what is left
    to chance. directory: where the process will begin, all of it flushed."""

    def __init__(self, rng, directory):
        self.rng = rng
        self.files = {}  # inode -> File
        self.names = {}
        for entry in os.scandir(directory):
            file = File(Path(entry.path).read_bytes())
            self.files[entry.inode()] = self.names[entry.name] = file
        self.flushed_names = dict(self.names)
        self.pending_names = []  # (kind, name, more)
        self.output = ""  # what the process has said

    def feed(self, kind, number, at, name, data):
        if kind == "K":
            self.output += data.decode(errors="replace")
        elif kind in "WTA":
            self.files[number].pending.append((kind, at, data))
        elif kind == "w":
            File.apply(self.files[number].flushed, "W", at, data)
        elif kind == "S":
            self.files[number].flush()
        elif kind == "F" and number in self.files:
            self.files[number].fail_flush(self.rng)
        elif kind == "D":
            self.flushed_names = dict(self.names)
            self.pending_names.clear()
        elif kind == "C":
            self.files[number] = self.names[name] = File()
            self.pending_names.append(("C", name, self.names[name]))
        elif kind == "R":
            self.names[data.decode()] = self.names.pop(name)
            self.pending_names.append(("R", name, data.decode()))
        elif kind == "U":
            self.names.pop(name, None)
            self.pending_names.append(("U", name, None))

    def left_names(self, cut):
        if cut is Cut.ALL:
            return self.names
        names = dict(self.flushed_names)
        count = self.rng.randint(0, len(self.pending_names)) if cut is Cut.SOME else 0
        for kind, name, more in self.pending_names[:count]:
            if kind == "C":
                names[name] = more
            elif name in names:
                file = names.pop(name)
                if kind == "R":
                    names[more] = file
        return names

    def write_to(self, directory, cut):
        """Replaces the directory's files by what is left."""
        for entry in os.scandir(directory):
            os.unlink(entry.path)
        for name, file in self.left_names(cut).items():
            content = file.left(cut, self.rng)
            with open(Path(directory, name), "wb") as f:
                f.write(content.rstrip(b"\0"))  # space that was only taken ahead stays a hole
                f.truncate(len(content))
