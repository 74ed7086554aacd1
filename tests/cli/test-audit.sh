#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `audit barriers`: what is needed under which model, and what it refuses.
. "$(dirname "$0")/lib.sh"

ring=$here/../../scenarios/ring/wakeup-ring.lua:tso

out=$("$RINGSIDE" audit barriers $ring --set n=1) || fail "audit under tso: exit $?"
needed=$(echo "$out" | grep -c "needed: lost-kick")
[ "$needed" = 2 ] || fail "under tso both full barriers are needed, not $needed: $out"
echo "$out" | grep "ring_wakeup_produce ring_wakeup.c:[0-9]*	mb	needed: lost-kick" >/dev/null ||
	fail "the producer's barrier has no function, file and line: $out"
echo "$out" | grep "	release	not shown to be needed	complete	exhausted: " >/dev/null ||
	fail "x86 keeps the order of stores: $out"
echo "$out" | tail -n 1 | grep "^2 needed, 4 not shown to be needed" >/dev/null || fail "summary: $out"

# Its schedule is one that replays: the exploration says so by itself.
line=$(echo "$out" | sed -n 's/.*ring_wakeup_consume.*mb	needed: lost-kick	[0-9]* picks	//p')
case $line in rs1:*) ;; *) fail "no schedule: $line" ;; esac

out=$("$RINGSIDE" audit barriers $ring --set n=1 --memory weak) || fail "audit under weak: exit $?"
for kind in release acquire; do
	echo "$out" | grep "	$kind	needed: memory-divergence" >/dev/null ||
		fail "under weak an item needs $kind: $out"
done

"$RINGSIDE" audit barriers $ring --memory sc >out 2>&1
[ $? = 2 ] || fail "sc has nothing to audit"
grep "give --memory tso or weak" out >/dev/null || fail "says not why: $(cat out)"
"$RINGSIDE" audit barriers ${ring%:*}:no_producer_fence >out 2>&1
[ $? = 2 ] || fail "a variant that fails cannot be audited"
grep "fails with all its barriers" out >/dev/null || fail "says not why: $(cat out)"
"$RINGSIDE" audit locks $ring >out 2>&1
[ $? = 2 ] || fail "audit locks"

exit $((failures > 0))
