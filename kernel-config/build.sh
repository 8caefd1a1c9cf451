#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh DEB CACHE_DIR BUILD_DIR FRAGMENT...: compiles the kernel once and keeps it.
#
# DEB is Debian's linux-source package; CACHE_DIR is the directory, named after everything that
# goes into the kernel (kernel.sh), that ends up with bzImage and config, or is left absent.
# It appears by one rename, so a clone beside this one finds it whole or not at all; a lock next
# to it lets the second of two wait for the first and then compile nothing.
set -eu
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
deb=$1 cached=$2 build=$3
shift 3

fail() {
	echo "[3/5] kernel: $*" >&2
	exit 1
}

mkdir -p "$(dirname "$cached")"
exec 9>"$cached.lock"
if ! flock -n 9; then
	echo "[3/5] kernel: another build is compiling this very kernel; waiting for it"
	flock 9
fi
[ -e "$cached/bzImage" ] && exit 0

jobs=$(nproc)
echo "[3/5] kernel: unpacking $(basename "$deb")"
unpack_source "$deb" "$build"
src=$build/src

echo "[3/5] kernel: merging $# fragments over tinyconfig"
merge_config "$src" "$@" || { cat "$build/merge.log" >&2; fail "the merge failed (above)"; }
"$here/check.sh" "$src/.config" "$@" >&2 ||
	fail "mend the options above in kernel-config/ (make menuconfig-kernel shows what they need)"

echo "[3/5] kernel: compiling, about $((14 / jobs + 1)) min on $jobs cores (log: $build/make.log)"
stamp=$(date -u -r "$build"/deb/usr/src/linux-source-*.tar.xz '+%Y-%m-%d %H:%M:%S UTC')
export KBUILD_BUILD_USER=gatepost KBUILD_BUILD_HOST=gatepost KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_TIMESTAMP=$stamp LC_ALL=C
if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
	make -s -C "$src" -j"$jobs" ARCH=x86_64 bzImage >"$build/make.log" 2>&1; then
	grep -E 'error|Error|\*\*\*' "$build/make.log" | head -20 >&2
	fail "the compiler failed (above, and $build/make.log); is the disk full (df -h)?"
fi

new=$(mktemp -d "$cached.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
cp "$src/arch/x86/boot/bzImage" "$src/.config" "$new/"
mv "$new/.config" "$new/config"
cp "$build"/deb/usr/share/doc/linux-source-*/copyright "$new/copyright"
chmod 755 "$new"
mv -T "$new" "$cached"
rm -rf "$build"
echo "[3/5] kernel: $(stat -c %s "$cached/bzImage") bytes"
