# SPDX-License-Identifier: GPL-2.0-or-later
"""How the image is built: the same bytes each time, from what is locked, with nothing lost."""
import hashlib
import os
import shutil
import subprocess
import sys

import pytest

from tests.harness.qemu import ROOT
from tests.image.conftest import build

sys.path.insert(0, str(ROOT / "rootfs"))
import assemble  # noqa: E402
import packages  # noqa: E402

FRAGMENTS = sorted((ROOT / "kernel-config").glob("*.cfg"))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "gatepost", "packages")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(*command, **how):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **how)


def test_the_image_is_the_same_bytes_from_another_folder(image, tmp_path):
    here = image("qemu-x86_64")
    copy = tmp_path / "elsewhere" / "tree"
    shutil.copytree(ROOT, copy, symlinks=True,
                    ignore=shutil.ignore_patterns("output", "__pycache__"))
    there = build("qemu-x86_64", copy)
    for name in ("rootfs.squashfs", "bzImage", "manifest.txt", "kernel.config"):
        assert sha256(here / name) == sha256(there / name), name


def test_the_manifest_names_every_package_with_version_and_licence(image):
    folder = image("qemu-x86_64")
    lock = packages.read_lock(ROOT / "rootfs" / "packages.lock")
    lines = [line.split(maxsplit=2) for line in (folder / "manifest.txt").read_text().splitlines()
             if not line.startswith("#")]
    named = {name: version for name, version, licence in lines if licence}
    assert {"gatepost", "linux-source-6.1", "libc6", "busybox-static", "runit"} <= named.keys()
    for name, version in named.items():
        if name != "gatepost":
            assert lock[name][0] == version
        if name not in ("gatepost", "linux-source-6.1"):
            assert (folder / "copyright" / name).stat().st_size > 0


def test_no_account_has_a_password_in_the_image(image):
    shadow = run("unsquashfs", "-cat", image("qemu-x86_64") / "rootfs.squashfs", "etc/shadow")
    assert shadow.returncode == 0 and "admin:" in shadow.stdout
    assert all(line.split(":")[1] == "!*" for line in shadow.stdout.splitlines())


# -- packages --------------------------------------------------------------------------------------


def fetch(tmp_path, lock_text, names, cache=None):
    (tmp_path / "list").write_text("\n".join(names) + "\n")
    (tmp_path / "lock").write_text(lock_text)
    return run(ROOT / "rootfs" / "packages.py", "fetch", tmp_path / "list", tmp_path / "lock",
               cache or tmp_path / "cache")


def locked(name):
    version, arch, digest = packages.read_lock(ROOT / "rootfs" / "packages.lock")[name]
    return version, arch, digest


def test_a_version_that_is_no_longer_offered_names_the_command_that_accepts(tmp_path):
    _, arch, digest = locked("netbase")
    done = fetch(tmp_path, f"netbase 0.0.1 {arch} {digest}\n", ["netbase"])
    assert done.returncode != 0
    assert "netbase: locked 0.0.1, offered" in done.stderr and "make lock" in done.stderr


def test_a_package_that_is_not_locked_names_the_command_that_accepts(tmp_path):
    done = fetch(tmp_path, "", ["netbase"])
    assert done.returncode != 0 and "netbase" in done.stderr and "make lock" in done.stderr


def test_bytes_that_differ_from_the_lock_are_refused(tmp_path):
    version, arch, _ = locked("netbase")
    done = fetch(tmp_path, f"netbase {version} {arch} {'0' * 64}\n", ["netbase"])
    assert done.returncode != 0 and "sha256" in done.stderr
    assert not list((tmp_path / "cache").glob("*.deb"))


def test_a_damaged_file_in_the_cache_is_fetched_again(tmp_path):
    version, arch, digest = locked("netbase")
    cache = tmp_path / "cache"
    cache.mkdir()
    deb = cache / packages.cached_name("netbase", version, arch)
    deb.write_bytes(b"damaged")
    done = fetch(tmp_path, f"netbase {version} {arch} {digest}\n", ["netbase"])
    assert done.returncode == 0, done.stderr
    assert sha256(deb) == digest


