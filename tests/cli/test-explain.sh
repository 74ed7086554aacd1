#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A failure says which two events decide, at which lines; and is followed when the code has changed.
. "$(dirname "$0")/lib.sh"
cp "$data/lost-wakeup.lua" lost.lua
root=$here/../..

# --- places, the critical pair ---------------------------------------------------------------------

for columns in 72 100; do
	status 1 "$RINGSIDE" explore --db none --columns $columns --out ring.failure \
		"$root/scenarios/ring/wakeup-ring.lua:no_recheck"
	says "ring.flag = 1"
	grep -q 'ring.idx = 1 .* ring_wakeup.c:[0-9][0-9]* release$' out || fail "no place at $columns columns"
	says "critical pair: "
	says "(producer,"
	sed -n '/^step /,/^replay:/p' out >page
	# Columns are characters.
	LC_ALL=C.UTF-8 awk -v max=$columns 'length($0) > max { exit 1 }' page ||
		fail "wider than $columns columns"
	[ "$(sed -n '/^step /,/^at the end/p' out | wc -l)" -le 40 ] || fail "more than 40 lines"
	grep -q "$(printf '\033')" out && fail "colour on a pipe"
done
grep -q '^critical: reads ring.flag -> 0 (producer' ring.failure || fail "the file has no critical pair"
[ "$(grep -c '^critical-stack: ring_wakeup_' ring.failure)" -eq 2 ] || fail "the file has no stacks"
grep -q '^build: [0-9a-f]\{40\}' ring.failure || fail "the file has no build"
status 0 "$RINGSIDE" show --format json ring.failure
says '"place":"ring_wakeup.c:'
says '"stack":["ring_wakeup_'
says '"access":"release"'
says '"critical":"'
status 0 "$RINGSIDE" show --format perfetto ring.failure
says '"stack":["ring_wakeup_'

# Stores that are late, and only those, are marked; so are loads of old values.
status 1 "$RINGSIDE" explore --db none --memory tso --out tso.failure \
	"$root/scenarios/ring/wakeup-ring.lua:sc_no_fences"
says "preemptions: 0, delayed stores: 1"
[ "$(grep -c '(buffered)' out)" -eq 1 ] || { fail "not one late store"; cat out; }
grep -q 'ring.idx = [12] (buffered) .* ring_wakeup.c:' out || fail "another store is late"
[ "$(sed -n '/(buffered)/,$p' out | grep -c 'flush ring.idx = ')" -ge 1 ] || fail "no flush"
says "critical pair: reads ring."
says "before flush ring."
# Two barriers are missing: one is not enough, and that is said.
says "barrier: no single one removes it"
passing=$(sed -n 's/^passing: //p' tso.failure)
status 0 "$RINGSIDE" run --db none --memory tso --set n=1 --schedule "$passing" \
	"$root/scenarios/ring/wakeup-ring.lua:sc_no_fences"
# One is missing: it is named, and it was tried.
lines=$root/sim/virtio/ring_wakeup.c
for side in producer:flag consumer:idx; do
	for model in tso weak; do
		status 1 "$RINGSIDE" explore --db none --memory $model --out one.failure \
			--set skip_${side%:*}_fence=true "$root/scenarios/ring/wakeup-ring.lua:sc"
		grep -q "^barrier: mb before the load of ring.${side#*:} (ring_wakeup_" out ||
			{ fail "no barrier for the ${side%:*} under $model"; grep ^barrier out; }
		tr -s '\n ' '  ' <out | grep -q 'removes it: ok in [0-9]* schedules, complete' ||
			fail "the barrier was not proved"
		grep -q '^barrier: mb before' one.failure || fail "not in the file"
		sed -n 's/^barrier: .*wakeup.c:\([0-9]*\)).*/\1/p' out >line
		sed -n "$(cat line)p" "$lines" | grep -q 'load' || fail "no load at line $(cat line)"
	done
done
status 1 "$RINGSIDE" explore --db none --memory weak --out weak.failure \
	"$root/scenarios/ring/wakeup-ring.lua:sc_no_fences"
