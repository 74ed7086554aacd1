#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ringside test: expectations, TAP, JUnit, processes, interruption.
. "$(dirname "$0")/lib.sh"
mkdir set
cp "$data/lost-wakeup.lua" set/good.lua
sed 's/expect = "hang"/expect = "lost-kick"/' "$data/lost-wakeup.lua" >set/other.lua
sed 's/recheck = true/recheck = false/' "$data/lost-wakeup.lua" >set/leaky.lua
sed 's/runs = 2000/runs = "complete"/' "$data/lost-wakeup.lua" >set/complete.lua
echo 'return {' >set/broken.lua
echo 'error("never run")' >set/_shared.lua

status 0 "$RINGSIDE" test --db none set/good.lua
[ "$(tail -n 1 out)" = "2 passed, 0 failed, 0 skipped" ] || fail "last line: $(tail -n 1 out)"
status 1 "$RINGSIDE" test --db none set
[ "$(tail -n 1 out)" = "5 passed, 3 failed, 1 skipped" ] || fail "last line: $(tail -n 1 out)"
says "FAIL set/broken.lua  set/broken.lua:2:"
says "FAIL set/leaky.lua:holds  expected ok, found hang"
says "FAIL set/other.lua:fails  expected lost-kick, found hang"
says "SKIP set/complete.lua:holds"
sed 's/(.*//' out >one
status 1 "$RINGSIDE" test --db none --jobs 3 set
sed 's/(.*//' out | cmp -s - one || fail "other results with three processes"
status 2 "$RINGSIDE" test --db none no-such-folder
mkdir empty
status 2 "$RINGSIDE" test --db none empty
complains "there is no scenario there"

status 1 "$RINGSIDE" test --db none --tap set
says "1..9"
says "repro: \"ringside explore set/leaky.lua:holds --seed 1"
if command -v prove >/dev/null; then
	prove -e cat out >proved 2>&1 && fail "prove says all is well"
	grep -q 'Failed 3/9' proved || { fail "prove counts otherwise"; cat proved; }
	"$RINGSIDE" test --db none --tap set/good.lua >good.tap
	prove -e cat good.tap >/dev/null || fail "prove does not take our TAP"
fi
status 1 "$RINGSIDE" test --db none --junit out.xml set
if command -v xmllint >/dev/null; then
	xmllint --noout out.xml || fail "JUnit is not well-formed"
	n=$(xmllint --xpath 'string(/testsuite/@failures)' out.xml)
	[ "$n" = 3 ] || fail "JUnit counts $n failures"
fi

# Interrupted: 124, and what was recorded is there.
sed 's/runs = 2000/runs = 2000000000/' "$data/lost-wakeup.lua" >long.lua
"$RINGSIDE" explore --db long.db long.lua:holds >out 2>err &
sleep 1
kill -TERM $!
wait $!
[ $? -eq 124 ] || fail "an interrupted exploration does not end with 124"
says "interrupted"
"$RINGSIDE" test --db none --jobs 2 long.lua >out 2>err &
sleep 1
kill -INT $!
wait $!
[ $? -eq 124 ] || fail "an interrupted test does not end with 124"

# A time budget without a failure holds; a test cut off by it is skipped.
status 0 "$RINGSIDE" explore --db none --time 200ms long.lua:holds
status 0 "$RINGSIDE" test --db none --time 200ms long.lua
says "1 passed, 0 failed, 1 skipped"
# A run that is cut off has no verdict.
scenario short.lua <<'END'
return {
	name = "short", title = "goes on for ever, and gets things done", evidence = { "e" },
	steps_max = 100,
	variants = { a = { expect = "hang" }, b = { expect = "ok", runs = 10 } },
	setup = function()
		actor("worker", function() while true do progress() yield() end end)
	end,
}
END
status 124 "$RINGSIDE" explore --db none short.lua:b
says "cut off: 10 schedules"
status 124 "$RINGSIDE" run --db none short.lua
says "verdict: budget"
status 1 "$RINGSIDE" test --db none short.lua
says "no verdict"
finish
