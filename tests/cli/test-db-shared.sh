#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Several writers of one database; shards and workers, which find together what one finds alone.
. "$(dirname "$0")/lib.sh"
s=$data/lost-wakeup.lua

# Four at a time, one is a reader.
status 1 "$RINGSIDE" explore --quiet --db w.db "$s"
writers=""
for i in 1 2 3; do
	(
		for k in 1 2 3 4 5; do
			"$RINGSIDE" explore --quiet --db w.db --seed $i$k --out w$i.failure "$s" >/dev/null || [ $? -eq 1 ] || exit 9
		done
	) 2>err$i &
	writers="$writers $!"
done
for k in 1 2 3 4 5; do
	"$RINGSIDE" show w.db#1 >/dev/null || fail "cannot be read while others write"
done
for pid in $writers; do
	wait "$pid" || { fail "a writer failed"; cat err?; }
done
[ "$(sqlite3 w.db 'PRAGMA integrity_check; SELECT count(*), count(DISTINCT uid) FROM run')" = "ok
16|16" ] || fail "runs of several writers are missing"
[ "$(sqlite3 w.db "SELECT count(*) FROM run r WHERE verdict <> 'hang' OR NOT EXISTS
	(SELECT 1 FROM failure WHERE run_id = r.id)")" = 0 ] || fail "a run of several writers is not whole"

# Shards: the same failures, and all schedules between them.
found() {
	sqlite3 "$1" 'SELECT DISTINCT f.verdict, f.oracle, f.subject, f.schedule, f.schedule_no FROM failure f ORDER BY 5'
}
counts() {
	sqlite3 "$1" 'SELECT verdict, sum(schedules) FROM outcome GROUP BY 1 ORDER BY 1'
}
status 1 "$RINGSIDE" explore --quiet --keep-going --runs 900 --db one.db "$s"
for i in 0 1 2; do
	"$RINGSIDE" explore --quiet --keep-going --runs 900 --shard $i/3 --db shard$i.db --out s$i.failure "$s" >/dev/null
	[ $? -le 1 ] || fail "shard $i"
done
status 0 "$RINGSIDE" merge all.db shard0.db shard1.db shard2.db
says "3 runs came in"
[ "$(counts one.db)" = "$(counts all.db)" ] || fail "shards tried: $(counts all.db); one: $(counts one.db)"
found one.db | while read -r line; do
	found all.db | grep -qF "$line" || echo "$line"
done >lost
[ -s lost ] && fail "not found by the shards:" && cat lost
status 0 "$RINGSIDE" merge all.db shard0.db shard1.db shard2.db
says "0 runs came in"
# The same failures, met as often, first at the same schedule.
kinds() {
	sqlite3 "$1" 'SELECT verdict, oracle, subject, signature, min(schedule_no), schedule FROM failure GROUP BY 1, 2, 3, 4;
		SELECT sum(times) FROM failure'
}
[ "$(kinds one.db)" = "$(kinds all.db)" ] || fail "findings of shards: $(kinds all.db); of one: $(kinds one.db)"
# First failures: the lowest number of all shards is that of the whole.
for part in 0/1 0/3 1/3 2/3; do
	"$RINGSIDE" explore --quiet --seed 3 --shard $part --db "first${part%/*}${part#*/}.db" --out f.failure "$s" >/dev/null
done
status 0 "$RINGSIDE" merge first.db first03.db first13.db first23.db
first='SELECT schedule_no, schedule FROM failure ORDER BY 1 LIMIT 1'
[ "$(sqlite3 first.db "$first")" = "$(sqlite3 first01.db "$first")" ] || fail "the first failure of shards is another one"

# Workers: the same results in the same order.
status 0 "$RINGSIDE" test --quiet --db j1.db "$s" "$data"
sed 's/ in [0-9.]* *m*s.*//; s/([^)]*)//' out >one
status 0 "$RINGSIDE" test --quiet --jobs 4 --db j4.db "$s" "$data"
sed 's/ in [0-9.]* *m*s.*//; s/([^)]*)//' out >four
cmp -s one four || { fail "--jobs changes the results"; diff one four; }
runs='SELECT scenario, variant, verdict, schedules, steps, digest FROM run ORDER BY 1, 2, 3'
[ "$(sqlite3 j1.db "$runs")" = "$(sqlite3 j4.db "$runs")" ] || fail "--jobs changes what is recorded"

# Nothing is left where nothing is wanted.
mkdir empty && cd empty || exit 2
status 0 "$RINGSIDE" run --quiet --db none "$s"
rm -f out err
[ -z "$(ls -A)" ] || fail "--db none left something behind"
cd ..
finish