says "(stale)"
# Fewer buffers, where as few fail the same way; and the file has them.
status 1 "$RINGSIDE" explore --db none --set n=5 --out few.failure \
	"$root/scenarios/ring/wakeup-ring.lua:no_recheck"
says "with 0 of 1 items seen"
grep -q '^param: n=1$' few.failure || fail "the file has other parameters"
status 1 "$RINGSIDE" replay --db none few.failure
says "critical pair: "
sed 's/buffers = "n"/buffers = "m"/' "$root/scenarios/ring/wakeup-ring.lua" >m.lua
status 2 "$RINGSIDE" explore --db none m.lua
complains "must be the name of a parameter that is a number"
for model in tso weak; do
	status 1 "$RINGSIDE" replay --db none $model.failure
	status 1 "$RINGSIDE" replay --db none --tolerant $model.failure
	says "guessed 0"
done

# Seed and parameters are there before the first schedule, and stay there when it is killed.
if command -v sqlite3 >/dev/null 2>&1; then
	"$RINGSIDE" explore --quiet --db kill.db --seed 4711 --set n=3 --runs 1000000000 \
		"$root/scenarios/ring/wakeup-ring.lua:sc" >/dev/null 2>&1 &
	pid=$!
	n=0
	until [ "$(sqlite3 kill.db 'SELECT count(*) FROM run' 2>/dev/null)" = 1 ] || [ $n -gt 100 ]; do
		sleep 0.05
		n=$((n + 1))
	done
	kill -9 $pid
	wait $pid 2>/dev/null
	[ "$(sqlite3 kill.db 'SELECT seed, verdict FROM run')" = "4711|unfinished" ] || fail "no row of a killed run"
	[ "$(sqlite3 kill.db "SELECT value FROM param WHERE name = 'n'")" = 3 ] || fail "no parameters of a killed run"
fi

# The other order of the two passes.
status 1 "$RINGSIDE" explore --db none lost.lua:fails
f=lost-wakeup-fails.failure
passing=$(sed -n 's/^passing: //p' $f)
[ -n "$passing" ] || fail "no passing schedule"
status 0 "$RINGSIDE" run --db none --schedule "$passing" lost.lua:fails
failing=$(sed -n 's/^schedule: //p' $f)
[ "$failing" != "$passing" ] || fail "passing is failing"

# --- tolerant --------------------------------------------------------------------------------------

status 1 "$RINGSIDE" replay --db none --tolerant $f
says "guessed 0"
# More happens before: the exact form is of no use, the keyed one is.
sed 's/^\(.*\)point() *$/\1for i = 1, 3 do point() end/' "$data/lost-wakeup.lua" >lost.lua
cmp -s lost.lua "$data/lost-wakeup.lua" && fail "the scenario is as it was"
status 3 "$RINGSIDE" replay --db none $f
status 1 "$RINGSIDE" replay --db none --tolerant $f
says "verdict: $(sed -n 's/^verdict: //p' $f)"
# Another build of the linked code says so, where that may be why.
sed 's/^build: .*/build: 0123/' $f >other.failure
status 3 "$RINGSIDE" replay --db none other.failure
complains "another build"
# What it waited for never comes: a guess, with its place.
sed 's/^\(at: [^|]*| \)[^|]*|/\1note nothing |/' $f >gone.failure
cmp -s $f gone.failure && fail "no key was changed"
"$RINGSIDE" replay --db none --tolerant gone.failure >out 2>err
says "guessed from choice "
# Without keys.
sed '/^at: /,/^[a-z]*:/{ /^at: /d; /^ /d; }' $f | grep -v '^at:' >exact.failure
status 2 "$RINGSIDE" replay --db none --tolerant exact.failure
complains "only the exact form"
sed 's/^at: .*/at: nonsense/' $f >broken.failure
status 2 "$RINGSIDE" replay --db none broken.failure
complains "broken.failure:"

# --- a corpus --------------------------------------------------------------------------------------

