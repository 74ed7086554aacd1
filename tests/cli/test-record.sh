#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# record-qemu.sh: a recording is made, says how, and is understood. Skipped without QEMU.
. "$(dirname "$0")/lib.sh"
record=$here/../../scripts/record-qemu.sh

status 2 "$record" nothing
complains "scripts/record-qemu.sh WHAT [OUT]"
status 77 env QEMU=no-such-qemu "$record" firmware out.log
complains "skipped: no no-such-qemu"

# Pages that were sent one after the other become one line, and the figures stay.
recording=$here/../../traces/qemu-migrate-tcg-linux.src.log
lua5.4 "$here/../../scripts/record-compact.lua" <"$recording" >small.log || fail "not compacted"
[ "$(wc -l <small.log)" -lt 2000 ] || fail "still $(wc -l <small.log) lines"
for log in "$recording" small.log; do
	status 0 "$RINGSIDE" run --db none "$log"
	grep -E '^  (pages_sent|bitmap_syncs|total_time_ns|downtime_ns) ' out >figures.$(basename "$log")
done
grep -q 'pages_sent  *28351 ' figures.small.log || fail "pages: $(cat figures.small.log)"
cmp -s figures.small.log figures.qemu-migrate-tcg-linux.src.log || fail "figures: $(cat figures.*)"

command -v qemu-system-x86_64 >/dev/null || {
	[ "$failures" -eq 0 ] || exit 1
	echo "skipped: no qemu-system-x86_64"
	exit 77
}
status 0 env ACCEL=tcg SECONDS_MAX=2 "$record" firmware fw.log
head -n 2 fw.log | grep -q '^# firmware: recorded by scripts/record-qemu.sh' || fail "its origin is not said"
grep -q '^# QEMU emulator version .* accel tcg$' fw.log || fail "of which QEMU is not said"
status 0 "$RINGSIDE" run --db none fw.log
says "format qemu"
says "the models disagree with 0 lines"
grep -q '  status_writes ' out || fail "no status write in $(wc -l <fw.log) lines"

# A migration, and what `info migrate` said of it.
if command -v python3 >/dev/null; then
	status 0 env ACCEL=tcg SECONDS_MAX=30 COMPACT=1 "$record" migrate mig.log
	grep -q '^# Migration status: completed;total time: [0-9]* ms;.*dirty sync count: ' mig.log ||
		fail "its figures are not said: $(grep '^#' mig.log)"
	status 0 "$RINGSIDE" run --db none mig.log
	grep -q '  bitmap_syncs ' out || fail "no sync in $(wc -l <mig.log) lines"
fi
finish
