#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGKILL at any moment of run and explore loses no earlier run, and never damages the database.
. "$(dirname "$0")/lib.sh"
: "${KILLS:=25}"
s=$data/lost-wakeup.lua

status 1 "$RINGSIDE" explore --quiet --db k.db "$s"
before=$(sqlite3 k.db 'SELECT id, verdict, digest, uid FROM run; SELECT * FROM failure; SELECT count(*) FROM violation')
last=$(sqlite3 k.db 'SELECT max(id) FROM run')
n=0
while [ $n -lt "$KILLS" ]; do
	n=$((n + 1))
	case $((n % 3)) in
	0) "$RINGSIDE" run --quiet --db k.db --seed $n "$s:holds" >/dev/null 2>&1 & ;;
	1) "$RINGSIDE" explore --quiet --db k.db --keep-going --out k.failure "$s" >/dev/null 2>&1 & ;;
	2) "$RINGSIDE" explore --quiet --db k.db --runs 100000000 "$s:holds" >/dev/null 2>&1 & ;;
	esac
	pid=$!
	# From at once to a tenth of a second, not the same in each round.
	sleep "0.0$((n * 37 % 100 / 10))$((n * 37 % 10))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ "$(sqlite3 k.db 'PRAGMA integrity_check' 2>&1)" = ok ] || { fail "damaged after kill $n"; break; }
done
after=$(sqlite3 k.db "SELECT id, verdict, digest, uid FROM run WHERE id <= $last; SELECT * FROM failure WHERE run_id <= $last;
	SELECT count(*) FROM violation WHERE run_id <= $last")
[ "$before" = "$after" ] || fail "earlier runs are not what they were"
[ "$(sqlite3 k.db "SELECT count(*) FROM run WHERE verdict NOT IN ('ok', 'hang', 'budget', 'unfinished')")" = 0 ] ||
	fail "a verdict that is none"
[ "$(sqlite3 k.db "SELECT count(*) FROM run WHERE verdict = 'unfinished'")" -gt 0 ] || fail "no kill met a run"
status 1 "$RINGSIDE" explore --quiet --db k.db "$s"
status 1 "$RINGSIDE" replay k.db#1
find . -name '*.failure' -size 0 | grep -q . && fail "half a failure file"
finish
