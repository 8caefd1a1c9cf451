#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# brief.sh NAME: one line of what cmocka printed; all of it when a test failed.
out=$(cat)
passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' <<<"$out")
if [ -n "$passed" ] && ! grep -q '^\[  FAILED  \]' <<<"$out"; then
	printf '  TEST  %-32s %3d passed\n' "$1" "$passed"
	exit 0
fi
echo "$out"
printf '  TEST  %-32s FAILED\n' "$1"
exit 1
