#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run TRACE of a machine: figures as metrics, and lines that the models disagree with as violations.
. "$(dirname "$0")/lib.sh"
traces=$here/../../traces
t=$traces/qemu-kvm-firmware-pc.log

status 0 "$RINGSIDE" run --db t.db "$t"
says "verdict: ok, the models disagree with 0 lines"
metric() {
	value=$(sqlite3 t.db "SELECT value FROM metric WHERE run_id = $1 AND name = '$2'")
	[ "$value" = "$3" ] || fail "run $1: $2 is $value, not $3"
}
metric 1 memslot_updates 37
metric 1 ioeventfd_assigned 13
metric 1 kicks 264
metric 1 completions 263
metric 1 lines_skipped 0

# A line taken out, another made up.
sed '700,$s/virtqueue_pop/no_such_event/' "$t" >holes.log
status 1 "$RINGSIDE" run --db t.db holes.log
says "verdict: spec-violation"
grep -q '^disagrees: line 70[0-9]: elem[0-9]*: a completion on vq0 of an element that was never popped$' out ||
	fail "the first completion without a pop is not named"
kept=$(sqlite3 t.db "SELECT count(*) FROM violation WHERE run_id = 2 AND oracle = 'INV-CONS'")
[ "$kept" -gt 100 ] || fail "$kept violations recorded"
metric 2 lines_skipped "$(grep -c no_such_event holes.log)"

# No time stamps: nothing is said of times.
sed 's/^[^:]*://' "$t" >order.log
status 0 "$RINGSIDE" run --db t.db order.log
says "no time stamps, so nothing is said of times"
grep -q duration out && fail "a duration without time stamps"
metric 3 pops 263
metric 3 duration ""

# The same again is the same run.
"$RINGSIDE" run --db none --trace '*' "$t" >one
"$RINGSIDE" run --db none --trace '*' "$t" | cmp -s - one || fail "two runs differ"
status 2 "$RINGSIDE" run --db none --set removal=no_sync "$t"
# What QEMU and the host's kernel saw of one boot, merged and replayed as one.
status 0 "$RINGSIDE" run --db merged.db "$here/../../traces/kvm-firmware.qemu.log" "$here/../../traces/kvm-firmware.ftrace.txt"
grep -q "by 6 events that agree" out || fail "not aligned"
for what in "memslot_updates *30" "userspace_exits *1490" "threads *5" "disagreements *0"; do
	grep -q "^  $what" out || { fail "merged: no $what"; cat out; }
done
status 2 "$RINGSIDE" run --db none "$here/../../traces/kvm-firmware.qemu.log" no-such.log
grep -q "no-such.log: cannot be opened" err || fail "which of them?"
status 2 "$RINGSIDE" run --db none a.lua b.lua
grep -q "one scenario at a time" err || fail "two scenarios"
finish
