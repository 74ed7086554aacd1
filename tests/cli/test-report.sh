#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `report`: what was not as expected, failures as swim lanes, all runs and figures, on one page.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)

scenario mixed.lua <<'END'
return {
	name = "mixed", title = "loses a message now and then", evidence = { "none" },
	params = { text = { default = "<script>&", values = { "<script>&", "b" }, doc = "to be escaped" } },
	variants = {
		fails = { expect = "state-lost", runs = 50 },
		wrong = { expect = "hang", runs = 50, doc = "an expectation that is not met" },
		holds = { expect = "ok", runs = 1, set = { text = "b" } },
	},
	setup = function(p)
		actor("sender", function()
			metric("sent", 3, "messages")
			if p.text ~= "b" and choice(2) == 1 then
				violate("state-lost", "box", "lost " .. p.text)
			end
		end)
	end,
}
END

status 1 "$RINGSIDE" test --quiet --db r.db mixed.lua
status 1 "$RINGSIDE" run --quiet --db r.db "$root/traces/colo-memslot-2015.syslog"
status 0 "$RINGSIDE" run --quiet --db r.db mixed.lua:holds
status 1 "$RINGSIDE" report --out r.html r.db
says "report: r.html, 5 runs, 2 not as expected"
cp r.html out
says "<h2>Not as expected</h2>"
says 'state-lost, expected hang'
says "<h3>state-lost: lost &lt;script&gt;&amp;</h3>"
says '<span>sender</span>'
says "ringside replay r.db#"
says "its bit died with slot 2"
says "<h2>Statements that were broken</h2>"
says '<th class="n">sent<br>messages'
says '<th class="n">pages_lost<br>pages'
says "</html>"
grep -q "<script>" r.html && fail "a name was not escaped"
grep -Eq '(src|href)="(http|//|/)' r.html && fail "the page needs something beside it"
# Unexpected ones come first, whatever their numbers are.
[ "$(grep -o '^<h2 id="run[0-9]*"' r.html | wc -l)" -eq 3 ] || fail "not three failures"
grep -n '^<h2 id=' r.html | tail -n 1 | grep -q 'mixed.lua:fails' || fail "the expected failure is not last"

# The same bytes again; to standard output; with fewer pictures.
"$RINGSIDE" report r.db >again.html
cmp -s r.html again.html || fail "two reports of one database differ"
status 1 "$RINGSIDE" report --failures 1 --db r.db
says "2 more failures are in the table of runs alone"
status 1 "$RINGSIDE" report --failures 0 --out none.html --db r.db
grep -q '<h2 id=' none.html && fail "--failures 0 shows failures"

# All as expected: exit status 0.
status 0 "$RINGSIDE" test --quiet --db good.db "$data/lost-wakeup.lua"
status 0 "$RINGSIDE" report good.db
says "2 runs, 0 not as expected"
says "waits for the wake-up"

# A scenario that is gone leaves its place with the reason.
mv mixed.lua elsewhere.lua
status 1 "$RINGSIDE" report r.db
says "Not run again here: mixed.lua: "
says "<h3>state-lost: lost"

status 2 "$RINGSIDE" report nothing.db
complains "nothing.db"
echo "no database" >bad.db
status 2 "$RINGSIDE" report bad.db
complains "bad.db"
status 2 "$RINGSIDE" report --out /nowhere/r.html r.db
complains "/nowhere/r.html"
finish
