#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Predictions beside recordings that they were not fitted to: traces/migrate-limits, traces/migrate-hints.  The recorded
# figures are read from the recordings, the predicted ones from runs of the scenarios (analysis/predictions.lua); here is
# only how far they may be apart, and which are known to be.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)
predict() {
	lua5.4 "$root/analysis/predictions.lua" "$1" "$RINGSIDE" >"$1" 2>err || fail "$1: $(cat err)"
}

# The scenarios' tables are the fits of the recordings that they name, to the digit.
table() { # SCENARIO NAME
	sed -n "/^local $2 = {\$/,/^}\$/p" "$root/scenarios/migration/$1"
}
fitted() { # SCENARIO NAME RECORDING
	lua5.4 "$root/analysis/fit-migration.lua" "$root/traces/$3" "$2" >fit || fail "$3 cannot be fitted"
	table "$1" "$2" >there
	if ! [ -s there ] || ! cmp -s fit there; then
		fail "$1 has another $2 than $3: $(diff fit there)"
	fi
}
fitted predict-tcg-limits.lua CALIBRATION migrate-limits/16mib-100m-300ms.log
fitted predict-hinting-tcg.lua CALIBRATION migrate-hints/512-dirty-off.log
fitted predict-hinting-tcg.lua IDLE migrate-hints/512-idle-off.log

# far FILE FIGURE PERCENT: the recordings that are further than that from what was predicted.
far() {
	awk -F '\t' -v figure="$2" -v percent="$3" '
		$2 == figure { n++; if ($6 > percent || $6 < -percent) print $1 }
		END { if (!n) print "none" }' "$1" | tr '\n' ' '
}
expect_far() { # FILE FIGURE PERCENT RECORDINGS
	[ "$(far "$1" "$2" "$3")" = "$4" ] || fail "$1: $2 beyond $3 %: $(far "$1" "$2" "$3"), not $4"
}

predict limits
expect_far limits bitmap_syncs 10 "8mib-50m-100ms 16mib-100m-100ms 16mib-100m-300ms 16mib-400m-300ms "
expect_far limits total_time_ns 9 "16mib-100m-100ms 16mib-400m-300ms "
expect_far limits pages_sent 8 "16mib-100m-100ms "
[ "$(cut -f 1 limits | sort -u | wc -l)" -eq 14 ] || fail "recordings: $(cut -f 1 limits | sort -u)"
# One never ended, and the same one was to: it has no total time.
grep -q '^8mib-50m-100ms	total_time_ns' limits && fail "a migration that was cancelled has a total time"

predict hints
expect_far hints total_time_ns 13 "2048-dirty-on 8192-dirty-on "
expect_far hints pages_sent 12.5 "512-idle-on 1024-idle-on "
[ "$(cut -f 1 hints | sort -u | wc -l)" -eq 20 ] || fail "recordings: $(cut -f 1 hints | sort -u)"

# A guest that zeroes what it hints: all of it comes back at the second sync, as zeros.
zeroing=$root/traces/migrate-hints/1024-idle-on-init-on-alloc.log
"$RINGSIDE" compare --over init_on_alloc=true --set mib=1024 --beside "$zeroing" --db none \
	"$root/scenarios/migration/predict-hinting-tcg.lua:idle" >out 2>err || fail "init_on_alloc: $(cat err)"
grep -Eq '^bitmap_syncs  *([0-9]+)  *\1$' out || fail "init_on_alloc: $(grep syncs out)"
awk -v recorded="$(sed -n 's/^# .*;duplicate: \([0-9]*\) pages.*/\1/p' "$zeroing")" '
	$1 == "zero_pages" { d = 100 * ($3 - recorded) / recorded; ok = recorded > 0 && d < 5 && d > -5 }
	END { exit !ok }' out || fail "init_on_alloc: $(grep zero_pages out)"

# What was left out of the model before these recordings were there: with one time for all pages, with hints that never
# get in, and with content that does not grow, more is far away.
mkdir -p other/analysis other/scenarios/migration
ln -s "$root/traces" other/traces
cp "$root/analysis/predictions.lua" other/analysis
try() { # FILE FIGURE PERCENT SED: how many recordings are far then
	cp "$root"/scenarios/migration/predict* other/scenarios/migration
	sed "$4" "$root/scenarios/migration/$5" >"other/scenarios/migration/$5"
	! cmp -s "$root/scenarios/migration/$5" "other/scenarios/migration/$5" || fail "$4 changes nothing"
	lua5.4 other/analysis/predictions.lua "$1" "$RINGSIDE" >try 2>err || fail "$4: $(cat err)"
	far try "$2" "$3" | wc -w
}
[ "$(try limits total_time_ns 9 's/mig_first_ns = .*/mig_first_ns = 1,/' predict.inc)" -gt 3 ] ||
	fail "what a first page costs does not matter"
[ "$(try hints total_time_ns 13 's/m:hint(.*)/sleep(1)/' predict-hinting-tcg.lua)" -ge 8 ] || fail "hints do not matter"
[ "$(try hints pages_sent 12.5 's/STRUCT_PAGE = 64/STRUCT_PAGE = 0/' predict-hinting-tcg.lua)" -gt 3 ] ||
	fail "struct page does not matter"
[ "$(try hints pages_sent 12.5 's/local room = .*/local room = false/' predict-hinting-tcg.lua)" -ge 4 ] ||
	fail "where the file goes does not matter"
finish
