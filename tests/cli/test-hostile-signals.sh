#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGINT and SIGTERM: the schedule is finished, what was found is committed, exit 124; a second one kills.
. "$(dirname "$0")/lib.sh"
s=$data/lost-wakeup.lua

# interrupted SIGNAL command…: what it exits with when the signal comes while it works.
interrupted() {
	signal=$1
	shift
	"$@" >out 2>err &
	pid=$!
	sleep 0.4
	kill -s "$signal" $pid
	wait $pid
	got=$?
	[ $got -eq 124 ] || { fail "exit $got after $signal: $*"; head -n 3 err; }
	if [ -s err ]; then fail "errors after $signal"; head -n 3 err; fi
}

sed 's/runs = 2000/runs = 1000000000/' "$s" >long.lua
for signal in INT TERM; do
	rm -f i.db
	interrupted $signal sh -c 'trap - INT; exec "$@"' sh "$RINGSIDE" explore --db i.db --runs 1000000000 "$s:holds"
	says "interrupted"
	[ "$(sqlite3 i.db 'PRAGMA integrity_check')" = ok ] || fail "the database is damaged after $signal"
	[ "$(sqlite3 i.db 'SELECT verdict, schedules > 100 FROM run')" = "budget|1" ] ||
		fail "the run is not committed after $signal: $(sqlite3 i.db 'SELECT verdict, schedules FROM run')"
	[ -e i.db-wal ] && fail "a log is left beside the database"
	interrupted $signal "$RINGSIDE" test --db none --jobs 2 long.lua
	tail -n 1 out | grep -qx '[0-9]* passed, 0 failed, [0-9]* skipped' || { fail "no summary after $signal"; tail -n 3 out; }
done

# A schedule that never ends: the second signal is the end.
scenario loop.lua <<'END'
return { name = "x", title = "t", evidence = { "e" }, steps_max = 1000000000,
	variants = { a = { expect = "hang" }, b = { expect = "ok" } },
	setup = function() actor("a", function() while true do sleep(1) end end) end,
}
END
"$RINGSIDE" explore --db none loop.lua >out 2>err &
pid=$!
sleep 0.3
kill -TERM $pid
sleep 0.2
kill -0 $pid || fail "gone at the first signal in the middle of a schedule"
kill -TERM $pid
wait $pid
[ $? -eq 143 ] || fail "not killed by the second signal"

# Found before the signal: kept.
"$RINGSIDE" explore --db k.db --keep-going --runs 1000000000 "$s" >out 2>err &
pid=$!
sleep 0.4
kill -TERM $pid
wait $pid
[ $? -eq 124 ] || fail "an interrupted exploration that found something"
[ "$(sqlite3 k.db 'SELECT count(*) > 0 FROM failure')" = 1 ] || fail "what was found before the signal is lost"
status 1 "$RINGSIDE" replay k.db#1
finish
