#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The 2015 recording: imported, replayed under each order of slot removal; damaged ones are refused.
. "$(dirname "$0")/lib.sh"
trace=$here/../../traces/colo-memslot-2015.syslog
[ -r "$trace" ] || { echo "the recording is not there"; exit 77; }

status 0 "$RINGSIDE" import --db x.db "$trace"
says "57 lines"
status 1 "$RINGSIDE" run --db x.db "$trace"
for gfn in 0xca 0xcb 0xcc; do
	says "lost gfn=$gfn "
done
says "verdict: dirty-page-lost, 3 pages lost"
status 0 "$RINGSIDE" run --db x.db --set removal=sync_first "$trace"
says "verdict: ok, 0 pages lost"
status 2 "$RINGSIDE" run --db none --set removal=never "$trace"
complains "sync_first"
status 2 "$RINGSIDE" run --db none --set order=never "$trace"
complains "a recording has only: removal"
status 2 "$RINGSIDE" run --db none --format ftrace "$trace"
complains "syslog"
sed 's/gfn=0xca is marked dirty/gfn=0xzz is marked dirty/' "$trace" >damaged
status 2 "$RINGSIDE" run --db none damaged
complains "damaged:"
status 2 "$RINGSIDE" import --db none /dev/null
if command -v sqlite3 >/dev/null; then
	lost=$(sqlite3 x.db "select group_concat(subject, ' ') from violation where run_id = 2")
	[ "$lost" = "gfn=0xca gfn=0xcb gfn=0xcc" ] || fail "recorded as lost: $lost"
fi
finish
