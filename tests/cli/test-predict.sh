#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Predictions beside what was recorded: `compare --beside` must show both under the same names, and they must agree
# within what is stated here; a model that was fitted wrongly must not.  Which figures were fitted and which predicted is
# said in the scenarios.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)
recording=$root/traces/qemu-migrate-tcg-linux.src.log

# agrees NAME PERCENT: the two columns of the last table, and that both are there.
agrees() {
	awk -v name="$1" -v percent="$2" '$1 == name {
		n = NF; p = $(n - 1); r = $n; found = 1
		if (p !~ /^[0-9]+$/ || r !~ /^[0-9]+$/ || r == 0) exit 1
		d = 100 * (p - r) / r
		ok = d <= percent && d >= -percent
	} END { exit !(found && ok) }' out
}

# The scenario's numbers are those of the recording.
lua5.4 "$root/analysis/fit-migration.lua" "$recording" >fit || fail "it cannot be fitted"
sed -n '/^local CALIBRATION = {$/,/^}$/p' "$root/scenarios/migration/predict-tcg-linux.lua" >there
if ! [ -s there ] || ! cmp -s fit there; then
	fail "the calibration is another: $(diff fit there)"
fi

# The recording's own limits: rounds to the one, pages within 6 %, times within 10 %.
beside() {
	"$RINGSIDE" compare --over bandwidth_mib_s=100 --beside "$recording" --db none "$1:as_recorded" >out 2>err ||
		fail "compare $1: $(cat err)"
}
beside "$root/scenarios/migration/predict-tcg-linux.lua"
agrees bitmap_syncs 0 || fail "rounds: $(grep bitmap_syncs out)"
agrees pages_sent 6 || fail "pages: $(grep pages_sent out)"
agrees total_time_ns 10 || fail "total time: $(grep total_time out)"
agrees downtime_ns 10 || fail "downtime: $(grep downtime out)"

cp "$root/scenarios/migration/predict.inc" .
# The same with half the file cold, and with a destination that need not allocate.
sed 's/^\t\t{ 9744, 1574 },$/\t\t{ 9744, 4 },/' "$root/scenarios/migration/predict-tcg-linux.lua" >cold.lua
beside cold.lua
agrees pages_sent 6 && fail "1500 hot pages fewer, and nobody noticed"
agrees downtime_ns 10 && fail "a downtime that does not depend on what is hot"
sed 's/first_ns = 20953/first_ns = 1/' "$root/scenarios/migration/predict-tcg-linux.lua" >fast.lua
beside fast.lua
agrees total_time_ns 10 && fail "what the destination allocates does not matter"

# What other limits do: the sums that QEMU's loop decides by.
"$RINGSIDE" compare --over downtime_ms=50,300 --set rewrite_s=30000 --db none \
	"$root/scenarios/migration/predict-tcg-linux.lua:as_recorded" >out 2>err
grep -q '^verdict  *livelock  *ok$' out || fail "limits: $(cat out err)"

# Free page hints: published times in ms beside those of the scenario, within so many percent.
hinting() { # FILE WITHOUT WITH PERCENT_WITHOUT PERCENT_WITH settings…
	file=$1 without=$2 with=$3 pc1=$4 pc2=$5
	shift 5
	"$RINGSIDE" compare --over hint=false,true "$@" --db none "$file:idle" >out 2>err || fail "hinting: $(cat err)"
	awk -v a="$without" -v b="$with" -v pa="$pc1" -v pb="$pc2" '
		function far(here, published, percent) {
			d = 100 * (here / 1e6 - published) / published
			return d > percent || d < -percent
		}
		$1 == "total_time_ns" { bad = far($3, a, pa) || far($4, b, pb); found = 1 }
		END { exit !found || bad }' out
}
hints=$root/scenarios/migration/predict-hinting.lua
hinting "$hints" 2970 620 1 1 || fail "v37 idle, fitted: $(grep total out)"
hinting "$hints" 4502 2273 1 7 --set load=compile || fail "v37 compile: fitted, predicted: $(grep total out)"
hinting "$hints" 1757 409 1 10 --set host_percent=59 || fail "v36 idle: fitted, predicted: $(grep total out)"
hinting "$hints" 2528 1407 5 5 --set host_percent=59 --set load=compile || fail "v36 compile: $(grep total out)"

# Hints that are late, as of a guest that takes 2 ms for a block, save less; and a host is a host.
sed 's/BLOCK_NS = 1024, 82000/BLOCK_NS = 1024, 2000000/' "$hints" >late.lua
hinting late.lua 2970 620 1 10 && fail "late hints made no difference"
hinting "$hints" 1757 409 10 10 && fail "v37 passes for v36"
finish
