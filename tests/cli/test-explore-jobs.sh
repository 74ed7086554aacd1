#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# explore --jobs N: what N processes find, print and record is what one does.
. "$(dirname "$0")/lib.sh"
s=$data/lost-wakeup.lua

# All that is kept of a run but its times.
kept() {
	sqlite3 "$1" "SELECT scenario, variant, strategy, memory, datapath, seed, verdict, expected,
		schedules, complete, steps, sim_time_ns, digest FROM run;
		SELECT * FROM param; SELECT * FROM outcome; SELECT * FROM failure;
		SELECT * FROM violation; SELECT * FROM metric; SELECT count(*) FROM event"
}
# same WHAT SCENARIO option…: with 1, 2 and 3 processes.
same() {
	what=$1
	shift
	for jobs in 1 2 3; do
		rm -f j.db ./*.failure
		"$RINGSIDE" explore --jobs $jobs --db j.db --out f.failure "$@" >out$jobs 2>err$jobs
		echo "exit $?" >>out$jobs
		sed -i 's/ in [0-9.]* s ([0-9]*\/s)//' out$jobs
		{ kept j.db; cat err$jobs ./*.failure; } >kept$jobs 2>&1
	done
	for jobs in 2 3; do
		cmp -s out1 out$jobs || { fail "$what: --jobs $jobs prints"; diff out1 out$jobs | head -n 10; }
		cmp -s kept1 kept$jobs || { fail "$what: --jobs $jobs keeps"; diff kept1 kept$jobs | head -n 10; }
	done
}

# Half of the schedules fail, with up to 100 subjects: more than are kept, and told apart in order.
scenario many.lua <<'END'
return { name = "many", title = "t", evidence = { "e" }, steps_max = 2000,
	params = { of = { default = 100, min = 1, max = 1000, doc = "subjects" } },
	variants = { a = { expect = "hang", runs = 700 }, b = { expect = "ok" } },
	setup = function(p)
		local turn = 0
		for i = 1, 3 do
			actor("driver" .. i, function()
				point()
				turn = turn + i
				if turn == 3 and i == 1 then
					violate("lost-kick", "vq=" .. choice(p.of), "driver " .. i)
				end
				point()
			end)
		end
	end,
}
END
# The script is wrong, but only in some schedule: the first one is told, whoever meets it.
scenario wrong.lua <<'END'
return { name = "wrong", title = "t", evidence = { "e" },
	variants = { a = { expect = "hang", runs = 700 }, b = { expect = "ok" } },
	setup = function()
		actor("a", function() if choice(40) == 40 then nothing() end end)
	end,
}
END
scenario wrong-check.lua <<'END'
return { name = "wrong", title = "t", evidence = { "e" },
	variants = { a = { expect = "hang", runs = 700 }, b = { expect = "ok" } },
	setup = function() picked = 0; actor("a", function() picked = choice(40) end) end,
	check = function() if picked == 40 then nothing() end end,
}
END

for how in random "pct --depth 2" pos; do
	# shellcheck disable=SC2086
	same "$how, first failure" --strategy $how "$s:fails"
	# shellcheck disable=SC2086
	same "$how, holds" --strategy $how --runs 700 "$s:holds"
	# shellcheck disable=SC2086
	same "$how, all failures" --strategy $how --keep-going --runs 700 "$s:fails"
done
same "classes" --classes --runs 700 "$s:holds"
same "a shard" --shard 1/3 --keep-going --runs 900 "$s:fails"
same "fewer schedules than processes" --runs 2 "$s:holds"
same "many failures" --keep-going many.lua
same "many failures, few subjects" --keep-going --set of=3 many.lua
same "an error in a schedule" --runs 100000 wrong.lua
same "an error in a check" --runs 100000 wrong-check.lua
same "one schedule" --runs 1 "$s:fails"

# dpor: each process takes shards; what is cut off on the way is effort, and may differ.
ring=$here/../../scenarios/ring/wakeup-ring.lua
for memory in sc tso; do
	status 0 "$RINGSIDE" explore --db one.db --strategy dpor --memory $memory --set n=3 "$ring:sc"
	sed 's/ in [0-9.]* s ([0-9]*\/s)//; s/ ([0-9]* more were cut off by sleep sets)//' out >want
	for jobs in 2 3; do
		status 0 "$RINGSIDE" explore --db all.db --jobs $jobs --strategy dpor --memory $memory --set n=3 "$ring:sc"
		sed 's/ in [0-9.]* s ([0-9]*\/s)//; s/ ([0-9]* more were cut off by sleep sets)//' out >got
		cmp -s want got || { fail "dpor --jobs $jobs prints"; diff want got; }
	done
done
kept='SELECT memory, verdict, schedules, complete, steps FROM run GROUP BY 1, 2, 3, 4, 5'
[ "$(sqlite3 one.db "$kept")" = "$(sqlite3 all.db "$kept")" ] || fail "dpor --jobs records: $(sqlite3 all.db "$kept")"
same "dpor, first failure" --strategy dpor "$ring:no_recheck"
same "dpor, all failures" --strategy dpor --keep-going "$ring:no_recheck"
same "dpor, an error in a schedule" --strategy dpor wrong.lua
same "dpor, an error in a check" --strategy dpor wrong-check.lua

grep -q "learns from" err1 && fail "an indexed strategy can be shared"
status 0 "$RINGSIDE" explore --db none --strategy bounded --jobs 2 --runs 10 "$s:holds"
complains "bounded learns from one schedule for the next, one process is used"

# Seed and parameters are there before the first schedule, in one row; a signal ends all processes.
children() {
	pgrep -P "$1"
}
alive() { # a zombie is not
	ps -o stat= -p "$1" | grep -q '^[^Z]'
}
"$RINGSIDE" explore --jobs 3 --db k.db --seed 7 --runs 1000000000 "$s:holds" >out 2>err &
pid=$!
sleep 0.4
[ "$(sqlite3 k.db 'SELECT seed, verdict, count(*) FROM run')" = "7|unfinished|1" ] || fail "no row while it runs"
[ "$(children $pid | wc -l)" = 3 ] || fail "not 3 processes"
old=$(children $pid)
kill -TERM $pid
wait $pid
[ $? -eq 124 ] || fail "SIGTERM with --jobs"
says "interrupted"
[ "$(sqlite3 k.db 'SELECT verdict, schedules > 1000, count(*) FROM run')" = "budget|1|1" ] || fail "not committed"
for p in $old; do
	alive "$p" && fail "a process is left"
done

# The whole group gets it, twice: as ^C on a terminal.
"$RINGSIDE" explore --jobs 2 --db none --runs 1000000000 "$s:holds" >out 2>err &
pid=$!
sleep 0.3
# shellcheck disable=SC2046
kill -INT $(children $pid)
# shellcheck disable=SC2046
kill -TERM $pid $(children $pid)
wait $pid
[ $? -eq 124 ] || fail "a signal to all processes"

# One dies: which schedule it was at, and of what seed.
"$RINGSIDE" explore --jobs 2 --db c.db --seed 9 --runs 1000000000 "$s:holds" >out 2>err &
pid=$!
sleep 0.3
kill -KILL "$(children $pid | head -n 1)"
wait $pid
[ $? -eq 134 ] || fail "a crash of a process is not told"
grep -q "bug in Ringside: schedule [0-9]*: its process was killed by signal 9; strategy random, seed 9" err ||
	{ fail "a crash of a process is not told"; cat err; }
[ "$(sqlite3 c.db 'SELECT seed, verdict FROM run')" = "9|unfinished" ] || fail "the crashed run is not kept"

# The parent dies: so do they.
"$RINGSIDE" explore --jobs 2 --db none --runs 1000000000 "$s:holds" >out 2>err &
pid=$!
sleep 0.3
old=$(children $pid)
kill -KILL $pid
wait $pid 2>/dev/null
sleep 0.1
for p in $old; do
	alive "$p" && fail "a process outlives the parent"
done

# Interrupted, out of time: what was explored is counted.
"$RINGSIDE" explore --jobs 2 --db i.db --strategy dpor --memory tso --set n=12 "$ring:sc" >out 2>err &
pid=$!
sleep 0.4
kill -TERM $pid
wait $pid
[ $? -eq 124 ] || fail "SIGTERM with dpor --jobs"
says "interrupted"
[ "$(sqlite3 i.db 'SELECT verdict, schedules > 100, complete FROM run')" = "budget|1|0" ] || fail "dpor --jobs: not committed"
status 0 "$RINGSIDE" explore --jobs 2 --db none --strategy dpor --memory tso --set n=12 --time 300ms "$ring:sc"
says "dpor: not complete: "
status 0 "$RINGSIDE" explore --jobs 2 --db none --strategy dpor --runs 10 "$ring:sc"
complains "shards cannot share --runs or a --shard, one process is used"

status 124 "$RINGSIDE" explore --jobs 2 --db none --time 200ms --strategy pos "$s:fails" --set recheck=true --runs 1 --shard 1/2
status 0 "$RINGSIDE" explore --jobs 2 --db none --time 300ms "$s:holds"
finish
