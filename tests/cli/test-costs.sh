#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Timed mode charges what the cost table says, relaxed mode charges nothing, and YAML sets it too.
set -u
. "$(dirname "$0")/lib.sh"
scenario=$data/timed.lua

per_write() {
	"$RINGSIDE" run "$scenario:holds" --db none "$@" |
		sed -n 's/^metric: ns_per_write \([0-9]*\) ns$/\1/p'
}
fail() {
	echo "test-costs: $*"
	exit 1
}

cheap=$(per_write --set exit_ns=1000)
dear=$(per_write --set exit_ns=11000)
[ -n "$cheap" ] && [ "$cheap" -gt 1000 ] || fail "a write costs '$cheap' ns at 1,000 ns an exit"
# At most one exit a write on average: some doorbells are suppressed.
grew=$((dear - cheap))
[ "$grew" -gt 5000 ] && [ "$grew" -le 10000 ] || fail "10,000 ns more an exit cost $grew ns a write"

sed 's/mode = "timed"/mode = "relaxed"/' "$scenario" >"$work/relaxed.lua"
relaxed=$("$RINGSIDE" run "$work/relaxed.lua:holds" --db none | sed -n 's/^metric: ns_per_write //p')
[ "$relaxed" = "0 ns" ] || fail "relaxed mode charged $relaxed"

printf 'wakeup_ns: 50000\n' >"$work/slow.yaml"
slow=$(per_write --machine "$work/slow.yaml")
[ "$slow" -gt 40000 ] || fail "wakeup_ns of a machine file is not charged: $slow"
printf 'wakeup_ns: -1\n' >"$work/bad.yaml"
"$RINGSIDE" run "$scenario:holds" --db none --machine "$work/bad.yaml" >"$work/out" 2>&1
[ $? -eq 2 ] || fail "a negative cost is accepted"
grep -q 'bad.yaml:1:1: wakeup_ns: must be' "$work/out" || fail "$(cat "$work/out")"
