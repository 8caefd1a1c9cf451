# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh: what kernel.sh, build.sh and menuconfig.sh share. Sourced, with $here this folder.

# Raise this when the steps of build.sh change what comes out: kernels in caches are filed under it.
BUILD_STEPS=1

# unpack DEB DIR: the kernel source of the Debian package DEB into DIR, without what no kernel for
# these boards compiles (leave-out.list; Kconfig files and makefiles all come along).
unpack_source() {
	local deb=$1 dir=$2
	rm -rf "$dir"
	mkdir -p "$dir/deb" "$dir/src"
	dpkg-deb -x "$deb" "$dir/deb"
	tar -xf "$dir"/deb/usr/src/linux-source-*.tar.xz -C "$dir/src" --strip-components=1 \
		-X "$here/leave-out.list"
}

# options FRAGMENT...: the option lines alone, sorted, each once: what the merge comes down to.
options() {
	grep -hE '^(CONFIG_[A-Za-z0-9_]+=.*|# CONFIG_[A-Za-z0-9_]+ is not set)$' "$@" | LC_ALL=C sort -u
}

# merge SRC FRAGMENT...: writes SRC/.config, tinyconfig with the fragments over it.
merge_config() {
	local src=$1
	shift
	make -s -C "$src" ARCH=x86_64 tinyconfig >"$src/../merge.log" 2>&1 &&
	options "$@" >>"$src/.config" &&
	make -s -C "$src" ARCH=x86_64 olddefconfig >>"$src/../merge.log" 2>&1
}
