#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kernel.sh CACHE OUT LOCK FRAGMENT...: puts the kernel for these fragments into OUT (bzImage,
# config, copyright), from the cache when it was compiled before. Does nothing, and touches
# nothing, when OUT has it already.
#
# A compiled kernel is filed under everything that goes into it: the source package, the options
# asked for (comments and order do not count), the compiler, and the steps of build.sh.
set -eu
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
cache=$1 out=$2 lock=$3
shift 3

source_line=$(grep '^linux-source-' "$lock")
key=$({
	echo "$source_line"
	echo "steps $BUILD_STEPS"
	options "$@"
	"${CC:-gcc}" --version | head -1
	ld --version | head -1
} | sha256sum | cut -c1-16)
[ "$(cat "$out/key" 2>/dev/null)" = "$key" ] && [ -e "$out/bzImage" ] && exit 0

read -r name version arch _ <<<"$source_line"
cached=$cache/kernel/$version-$key
if ! [ -e "$cached/bzImage" ]; then
	"$here/../rootfs/packages.py" fetch - "$lock" "$cache/packages" --only "$name"
	"$here/build.sh" "$cache/packages/${name}_${version//:/%3A}_$arch.deb" "$cached" \
		"$out/build" "$@"
else
	echo "[3/5] kernel: $version, compiled before (${cached##*/})"
fi
mkdir -p "$out"
rm -f "$out/key"
cp "$cached"/{config,copyright} "$out/"
cp "$cached/bzImage" "$out/bzImage.new"
mv "$out/bzImage.new" "$out/bzImage"
echo "$key" >"$out/key"
