#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""assemble.py: lays out the root file system as a plain tree, without root.

In: the locked .deb files, the lists beside this script, the overlay, our programs, one board's
data. Out: TREE, ready for mksquashfs, and MANIFEST, which names every package that something in
TREE came from. The same input gives the same tree, byte for byte and time for time.

The root holds what keep.list names, our programs, and the shared libraries that those need: the
closure over the ELF files' DT_NEEDED entries. A library that no package of packages.list holds
is an error with its name; what nothing needs is left behind.
"""
import argparse
import fnmatch
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

import packages

LIBRARY_DIRS = ("usr/lib/x86_64-linux-gnu", "usr/lib", "usr/lib64")
MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
FOR_USERS = ("gatepost",)  # of our programs, those that go to /usr/bin
MOUNT_POINTS = ("config", "dev", "proc", "run", "sys", "tmp", "var", "root", "mnt")


class Failure(Exception):
    """A message for the person at the terminal."""


def unpack(lock, names, cache, unpacked):
    """Each package in a directory of its own, named after its checksum; kept between runs."""
    os.makedirs(unpacked, exist_ok=True)
    places = {}
    for name in names:
        version, arch, digest = lock[name]
        place = os.path.join(unpacked, f"{name}-{digest[:16]}")
        places[name] = place
        if os.path.isdir(place):
            continue
        deb = os.path.join(cache, packages.cached_name(name, version, arch))
        new = tempfile.mkdtemp(dir=unpacked, prefix=".new-")
        subprocess.run(["dpkg-deb", "-x", deb, new], check=True)
        os.chmod(new, 0o755)
        os.rename(new, place)
    return places


def merged(path):
    """A package's path after /bin, /sbin, /lib and /lib64 became links into /usr."""
    first, _, rest = path.partition("/")
    return f"{MERGED[first]}/{rest}" if first in MERGED and rest else path


def index(places):
    """{path in the root: (package, path on this machine)}"""
    pool = {}
    for name, place in sorted(places.items()):
        for folder, folders, files in os.walk(place):
            links = [entry for entry in folders if os.path.islink(os.path.join(folder, entry))]
            for entry in files + links:
                full = os.path.join(folder, entry)
                pool[merged(os.path.relpath(full, place))] = (name, full)
    return pool


def is_elf(path):
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as data:
        return data.read(4) == b"\x7fELF"


