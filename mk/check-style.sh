#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check-style.sh: the rules of the tree that a machine can check. Prints each fault, then a count.
set -u
cd "$(dirname "$0")/.."

mapfile -t c_files < <(git ls-files '*.c' '*.h')
mapfile -t sources < <(git ls-files '*.c')
mapfile -t all_files < <(git ls-files '*.c' '*.h' '*.py' '*.sh' '*.mk' Makefile)
faults=$(mktemp)
trap 'rm -f "$faults"' EXIT

echo "[1/5] form: clang-format"
clang-format --dry-run "${c_files[@]}" 2>&1 | grep 'warning:' | sed 's/ warning:.*/ not as clang-format -i leaves it/' | sort -u >>"$faults"

echo "[2/5] form: licence line, lines of at most 100 columns, files of at most 700 lines"
for f in "${all_files[@]}"; do
	[ -s "$f" ] || continue
	head -2 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' ||
		echo "$f:1: no SPDX line" >>"$faults"
done
for f in "${c_files[@]}"; do
	expand -t 8 "$f" | awk -v f="$f" 'length($0) > 100 && !/"/ { print f ":" NR ": " length($0) " columns" }' >>"$faults"
	case "$f" in *entities*.c) continue ;; esac
	lines=$(wc -l <"$f")
	[ "$lines" -le 700 ] || echo "$f:1: $lines lines: split it by its nouns" >>"$faults"
done

echo "[3/5] arrows: who may include whom"
# folder: the folders that it may not include (docs/architecture.md)
while read -r folder forbidden; do
	git grep -nE "#include \"($forbidden)/" -- "$folder" |
		sed 's/$/ : this arrow does not point down/' >>"$faults"
done <<'EOF'
lib model|fwrules|gateway|cli|console|update|relay
model fwrules|gateway|cli|console|update|relay
fwrules gateway|cli|console|update|relay
gateway cli|console|update|relay
cli fwrules|gateway|console|update|relay
relay model|fwrules|gateway|cli|console|update
console model|fwrules|gateway|cli|update|relay
EOF

echo "[4/5] cppcheck"
cppcheck --quiet --std=c11 --language=c -I. -D_GNU_SOURCE --inline-suppr -j "$(nproc)" \
	--enable=warning,performance,portability --suppressions-list=mk/cppcheck.suppress \
	--template='{file}:{line}: {message} [{id}]' "${sources[@]}" 2>>"$faults"

echo "[5/5] gcc -fanalyzer"
analyze() {
	gcc -std=c11 -D_GNU_SOURCE -O2 -I. -Wno-missing-field-initializers -fanalyzer -c -o /dev/null "$1" 2>&1 |
		grep -E 'warning:.*-Wanalyzer' | grep -vF -f <(grep -v '^#' mk/analyzer.suppress)
}
export -f analyze
printf '%s\n' "${sources[@]}" | grep -v '^tests/' | xargs -P "$(nproc)" -I{} bash -c 'analyze {}' >>"$faults"

cat "$faults"
n=$(wc -l <"$faults")
echo "style: $n faults in ${#all_files[@]} files"
[ "$n" -eq 0 ]
