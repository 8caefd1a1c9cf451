#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# menuconfig.sh CACHE BUILD_DIR LOCK FRAGMENT...: the kernel's own menu over the merged fragments.
# Afterwards it prints what was changed as lines for a fragment; nothing is written to the tree,
# because only a person knows which fragment a change belongs to, and why.
set -eu
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
cache=$1 build=$2 lock=$3
shift 3

read -r name version arch _ < <(grep '^linux-source-' "$lock")
"$here/../rootfs/packages.py" fetch - "$lock" "$cache/packages" --only "$name"
echo "unpacking $name $version"
unpack_source "$cache/packages/${name}_${version//:/%3A}_$arch.deb" "$build"
merge_config "$build/src" "$@" || { cat "$build/merge.log" >&2; exit 1; }
cp "$build/src/.config" "$build/before"
make -s -C "$build/src" ARCH=x86_64 "${MENU:-menuconfig}"

changed=$(LC_ALL=C comm -13 <(options "$build/before") <(options "$build/src/.config"))
rm -rf "$build"
if [ -z "$changed" ]; then
	echo "nothing was changed"
else
	echo "Put these lines into the fragment of kernel-config/ that they belong to:"
	echo "$changed"
fi
