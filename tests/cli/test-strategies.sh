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

# What is left, where it was not proved: of a search that was stopped, of draws.
ring=$here/../../scenarios/ring/wakeup-ring.lua
status 0 "$RINGSIDE" explore --strategy bounded --bound 3 --set n=3 --runs 300 --db left.db "$ring:sc"
says "bounded: not exhausted: all "
grep -q '^estimate: [0-9.e+]* ± [0-9.e+]* schedules in all, [0-9.e+]* % done$' out || fail "no estimate: $(cat out)"
# The truth: within three errors.
status 0 "$RINGSIDE" explore --strategy bounded --bound 3 --set n=3 --db left.db "$ring:sc"
says "bounded: exhausted within bound 3 (preemptions)"
grep -q "^estimate" out && fail "an estimate of what is known"
[ "$(sqlite3 left.db "SELECT abs(e.value - t.schedules) < 3 * s.value FROM metric e, metric s, run t
	WHERE e.name = 'explore.schedules_estimated' AND s.name = 'explore.schedules_estimated_error'
	AND t.id = 2")" = 1 ] || fail "the estimate is off"
status 0 "$RINGSIDE" explore --strategy dpor --set n=4 --runs 1000 --db none "$ring:sc"
says "dpor: not complete: 1000 executions"
grep -q '^estimate: [0-9.e+]* ± [0-9.e+]* schedules in all, [0-9.e+]* % done$' out || fail "no estimate: $(cat out)"
# Of a ring with 6 classes, 7 under TSO.
status 0 "$RINGSIDE" explore --classes --runs 3000 --set n=1 --db left.db "$ring:sc"
says "classes: 6 seen in 3000 schedules looked at; another schedule is of none of them with probability"
status 0 "$RINGSIDE" explore --classes --runs 5000 --set n=1 --memory tso --db none "$ring:sc"
says "classes: 7 seen in 5000 schedules looked at"
[ "$(sqlite3 left.db 'SELECT schedules, classes FROM progress ORDER BY run_id DESC, elapsed_ns DESC LIMIT 1')" = "3000|6" ] ||
	fail "no curve of classes"
status 0 "$RINGSIDE" explore --runs 1000 --db left.db "$ring:sc"
grep -q '^classes: [0-9]* seen in 259 schedules looked at; .* ± .*; at least [0-9]* ± [0-9]* classes in all$' out ||
	fail "no estimate of classes: $(cat out)"

status 0 "$RINGSIDE" explore --strategy states --memory tso --set n=3 --db states.db "$ring:sc"
states=$(sqlite3 states.db 'SELECT max(classes) FROM progress')
[ "states: exhausted: $states states" = "$(grep -o 'states: exhausted: [0-9]* states' out)" ] ||
	fail "states are not the classes of the curve: $(tail -n 1 out)"

# Complete where schedules are beyond counting, with the fences and without; what it finds replays.
status 0 "$RINGSIDE" explore --strategy states --memory tso --set n=8 --db none "$ring:tso"
says ", complete"
says "states: exhausted: "
for side in producer consumer; do
	status 1 "$RINGSIDE" explore --strategy states --set n=8 --db none --out states.failure "$ring:no_${side}_fence"
	says "verdict: lost-kick"
	status 1 "$RINGSIDE" replay states.failure
done

# Over time: the curve is in the database, and drawn.
status 0 "$RINGSIDE" explore --classes --set n=1 --time 400ms --db curve.db "$ring:sc"
[ "$(sqlite3 curve.db 'SELECT count(*) > 5, max(classes) FROM progress')" = "1|6" ] || fail "no curve over time"
if command -v gnuplot >/dev/null; then
	cp -r "$here/../../analysis" .
	status 0 "$RINGSIDE" plot --of exploration curve.db#1
	says "classes seen"
	status 0 "$RINGSIDE" plot --of exploration --out curve.svg curve.db#1
	grep -q "new classes a second" curve.svg || fail "no picture"
	status 2 "$RINGSIDE" plot --of nothing curve.db#1
	complains "must be one of: rings exploration"
fi

# Around a timed run: the order of each actor stays, who was first in time need not be.
scenario timed.lua <<'END'
return { name = "timed", title = "t", evidence = { "e" }, mode = "timed",
	variants = { a = { expect = "lost-kick", runs = 200 }, b = { expect = "ok" } },
	setup = function()
		local sent = 0
		actor("early", function() sleep(100) sent = 1 sleep(10) sent = 2 end)
		actor("late", function()
			work(200)
			expect(sent ~= 1, "spec-violation", "never", "seen in the middle")
			sleep(5)
			expect(sent == 2, "lost-kick", "x", "late came first")
		end)
	end,
}
END
status 0 "$RINGSIDE" explore --db none timed.lua
status 0 "$RINGSIDE" explore --db none --around --strategy bounded --bound 0 timed.lua
says "bounded: exhausted within bound 0 (deviations): 1 schedules"
status 1 "$RINGSIDE" explore --db none --around --keep-going --strategy bounded --bound 2 timed.lua
says "late came first"
says "seen in the middle"
status 1 "$RINGSIDE" replay timed-a.failure
grep -qx "mode: around" timed-a.failure || fail "the failure does not say that it is around a run"
status 1 "$RINGSIDE" explore --db none --around --jobs 2 timed.lua
status 2 "$RINGSIDE" explore --db none --around "$s"
complains "is in mode relaxed, where no order is the one that time gives"
status 2 "$RINGSIDE" explore --db none --around --strategy pos timed.lua
complains "strategy pos has no plain run to depart from: use random or bounded"

# A variant that wants all schedules is not content with a bound.
sed 's/runs = 2000/runs = "complete"/' "$s" >all.lua
status 1 "$RINGSIDE" test --strategy bounded --bound 0 all.lua
says "runs = \"complete\", but: exhausted within bound 0"
status 0 "$RINGSIDE" test --strategy bounded --bound 9 all.lua
says ", complete"

# The wake-up ring: as many executions as two other tools count.
ring=$here/../../scenarios/ring/wakeup-ring.lua
for known in sc:1:6 sc:2:45 sc:3:354 tso:1:7 tso:2:64 tso:3:599; do
	memory=${known%%:*} n=${known#*:} count=${known##*:}
	n=${n%:*}
	status 0 "$RINGSIDE" explore --strategy dpor --memory "$memory" --set "n=$n" "$ring:sc"
	says "dpor: complete: $count executions"
	[ "$(sqlite3 ringside.db 'SELECT schedules, complete FROM run ORDER BY id DESC LIMIT 1')" = "$count|1" ] ||
		fail "run.schedules is not $count for n=$n under $memory, or run.complete not 1"
	[ "$n" = 1 ] && continue
	for part in 0 1 2; do
		status 0 "$RINGSIDE" explore --strategy dpor --memory "$memory" --set "n=$n" --shard $part/3 "$ring:sc"
		says "in shard $part/3"
	done
	[ "$(sqlite3 ringside.db 'SELECT sum(schedules) FROM (SELECT schedules FROM run ORDER BY id DESC LIMIT 3)')" = "$count" ] ||
		fail "three shards of $memory, n=$n are not $count executions in all"
done
for fence in producer consumer; do
	status 1 "$RINGSIDE" explore --quiet --strategy dpor "$ring:no_${fence}_fence"
	status 0 "$RINGSIDE" explore --strategy dpor --memory sc "$ring:no_${fence}_fence"
	says "dpor: complete: 45 executions"
done
status 0 "$RINGSIDE" explore --strategy dpor --runs 20 --set n=4 "$ring:sc"
says "dpor: not complete: 20 executions"

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