mkdir corpus
cp "$data/lost-wakeup.lua" lost.lua
cp $f corpus/a.failure
cp ring.failure corpus/b.failure
status 0 "$RINGSIDE" test --db none --corpus corpus
says "2 passed, 0 failed, 0 skipped"
status 0 "$RINGSIDE" test --db none --tap --junit junit.xml --jobs 2 --corpus corpus lost.lua
says "1..4"
says "ok 3 - corpus/a.failure"
grep -q 'classname="corpus/a.failure" name="replay"' junit.xml || fail "not in junit.xml"
# One that is said to be mended, which the code is not; and one that is broken.
{ grep -v '^end:' $f; echo "expect: ok"; echo "end: ringside-failure"; } >corpus/c.failure
echo "nothing" >corpus/d.failure
status 1 "$RINGSIDE" test --db none --corpus corpus
says "2 passed, 2 failed, 0 skipped"
says "expected ok, got "
says "ringside replay --tolerant corpus/c.failure"
says "no failure in here"
status 2 "$RINGSIDE" test --db none --corpus nowhere
status 2 "$RINGSIDE" test --db none
complains "usage"

# --- bisect ----------------------------------------------------------------------------------------

for pair in 0:0 1:1 2:125 3:125 77:125 124:125 134:125 9:125; do
	status "${pair#*:}" "$RINGSIDE" bisect -- sh -c "exit ${pair%:*}"
done
status 125 "$RINGSIDE" bisect -- sh -c 'kill -ABRT $$'
status 128 "$RINGSIDE" bisect -- sh -c 'kill -INT $$'
status 128 "$RINGSIDE" bisect -- ./there-is-no-such-command
complains "there-is-no-such-command"
status 1 "$RINGSIDE" bisect -- "$RINGSIDE" replay --db none --quiet $f
status 2 "$RINGSIDE" bisect

# In earnest: the commit that breaks it is found, one that does not load is skipped.
if command -v git >/dev/null 2>&1; then
	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b \
		GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	git init -q repo
	for n in 1 2 3 4 5 6 7; do
		case $n in
		1 | 2 | 3) sed 's/point()/-- point()/' "$data/lost-wakeup.lua" ;;
		4) echo "not Lua" ;;
		*) cat "$data/lost-wakeup.lua" ;;
		esac >repo/s.lua
		echo $n >repo/n
		git -C repo add -A && git -C repo commit -qm "change $n"
	done
	(
		cd repo && git bisect start HEAD HEAD~6 &&
			git bisect run "$RINGSIDE" bisect -- "$RINGSIDE" explore --db none --quiet \
				--out ../bisect.failure s.lua:fails
	) >out 2>&1
	grep -q "change [45]" out || { fail "git bisect"; cat out; }
fi
# Where memory was lost the picture has who wrote, hinted and sent the page, not how interrupts went.
scenarios=$here/../../scenarios
status 1 "$RINGSIDE" explore --db none --out f "$scenarios/balloon/hint-range.lua:start_is_length"
for what in "guest writes page 0x1, version 6" "hint: page 0x1, 1 pages; 1 need not be sent" "hinting stop"; do
	grep -qF "$what" out || { fail "lanes lack: $what"; cat out; }
done
grep -q "MSI to\|ISR status\|EOI" out && { fail "interrupts in a picture of lost memory"; cat out; }
status 1 "$RINGSIDE" explore --db none --out f "$scenarios/migration/xbzrle-zero.lua:zero_not_cached"
grep -qF "destination has page 0x0, garbage" out || { fail "what a wrong difference leaves is no version"; cat out; }
grep -q 281474976710655 out && fail "a version that nobody wrote"
status 1 "$RINGSIDE" explore --db none --out f "$scenarios/migration/throttle-stop.lua:uninterruptible"
grep -qF "vCPUs are throttled: 99 %" out || { fail "lanes lack the throttle"; cat out; }
test "$(grep -c "gfn 0x[0-9a-f]* dirty" out)" -lt 8 || { fail "pages that nothing is about"; cat out; }
finish
