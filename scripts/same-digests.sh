#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The same scenario, parameters and schedule give the same run, bit for bit: under other addresses,
# another locale, another optimisation level, another compiler.  Runs every scenario with some seeds
# in each build and environment and compares the digests.  SEEDS and FILTER narrow it down.
set -u
cd "$(dirname "$0")/.." || exit 2
: "${SEEDS:=1 2}" "${FILTER:=}" "${JOBS:=$(nproc 2>/dev/null || echo 2)}"
make=${MAKE:-make}
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT

$make -s -j"$JOBS" CONFIG=release build/release/ringside || exit 2
$make -s -j"$JOBS" CONFIG=debug build/debug/ringside || exit 2
if command -v clang >/dev/null 2>&1; then
	$make -s -j"$JOBS" CONFIG=clang CC=clang build/clang/ringside || exit 2
fi

# Their names begin a line; what is said of them is indented.
build/release/ringside scenarios 2>/dev/null | sed -n 's/^\([^ ]*\.lua\)$/\1/p' |
	grep -F "$FILTER" >"$dir/list"
[ -s "$dir/list" ] || { echo "same-digests: no scenario matches"; exit 2; }

# $1: where to write; the rest: the program with its prefix
digests() {
	out=$1
	shift
	for seed in $SEEDS; do
		xargs -P "$JOBS" -I '{}' sh -c '
			scenario=$1 seed=$2
			shift 2
			"$@" run "$scenario" --seed "$seed" --db none 2>&1 </dev/null |
				sed -n "s|^digest: |$scenario $seed |p"
		' digests '{}' "$seed" "$@" <"$dir/list"
	done | sort >"$out"
}

status=0
compare() {
	if ! cmp -s "$dir/reference" "$dir/other"; then
		echo "digests differ: $1"
		diff "$dir/reference" "$dir/other" | head -n 10
		status=1
	fi
}

digests "$dir/reference" build/release/ringside
lines=$(wc -l <"$dir/reference")
[ "$lines" -gt 0 ] || { echo "same-digests: no digest was printed"; exit 1; }
digests "$dir/other" env LC_ALL=tr_TR.UTF-8 TZ=Pacific/Kiritimati build/release/ringside
compare "another locale, another address space layout"
if setarch "$(uname -m)" -R true 2>/dev/null; then
	digests "$dir/other" setarch "$(uname -m)" -R build/release/ringside
	compare "without address space randomisation"
fi
digests "$dir/other" build/debug/ringside
compare "gcc -O0"
if [ -x build/clang/ringside ]; then
	digests "$dir/other" build/clang/ringside
	compare "clang -O2"
fi
[ "$status" -eq 0 ] && echo "$lines digests, the same in every build and environment"
exit $status
