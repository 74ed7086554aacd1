#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# explore TRACE of a migration: which pages another order between writes and slot updates loses, by era of QEMU.
. "$(dirname "$0")/lib.sh"
t=$here/../../traces/qemu-migrate-kvm-firmware.src.log

for era in 1.0 1.1 2.3 4.1; do
	status 1 "$RINGSIDE" explore --db t.db --set qemu=$era "$t"
	says "14 writes to 14 pages follow from the recording"
	says "verdict: dirty-page-lost"
	grep -q '^moved: a write to gfn 0x0 (sent again in line 308), within line 84: qemu deletes slot 0$' out ||
		fail "$era: not the plainest order"
	[ "$(grep -c '^moved:' out)" = 1 ] || fail "$era: more was moved than needed"
	grep '^pages that an order loses:' out >pages.$era || fail "$era: pages are not named"
	# The story, in lanes: written, and the slot dies with the note.
	says "gfn 0x0 dirty in slot 0"
	says "slot 0 dies with 1 dirty bits"
	schedule=$(schedule_said)
	status 1 "$RINGSIDE" run --db t.db --set qemu=$era --schedule "$schedule" "$t"
	says "moved: a write to gfn 0x0"
	says "verdict: dirty-page-lost"
done
# Without a fetch all of the deleted slots can go, with one what is written in between.
cmp -s pages.1.0 pages.1.1 || fail "1.0 and 1.1 differ"
cmp -s pages.2.3 pages.4.1 || fail "2.3 and 4.1 differ"
for page in $(sed 's/.*: //' pages.2.3); do
	grep -qw "$page" pages.1.0 || fail "$page is lost by 2.3 and not by 1.0"
done
[ "$(wc -w <pages.2.3)" -lt "$(wc -w <pages.1.0)" ] || fail "the fetch saves nothing"
# A new bitmap of ones saves all.
for era in 5.1 8.0; do
	status 0 "$RINGSIDE" explore --db t.db --set qemu=$era "$t"
	says "exhausted within bound 1 (deviations)"
done
# All eras come in turn.
status 1 "$RINGSIDE" explore --db none --quiet "$t"
status 2 "$RINGSIDE" explore --db none --set qemu=3.0 "$t"
complains "must be one of: 1.0 1.1 2.3 4.1 5.1 8.0"
status 2 "$RINGSIDE" explore --db none --set removal=no_sync "$t"
complains "a recording of a machine has only: qemu"
status 2 "$RINGSIDE" explore --db none "$here/../../traces/qemu-migrate-tcg-linux.src.log"
complains "no line tells of a memory slot"
status 2 "$RINGSIDE" run --db none --set qemu=2.3 "$t"
if command -v sqlite3 >/dev/null; then
	n=$(sqlite3 t.db "SELECT count(*) FROM metric JOIN run r ON r.id = run_id
		WHERE name = 'pages_lost' AND value = 0 AND r.verdict = 'ok'")
	[ "$n" = 2 ] || fail "$n runs that lost nothing recorded"
fi
finish