def test_a_line_that_is_no_lock_is_quoted(tmp_path):
    done = fetch(tmp_path, "netbase 6.4\n", ["netbase"])
    assert done.returncode != 0 and "'netbase 6.4'" in done.stderr


# -- the root --------------------------------------------------------------------------------------


def test_a_library_that_no_package_holds_is_named(image, tmp_path):
    image("qemu-x86_64")
    lock = packages.read_lock(ROOT / "rootfs" / "packages.lock")
    places = assemble.unpack(lock, ["nftables", "libc6"], CACHE, tmp_path / "unpacked")
    root = assemble.Root(assemble.index(places))
    root.add_kept("usr/sbin/nft")
    with pytest.raises(assemble.Failure, match="libnftables.so.1, which no package"):
        root.close()


def test_a_path_that_no_package_holds_is_named(tmp_path):
    root = assemble.Root({})
    with pytest.raises(assemble.Failure, match="/usr/sbin/absent"):
        root.add_kept("usr/sbin/absent")


# -- the kernel ------------------------------------------------------------------------------------


def check(config, *fragments):
    return run(ROOT / "kernel-config" / "check.sh", config, *fragments)


def test_every_option_that_was_asked_for_is_in_the_kernel(image):
    done = check(image("qemu-x86_64") / "kernel.config", *FRAGMENTS)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("wish", [
    "CONFIG_NO_SUCH_OPTION=y",         # a name that no kernel knows
    "CONFIG_NFT_OBJREF=m",             # another value than the kernel has
    "CONFIG_PANIC_TIMEOUT=6",
    "# CONFIG_INET is not set",        # off, but something else needs it
    "CONFIG_SQUASHFS = y",             # not an option line at all
])
def test_an_option_that_did_not_survive_fails_and_is_named(image, tmp_path, wish):
    fragment = tmp_path / "wish.cfg"
    fragment.write_text(f"# why\n{wish}\n")
    done = check(image("qemu-x86_64") / "kernel.config", fragment)
    assert done.returncode != 0
    assert wish in done.stdout and "wish.cfg" in done.stdout


def test_fragments_that_contradict_each_other_are_named(image, tmp_path):
    one, two = tmp_path / "one.cfg", tmp_path / "two.cfg"
    one.write_text("CONFIG_INET=y\n")
    two.write_text("# CONFIG_INET is not set\n")
    done = check(image("qemu-x86_64") / "kernel.config", one, two)
    assert done.returncode != 0 and "contradicts" in done.stdout


def test_comments_and_order_do_not_compile_a_kernel_again(tmp_path):
    def options(*paths):
        return run("bash", "-c", f'. {ROOT}/kernel-config/lib.sh; options "$@"', "-", *paths).stdout
    one, two = tmp_path / "one.cfg", tmp_path / "two.cfg"
    one.write_text("# about\nCONFIG_A=y\n# CONFIG_B is not set\n")
    two.write_text("# CONFIG_B is not set\n\n# another thought\nCONFIG_A=y\n")
    assert options(one) == options(two) != ""


def test_a_kernel_compiled_once_serves_every_clone(image, tmp_path):
    here = image("qemu-x86_64")
    done = run(ROOT / "kernel-config" / "kernel.sh", os.path.dirname(CACHE), tmp_path,
               ROOT / "rootfs" / "packages.lock", *FRAGMENTS)
    assert done.returncode == 0 and "compiled before" in done.stdout, done.stdout + done.stderr
    assert sha256(tmp_path / "bzImage") == sha256(here / "bzImage")
    before = (tmp_path / "bzImage").stat().st_mtime_ns
    again = run(ROOT / "kernel-config" / "kernel.sh", os.path.dirname(CACHE), tmp_path,
                ROOT / "rootfs" / "packages.lock", *FRAGMENTS)
    assert again.returncode == 0 and again.stdout == ""
    assert (tmp_path / "bzImage").stat().st_mtime_ns == before
