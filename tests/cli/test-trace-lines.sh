#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# --trace: events as lines, by pattern.
. "$(dirname "$0")/lib.sh"
s=$data/lost-wakeup.lua
status 0 "$RINGSIDE" run --db none --trace '*' "$s"
says "waiter-2 [vm0] ..... 0.000000000: actor_block: on=the wake-up"
grep -c '\[vm0\]' out >all
status 0 "$RINGSIDE" run --db none --trace '*,-actor_*' "$s"
grep -q 'actor_block' out && fail "taken away, and printed"
says "note: round 1 seen"
status 0 "$RINGSIDE" run --db none --trace 'no_such' "$s"
grep -q '\[vm0\]' out && fail "an event that nobody asked for"
# The stored events are the printed ones.
if command -v sqlite3 >/dev/null; then
	status 0 "$RINGSIDE" run --db x.db --trace '*' "$s"
	n=$(sqlite3 x.db 'select count(*) from event')
	[ "$n" = "$(cat all)" ] || fail "$n events stored, $(cat all) printed"
fi
finish
