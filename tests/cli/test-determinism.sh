#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's Lua seeds its hash of strings from time and addresses: nothing of that may be seen.
. "$(dirname "$0")/lib.sh"
scenario order.lua <<'END'
return {
	name = "order", title = "what a script can see of tables",
	evidence = { "lstate.c: luai_makeseed()" },
	variants = { a = { expect = "hang" }, b = { expect = "ok" } },
	setup = function()
		actor("a", function()
			local t = { 3, 1, 2, [0.5] = "half", [true] = "yes" }
			for i = 1, 200 do t["key" .. i * 7919 % 211] = i end
			for i = 1, 100 do t["key" .. i] = nil end
			for k, v in pairs(t) do note(tostring(k) .. "=" .. tostring(v)) end
			note(next(t) .. " " .. tostring(next(t, "key99")))
			local l = {}
			for i = 1, 500 do l[i] = { i * 7919 % 13, i } end
			table.sort(l, function(x, y) return x[1] < y[1] end)
			for _, e in ipairs(l) do note(e[1] .. ":" .. e[2]) end
			note(tostring({}) .. tostring(print) .. ("%s"):format({}))
			note(tostring(coroutine.create(print)))
		end)
	end,
}
END
status 0 "$RINGSIDE" run --db none --trace note order.lua
cp out first
for i in 1 2 3 4 5; do
	status 0 "$RINGSIDE" run --db none --trace note order.lua
	cmp -s out first || fail "another order in run $i"
done
grep -q 'note: table #1' first || fail "no name for a table"
# Stable: equal keys keep their order.
sed -n 's/.*note: \([0-9]*\):\([0-9]*\)$/\1 \2/p' first >pairs
sort -s -n -k1,1 -k2,2 pairs >sorted
cmp -s pairs sorted || fail "table.sort() is not stable"
[ "$(wc -l <sorted)" -eq 500 ] || fail "table.sort() lost something"
# The same digest whether or not somebody looks.
sed -n 's/^digest: //p' first >digest
status 0 "$RINGSIDE" run --db none order.lua
says "digest: $(cat digest)"
status 0 "$RINGSIDE" run --db x.db order.lua
says "digest: $(cat digest)"
finish
