#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# explore with each strategy: finds, says what it proved, keeps it in the database.
. "$(dirname "$0")/lib.sh"
s=$data/lost-wakeup.lua

for how in "pct --depth 2" pos "bounded --bound 1" "bounded --bound d1"; do
	# shellcheck disable=SC2086
	status 1 "$RINGSIDE" explore --strategy $how "$s:fails"
	says "verdict: hang"
	status 1 "$RINGSIDE" replay lost-wakeup-fails.failure
done

status 0 "$RINGSIDE" explore --strategy pct --depth 2 --runs 50 "$s:holds"
says "pct: a bug of depth 2 that scheduling alone decides is found with probability >= 1/(n k^1)"
status 0 "$RINGSIDE" explore --strategy pct --depth 2 --runs 50 --shard 1/2 "$s:holds"
says "ok after 25 schedules"

status 0 "$RINGSIDE" explore --strategy bounded --bound 0 "$s:holds"
says "bounded: exhausted within bound 0 (preemptions): "
[ "$(sqlite3 ringside.db 'SELECT complete FROM run ORDER BY id DESC LIMIT 1')" = 0 ] ||
	fail "exhausted within a bound is not complete"
status 0 "$RINGSIDE" explore --strategy bounded --bound 99 "$s:holds"
says ", complete"
says "bounded: exhausted: all "
[ "$(sqlite3 ringside.db 'SELECT complete FROM run ORDER BY id DESC LIMIT 1')" = 1 ] ||
	fail "exhausted is complete"

# A variant that wants all schedules is not content with a bound.
sed 's/runs = 2000/runs = "complete"/' "$s" >all.lua
status 1 "$RINGSIDE" test --strategy bounded --bound 0 all.lua
says "runs = \"complete\", but: exhausted within bound 0"
status 0 "$RINGSIDE" test --strategy bounded --bound 9 all.lua
says ", complete"

status 0 "$RINGSIDE" explore --help
says "random priorities"
status 2 "$RINGSIDE" explore --strategy pct --depth 0 "$s"
status 2 "$RINGSIDE" explore --strategy pct --depth 6 "$s"
complains "depth 6: must be from 1 to 5"
status 2 "$RINGSIDE" explore --strategy bounded --bound x "$s"
complains "--bound x: must be a number"
status 2 "$RINGSIDE" explore --strategy bounded --shard 0/2 "$s"
complains "cannot be sharded"

finish
