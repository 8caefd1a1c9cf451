#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check.sh CONFIG FRAGMENT...: fails and names every option that a fragment asks for and CONFIG
# (a kernel's finished .config) does not have as asked.
#
# Kconfig drops what it cannot grant without a word: an option behind a menu that is off, one
# whose dependency is missing, one that a newer kernel renamed. A router that silently lacks
# its flowtable is found out in a rack, so it is found out here.
set -eu
config=$1
shift

awk '
function name(line) {
	sub(/^# /, "", line)
	sub(/[= ].*/, "", line)
	return line
}
/^CONFIG_[A-Za-z0-9_]+=/ || /^# CONFIG_[A-Za-z0-9_]+ is not set$/ {
	n = name($0)
	if (FILENAME == ARGV[1]) {
		have[n] = $0
		next
	}
	if (n in asked && asked[n] != $0) {
		printf "%s: \"%s\" contradicts \"%s\" in %s\n", FILENAME, $0, asked[n], where[n]
		bad++
	}
	asked[n] = $0
	where[n] = FILENAME
	off = ($0 ~ /^#/)
	if (off ? (n in have && have[n] !~ /^#/) : have[n] != $0) {
		printf "%s: \"%s\" did not survive: the kernel has %s\n", FILENAME, $0,
			(n in have ? "\"" have[n] "\"" : "no such option, or one it depends on is off")
		bad++
	}
	next
}
FILENAME != ARGV[1] && !/^#/ && !/^[ \t]*$/ {
	printf "%s:%d: \"%s\" is neither CONFIG_X=... nor \"# CONFIG_X is not set\"\n", FILENAME, FNR, $0
	bad++
}
END { exit bad > 0 }
' "$config" "$@"
