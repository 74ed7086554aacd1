#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# explore TRACE: orders between the threads of a recording in which something is lost, although the recording lost nothing.
. "$(dirname "$0")/lib.sh"
t=$here/../../traces/colo-memslot-2015.syslog

# Fetch, then delete: the recorded order is safe, and so is every order one deviation away.
status 0 "$RINGSIDE" run --quiet --db none --set removal=sync_first "$t"
status 0 "$RINGSIDE" explore --db t.db --set removal=sync_first --bound 1 "$t"
says "exhausted within bound 1 (deviations)"
# A write that comes between the fetch and the deletion of its slot is still lost.
status 1 "$RINGSIDE" explore --db t.db --set removal=sync_first "$t"
says "verdict: dirty-page-lost"
grep -q '^moved: line [0-9]*: vcpu writes gfn 0x[0-9a-f]*, within line [0-9]*: qemu deletes slot [0-9]*$' out ||
	fail "what was moved is not said"
cp out one
schedule=$(schedule_said)
kept=$(sqlite3 t.db "SELECT r.verdict, strategy, value, r.complete, v.schedule = '$schedule' FROM run r
	JOIN param ON param.run_id = r.id JOIN violation v ON v.run_id = r.id WHERE r.id = 2")
[ "$kept" = "dirty-page-lost|bounded|sync_first|0|1" ] || fail "not recorded as it was"
status 1 "$RINGSIDE" run --db t.db --set removal=sync_first --schedule "$schedule" "$t"
says "verdict: dirty-page-lost, 1 pages lost"
grep "^moved:" one >moved
grep "^moved:" out | head -n 10 | cmp -s - moved || fail "the schedule makes another order"
status 3 "$RINGSIDE" run --db none --set removal=slot_log_only --schedule "${schedule%:*}:0123456789abcdef" "$t"

# What loses by itself is told as that.
status 1 "$RINGSIDE" explore --db none --set removal=slot_log_only "$t"
says "found: schedule 0, the recorded order itself"
grep -q "^moved:" out && fail "something was moved in the recorded order"

for jobs in 1 2 3; do
	"$RINGSIDE" explore --db none --jobs $jobs --strategy random --set removal=sync_first "$t" | sed 's/ in [0-9.]* s//' >jobs$jobs
done
grep -q "verdict: dirty-page-lost" jobs1 || fail "random finds nothing"
cmp -s jobs1 jobs2 || fail "--jobs 2 finds another order"
cmp -s jobs1 jobs3 || fail "--jobs 3 finds another order"

status 2 "$RINGSIDE" explore --db none --strategy pct "$t"
complains "strategy pct has no plain run to depart from: use random or bounded"
status 2 "$RINGSIDE" explore --db none --set rounds=3 "$t"
complains "a recording has only: removal"
status 2 "$RINGSIDE" explore --db none no-such.syslog
finish
