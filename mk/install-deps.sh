#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# install-deps.sh LIST: installs what LIST names and the machine lacks, as root or through sudo.
set -eu

mapfile -t wanted < <(sed 's/#.*//; /^[[:space:]]*$/d' "$1")
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii  *//p')
mapfile -t missing < <(printf '%s\n' "${wanted[@]}" | grep -vxF "$installed" || true)
[ "${#missing[@]}" -eq 0 ] && exit 0

echo "[deps] installing ${#missing[@]} packages: ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
	as_root=()
elif command -v sudo >/dev/null; then
	as_root=(sudo)
else
	echo "[deps] needs root or sudo to run: apt-get install ${missing[*]}" >&2
	exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update -q &&
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get install -yq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
	tail -20 "$log" >&2
	echo "[deps] apt-get failed (above); mend that, then run make again" >&2
	exit 1
fi
