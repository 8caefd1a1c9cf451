#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""packages.py lock LIST LOCK [--also NAME]... | fetch LIST LOCK CACHE [--only NAME]...

The Debian packages that the image is made of. LIST names them; LOCK pins each to a version and a
sha256 ("name version architecture sha256"); CACHE keeps the .deb files, whichever clone fetched
them. `fetch` gives exactly what is locked or fails; it never takes a newer version by itself. apt
has checked the archive's signatures by the time a checksum is known; the lock makes sure that
everybody who builds a commit builds from the same bytes. The kernel's source is locked like the
rest.
"""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

STEP = "[4/5] packages:"
ACCEPT = "make lock"


class Failure(Exception):
    """A message for the person at the terminal."""


def names_in(path):
    with open(path, encoding="utf-8") as lines:
        names = [line.split("#")[0].strip() for line in lines]
    return [name for name in names if name]


def read_lock(path):
    """{name: (version, architecture, sha256)}"""
    lock = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            fields = line.split("#")[0].split()
            if not fields:
                continue
            if len(fields) != 4 or len(fields[3]) != 64:
                raise Failure(f"{path}:{number}: '{line.strip()}' is not "
                              f"'name version architecture sha256'; `{ACCEPT}` writes it anew")
            lock[fields[0]] = tuple(fields[1:])
    return lock


def cached_name(name, version, arch):
    return f"{name}_{urllib.parse.quote(version, safe='+~')}_{arch}.deb"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as data:
        while block := data.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def offered(names):
    """What the archive offers: {name: [(version, architecture, sha256), ...]}, apt's choice first."""
    out = subprocess.run(["apt-cache", "show", *names], capture_output=True, text=True,
                         check=False).stdout
    found = {}
    for paragraph in out.split("\n\n"):
        field = dict(line.split(": ", 1) for line in paragraph.splitlines()
                     if ": " in line and not line.startswith(" "))
        if {"Package", "Version", "Architecture", "SHA256"} <= field.keys():
            found.setdefault(field["Package"], []).append(
                (field["Version"], field["Architecture"], field["SHA256"]))
    return found


def apt_update():
    """Renews apt's lists where we may; without the right to, the lists are taken as they are."""
    command = ["apt-get", "update", "-q"]
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            return
        command = ["sudo", "-n", *command]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def lock_command(args):
    apt_update()
    names = sorted(set(names_in(args.list)) | set(args.also))
    choice = offered(names)
    missing = [name for name in names if name not in choice]
    if missing:
        raise Failure(f"{args.list} names what the archive does not offer: {' '.join(missing)}")
    try:
        old = read_lock(args.lock)
    except (Failure, FileNotFoundError):
        old = {}
    lines = ["# Written by `make lock`: name version architecture sha256."]
    for name in names:
        version, arch, digest = choice[name][0]
        lines.append(f"{name} {version} {arch} {digest}")
        before = old.get(name, ("-",))[0]
        if before != version:
            print(f"  {name}: {before} -> {version}")
    for name in sorted(set(old) - set(names)):
        print(f"  {name}: {old[name][0]} -> -")
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(args.lock) or ".", delete=False,
                                     encoding="utf-8") as new:
        new.write("\n".join(lines) + "\n")
    os.chmod(new.name, 0o644)
    os.replace(new.name, args.lock)
    print(f"{args.lock}: {len(names)} packages; look at `git diff {args.lock}`, then commit it")


def download(names, lock, cache):
    """Fetches what it can of NAMES into CACHE; returns the names that apt did not bring."""
    left = []
    with tempfile.TemporaryDirectory(dir=cache, prefix=".new-") as new:
        user = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
        pinned = [f"{name}={lock[name][0]}" for name in names]
        subprocess.run(["apt-get", *user, "download", "-q", *pinned], cwd=new,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        got = {file.split("_")[0]: os.path.join(new, file) for file in os.listdir(new)}
        for name in names:
            version, arch, digest = lock[name]
            if name not in got:
                left.append(name)
                continue
            if sha256(got[name]) != digest:
                raise Failure(f"{name} {version} came with sha256 {sha256(got[name])}, but "
                              f"packages.lock has {digest}. An archive never changes a version: "
                              f"find out why before accepting it with `{ACCEPT}`")
            os.chmod(got[name], 0o644)
            os.replace(got[name], os.path.join(cache, cached_name(name, version, arch)))
    return left


def fetch_command(args):
    lock = read_lock(args.lock)
    names = args.only or names_in(args.list)
    unlocked = [name for name in names if name not in lock]
    if unlocked:
        raise Failure(f"not in {args.lock}: {' '.join(unlocked)}. Add them with: {ACCEPT}")
    os.makedirs(args.cache, exist_ok=True)

    wanted = []
    for name in names:
        version, arch, digest = lock[name]
        path = os.path.join(args.cache, cached_name(name, version, arch))
        if not os.path.exists(path):
            wanted.append(name)
        elif sha256(path) != digest:
            print(f"{STEP} {path} is damaged; fetching it again")
            os.unlink(path)
            wanted.append(name)
    if not wanted:
        return

    print(f"{STEP} fetching {len(wanted)} of {len(names)}", flush=True)
    left = download(wanted, lock, args.cache)
    if left:  # apt takes all or none, and knows no version newer than its lists
        apt_update()
        left = [name for name in left if download([name], lock, args.cache)]
    choice = offered(names)
    newer = [f"{name} {lock[name][0]} -> {choice[name][0][0]}" for name in names
             if name in choice and choice[name][0][0] != lock[name][0]]
    if left:
        lines = [f"  {name}: locked {lock[name][0]}, offered "
                 f"{choice[name][0][0] if name in choice else 'not at all'}" for name in left]
        raise Failure("the archive no longer has these (or cannot be reached):\n"
                      + "\n".join(lines) + f"\nAccept what it offers now with: {ACCEPT}")
    if newer:
        print(f"{STEP} newer versions are offered (accept them with: {ACCEPT}):")
        print("\n".join(f"  {line}" for line in newer))


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    lock = verbs.add_parser("lock")
    lock.add_argument("list")
    lock.add_argument("lock")
    lock.add_argument("--also", action="append", default=[])
    lock.set_defaults(run=lock_command)
    fetch = verbs.add_parser("fetch")
    fetch.add_argument("list")
    fetch.add_argument("lock")
    fetch.add_argument("cache")
    fetch.add_argument("--only", action="append")
    fetch.set_defaults(run=fetch_command)
    args = parser.parse_args()
    try:
        args.run(args)
    except Failure as failure:
        sys.stdout.flush()
        print(f"{STEP} {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
