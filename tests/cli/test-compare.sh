#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `compare`: one run a value, recorded; one table; one picture; something beside it.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)

scenario work.lua <<'END'
return {
	name = "work", title = "twice the work takes twice the time", evidence = { "none" }, mode = "timed",
	params = {
		load = { default = 1, min = 1, max = 3, doc = "times 100 ns" },
		big = { default = 5, min = 1, max = 1000, doc = "many" },
		how = { default = "a", values = { "a", "b" }, doc = "words" },
	},
	variants = {
		fails = { expect = "state-lost", set = { load = 3 }, runs = 1 },
		holds = { expect = "ok", runs = 1 },
	},
	setup = function(p)
		actor("worker", function()
			work(p.load * 100)
			metric("done", p.load * p.big, "items")
			if p.load == 3 then violate("state-lost", "x", "too much") end
		end)
	end,
}
END

# All values of a small parameter; the verdict of the worst run is the exit status.
status 1 "$RINGSIDE" compare --over load --db c.db work.lua:holds
grep -q '^verdict  *ok  *ok  *state-lost$' out || fail "verdicts: $(cat out)"
grep -q '^time (ns)  *100  *200  *300$' out || fail "times: $(cat out)"
grep -q '^done (items)  *5  *10  *15$' out || fail "metrics: $(cat out)"
[ "$(sqlite3 c.db "SELECT group_concat(value) FROM param WHERE name = 'load'")" = 1,2,3 ] ||
	fail "not one run a value"

# Values that are named, and an earlier run beside them.
status 0 "$RINGSIDE" compare --over big=10,20 --beside c.db#2 --db none work.lua:holds
grep -q '^done (items)  *10  *20  *10$' out || fail "beside: $(cat out)"
status 0 "$RINGSIDE" compare --over how --beside "$root/traces/colo-memslot-2015.syslog" --db none work.lua:holds
grep -q '^pages_lost (pages)  *-  *-  *3$' out || fail "a recording beside: $(cat out)"
grep -q '^[a-z_]*  *-  *-  *0$' out && fail "figures that say nothing: $(cat out)"

status 2 "$RINGSIDE" compare --over big --db none work.lua:holds
complains "it can be 1 to 1000: name the values"
status 2 "$RINGSIDE" compare --over size --db none work.lua:holds
complains "it has: big how load"
status 2 "$RINGSIDE" compare --over how=c --db none work.lua:holds
status 2 "$RINGSIDE" compare --db none work.lua:holds
status 2 "$RINGSIDE" compare --over how --beside nothing --db none work.lua:holds
complains "cannot be opened"

if command -v gnuplot >/dev/null; then
	(cd "$root" && "$RINGSIDE" compare --over load=1,2 --out "$work/c.svg" --db none "$work/work.lua:holds" >/dev/null 2>&1)
	grep -q '<svg' c.svg || fail "no picture"
	(cd "$root" && "$RINGSIDE" compare --over load=1,2 --beside "$work/c.db#1" --out "$work/b.svg" \
		--db none "$work/work.lua:holds" >/dev/null 2>&1)
	grep -q 'orange: c.db#1' b.svg || fail "what stands beside is not named in the picture"
fi
finish
