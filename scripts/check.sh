#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What `make check` does, part by part; the last line sums up: "N passed, N failed, N skipped".
# A part that fails does not stop the others.
set -u
cd "$(dirname "$0")/.." || exit 2
TALLY=$(mktemp) || exit 2
trap 'rm -f "$TALLY"' EXIT
: "${JOBS:=$(nproc 2>/dev/null || echo 2)}"
export TALLY JOBS
status=0
started=$(date +%s)

part() {
	name=$1
	shift
	echo "== $name ($(($(date +%s) - started)) s)"
	"$@" || { status=1; echo "== $name FAILED"; }
}

# A build or a linter counts as one test.
step() {
	if "$@"; then
		echo "1 0 0" >>"$TALLY"
	else
		echo "0 1 0" >>"$TALLY"
		return 1
	fi
}

# Variants of scenarios against their expectation: `ringside test` closes with the line we sum.
scenarios() {
	"$1/ringside" test --quiet --jobs "$JOBS" --db none scenarios >"$1/scenarios.out" 2>&1
	code=$?
	grep -v '^ok ' "$1/scenarios.out"
	sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' \
		"$1/scenarios.out" >>"$TALLY"
	return $code
}

# The conformance matrix, in short: few schedules a cell, one memory model.
matrix() {
	"$1/ringside" test --matrix --quiet --jobs "$JOBS" --memory sc --runs 30 --db none \
		scenarios/ring scenarios/plugin scenarios/kick \
		scenarios/suppress/packed-flags-content.lua >"$1/matrix.out" 2>&1
	code=$?
	grep -v '^ok ' "$1/matrix.out"
	sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' \
		"$1/matrix.out" >>"$TALLY"
	return $code
}

build() {
	step "${MAKE:-make}" -s -j"$JOBS" "$@"
}

part "build" build all
part "unit tests" "${MAKE:-make}" -s -j"$JOBS" unit
part "command line" "${MAKE:-make}" -s cli-tests
part "scenarios" scenarios build/release
part "conformance matrix, in short" matrix build/release
part "fuzz" "${MAKE:-make}" -s -j"$JOBS" fuzz
part "address and undefined behaviour sanitizers" "${MAKE:-make}" -s asan
part "hostile build" "${MAKE:-make}" -s hostile
part "scenarios, hostile" scenarios build/hostile
part "same digests by any build" step scripts/same-digests.sh
part "tidy" step "${MAKE:-make}" -s tidy

awk -v s="$(($(date +%s) - started))" '{ p += $1; f += $2; k += $3 }
	END {
		printf "in %d s\n%d passed, %d failed, %d skipped\n", s, p, f, k
		exit f > 0 || p == 0
	}' "$TALLY" || status=1
exit $status