def needed(paths):
    """[(path, soname)] of every DT_NEEDED entry of the ELF files among PATHS."""
    paths = [path for path in paths if is_elf(path)]
    if not paths:
        return []
    out = subprocess.run(["readelf", "-dW", *paths], capture_output=True, text=True,
                         check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    pairs, current = [], paths[0]
    for line in out.splitlines():
        if line.startswith("File: "):
            current = line[6:]
        elif match := re.search(r"\(NEEDED\).*\[(.*)\]", line):
            pairs.append((current, match.group(1)))
    return pairs


class Root:
    """What goes into the tree: {path in the root: (package or None, path on this machine)}."""

    def __init__(self, pool):
        self.pool = pool
        self.files = {}

    def add_from_pool(self, path, why):
        """PATH, and what it points to when it is a link."""
        while True:
            if path not in self.pool:
                raise Failure(f"{why}: no package of packages.list holds /{path}")
            self.files[path] = self.pool[path]
            source = self.pool[path][1]
            if not os.path.islink(source):
                return
            target = os.readlink(source)
            joined = target.lstrip("/") if target.startswith("/") else \
                os.path.join(os.path.dirname(path), target)
            path = merged(os.path.normpath(joined))

    def add_kept(self, pattern):
        found = fnmatch.filter(self.pool, pattern) if "*" in pattern else [pattern]
        if not found:
            raise Failure(f"keep.list: nothing matches '{pattern}'")
        for path in found:
            self.add_from_pool(path, "keep.list")

    def close(self):
        """Adds libraries until nothing is missing."""
        seen = set()
        while True:
            fresh = [source for _, source in self.files.values() if source not in seen]
            seen.update(fresh)
            pairs = needed(fresh)
            if not pairs:
                return
            for user, soname in pairs:
                self.add_library(user, soname)

    def add_library(self, user, soname):
        for folder in LIBRARY_DIRS:
            path = f"{folder}/{soname}"
            if path in self.files:
                return
            if path in self.pool:
                self.add_from_pool(path, user)
                return
        raise Failure(f"{user} needs {soname}, which no package of packages.list holds; "
                      f"`apt-cache search {soname.split('.so')[0]}` may name it")


def copy_tree(source, tree):
    for folder, folders, files in os.walk(source):
        rel = os.path.relpath(folder, source)
        os.makedirs(os.path.join(tree, rel), exist_ok=True)
        links = [entry for entry in folders if os.path.islink(os.path.join(folder, entry))]
        for entry in files + links:
            if entry != ".gitignore":
                place(os.path.join(folder, entry), os.path.join(tree, rel, entry))


def place(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.lexists(target):
        os.unlink(target)
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    else:
        shutil.copyfile(source, target)
        os.chmod(target, 0o755 if os.stat(source).st_mode & stat.S_IXUSR else 0o644)


def place_program(source, target):
    """One of ours, without its debugging information; the build folder keeps that."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    subprocess.run(["strip", "--strip-unneeded", "-o", target, source], check=True)
    os.chmod(target, 0o755)


def write(tree, path, text):
    target = os.path.join(tree, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w", encoding="utf-8", newline="\n") as out:
        out.write(text)
    os.chmod(target, 0o644)


def write_accounts(tree, users):
    passwd, shadow, groups = [], [], {}
    with open(users, encoding="utf-8") as lines:
        for line in lines:
            fields = line.split("#")[0].split()
            if not fields:
                continue
            name, uid, group, home, shell = fields
            group, gid = group.split(":")
            groups[group] = gid
            passwd.append(f"{name}:x:{uid}:{gid}:{name}:{home}:{shell}\n")
            shadow.append(f"{name}:!*:19000:0:99999:7:::\n")
    groups["tty"] = "5"
    write(tree, "etc/passwd", "".join(passwd))
    write(tree, "etc/shadow", "".join(shadow))
    write(tree, "etc/group", "".join(f"{group}:x:{gid}:\n" for group, gid in groups.items()))


KEY_TYPES = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519@", "sk-ecdsa-sha2-")


def first_key(path):
    """The SSH public keys in PATH, one a line."""
    with open(path, encoding="utf-8") as lines:
        keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for key in keys:
        if not key.startswith(KEY_TYPES) or len(key.split()) < 2:
            raise Failure(f"ADMIN_KEY: {path}: '{key[:40]}' is not a public key; "
                          "it is one line that begins with, say, ssh-ed25519")
    if not keys:
        raise Failure(f"ADMIN_KEY: {path} holds no key")
    return "".join(f"{key}\n" for key in keys)


def first_hash(path):
    """The hash of the password in PATH's first line, or that line where it is a hash already."""
    with open(path, encoding="utf-8") as lines:
        word = lines.readline().rstrip("\r\n")
    if re.fullmatch(r"\$(6|y|7|5)\$[./A-Za-z0-9$=,]+", word):
        return word + "\n"
    if len(word) < 8:
        raise Failure(f"ADMIN_PASSWORD: the first line of {path} has {len(word)} characters; "
                      "a password has at least 8")
    return subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=word + "\n", text=True,
                          capture_output=True, check=True).stdout


def write_first_login(tree, args):
    """What admin may log in with from the first boot on, where whoever builds the image says so."""
    if args.admin_key:
        write(tree, "etc/gatepost/admin.keys", first_key(args.admin_key))
    if args.admin_password:
        write(tree, "etc/gatepost/admin.hash", first_hash(args.admin_password))
        os.chmod(os.path.join(tree, "etc/gatepost/admin.hash"), 0o600)


def link_applets(tree, applets):
    """Names BusyBox's applets, each where BusyBox itself would install it."""
    busybox = os.path.join(tree, "usr/bin/busybox")
    out = subprocess.run([busybox, "--list-full"], capture_output=True, text=True,
                         check=True).stdout
    where = {os.path.basename(path): merged(path) for path in out.split()}
    with open(applets, encoding="utf-8") as lines:
        wanted = [name for line in lines for name in line.split("#")[0].split()]
    for name in wanted:
        if name not in where:
            raise Failure(f"applets.list: this BusyBox has no '{name}'")
        taken = [folder for folder in ("usr/bin", "usr/sbin")
                 if os.path.lexists(os.path.join(tree, folder, name))]
        if not taken:
            target = os.path.join(tree, where[name])
            os.symlink(os.path.relpath(busybox, os.path.dirname(target)), target)


def write_certificates(tree, pool):
    """All of Mozilla's authorities in one file, in the order of their names."""
    parts = []
    for path in sorted(fnmatch.filter(pool, "usr/share/ca-certificates/mozilla/*.crt")):
        with open(pool[path][1], encoding="ascii") as data:
            parts.append(data.read().rstrip("\n") + "\n")
    if not parts:
        raise Failure("packages.list: no certificates found; is ca-certificates in it?")
    write(tree, "etc/ssl/certs/ca-certificates.crt", "".join(parts))
    os.symlink("certs/ca-certificates.crt", os.path.join(tree, "etc/ssl/cert.pem"))


def licence_of(text):
    """The licences that a Debian copyright file names, shortest useful form."""
    fields = re.findall(r"^License:[ \t]*(\S.*)$", text, re.M)
    names = {name.strip() for field in fields
             for name in re.split(r",? (?:and|or) |, ", field.strip())}
    if not names:
        names = set(re.findall(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9])", text))
    return ", ".join(sorted(names)) or "see its copyright file"


def write_manifest(path, contributed, lock, places, ours):
    """One line a package, and every copyright file beside the manifest."""
    texts = os.path.join(os.path.dirname(path), "copyright")
    shutil.rmtree(texts, ignore_errors=True)
    os.makedirs(texts)
    lines = ["# package, version, licences as its copyright file names them (folder copyright/)\n"]
    lines += [f"{name} {version} {licence}\n" for name, version, licence in ours]
    for name in sorted(contributed):
        source = os.path.join(places[name], "usr/share/doc", name, "copyright")
        with open(source, encoding="utf-8", errors="replace") as data:
            text = data.read()
        shutil.copyfile(source, os.path.join(texts, name))
        lines.append(f"{name} {lock[name][0]} {licence_of(text)}\n")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(lines)


def settle(tree, epoch):
    """One time and plain modes everywhere: nothing of the building machine is left."""
    for folder, folders, files in os.walk(tree, topdown=False):
        for entry in folders + files:
            full = os.path.join(folder, entry)
            os.utime(full, (epoch, epoch), follow_symlinks=False)
            if os.path.isdir(full) and not os.path.islink(full):
                os.chmod(full, 0o755)
    os.chmod(tree, 0o755)
    os.utime(tree, (epoch, epoch))


def assemble(args):
    here = os.path.dirname(os.path.abspath(__file__))
    lock = packages.read_lock(os.path.join(here, "packages.lock"))
    names = packages.names_in(os.path.join(here, "packages.list"))
    places = unpack(lock, names, args.cache, args.unpacked)
    pool = index(places)

    root = Root(pool)
    for pattern in packages.names_in(os.path.join(here, "keep.list")):
        root.add_kept(pattern)
    for program in args.program:
        name = os.path.basename(program)
        root.files[f"{'usr/bin' if name in FOR_USERS else 'usr/sbin'}/{name}"] = (None, program)
    root.add_from_pool("usr/lib64/ld-linux-x86-64.so.2", "the dynamic loader")
    root.close()

    tree = args.tree
    shutil.rmtree(tree, ignore_errors=True)
    for folder in (*MOUNT_POINTS, *MERGED.values(), "etc"):
        os.makedirs(os.path.join(tree, folder))
    for name, target in MERGED.items():
        os.symlink(target, os.path.join(tree, name))
    for path, (package, source) in root.files.items():
        (place if package else place_program)(source, os.path.join(tree, path))
    link_applets(tree, os.path.join(here, "applets.list"))
    write_certificates(tree, pool)
    write_accounts(tree, os.path.join(here, "users.list"))
    copy_tree(os.path.join(here, "overlay"), tree)
    for module in args.yang:
        place(module, os.path.join(tree, "usr/share/gatepost/yang", os.path.basename(module)))
    for entry in ("layout", "ports", "gatepost.conf"):
        place(os.path.join(args.board, entry), os.path.join(tree, "etc/gatepost", entry))
    write(tree, "etc/gatepost/release",
          f"VERSION={args.version}\nBOARD={os.path.basename(args.board)}\n"
          f"BUILD_TIME={args.epoch}\n")
    write_first_login(tree, args)
    settle(tree, args.epoch)

    contributed = {package for package, _ in root.files.values() if package}
    contributed.add("ca-certificates")
    kernel = ("linux-source-6.1", lock["linux-source-6.1"][0], "GPL-2")
    write_manifest(args.manifest, contributed, lock, places,
                   [("gatepost", args.version, "GPL-2.0-or-later"), kernel])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", required=True)
    parser.add_argument("--unpacked", required=True)
    parser.add_argument("--board", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--epoch", required=True, type=int)
    parser.add_argument("--version", required=True)
    parser.add_argument("--program", action="append", default=[])
    parser.add_argument("--yang", action="append", default=[])
    parser.add_argument("--admin-key")
    parser.add_argument("--admin-password")
    try:
        assemble(parser.parse_args())
    except (Failure, packages.Failure) as failure:
        print(f"[5/5] root: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
