#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Scripts that fail, loop, eat memory or lie, wherever they get the word: at load, in setup, in an actor, in check.
. "$(dirname "$0")/lib.sh"
ulimit -c 0

# scenario_of SETUP [CHECK] [TOP]
scenario_of() {
	cat <<END
${3:-}
return { name = "x", title = "t", evidence = { "e" },
	variants = { a = { expect = "hang", runs = 20 }, b = { expect = "ok", runs = 20 } },
	setup = function() $1 end,
	check = function() ${2:-} end,
}
END
}

# errs TEXT: the last scenario ends with status 2 and one line of errors that has the text.
errs() {
	status 2 timeout 60 "$RINGSIDE" run --db none --quiet x.lua
	complains "$1"
	[ "$(wc -l <err)" -eq 1 ] || { fail "not one line of errors"; head -n 5 x.lua err; }
	if grep -q "$(printf '[\033\007]')" err; then fail "a control character in an error"; fi
}

# everywhere TEXT CODE: the code in each of the places.
everywhere() {
	scenario_of "$2" >x.lua
	errs "$1"
	scenario_of "actor('a', function() point() $2 end)" >x.lua
	errs "$1"
	scenario_of "" "$2" >x.lua
	errs "$1"
	scenario_of "" "" "do $2 end" >x.lua
	errs "$1"
}

everywhere "x.lua:" 'error("oh")'
everywhere "oh ?[31mno?" 'error("oh\n\027[31mno\7")'
everywhere "table" 'error({})'
everywhere "nil" 'error(nil)'
everywhere "told" 'error(setmetatable({}, { __tostring = function() return "told" end }))'
everywhere "x.lua" 'error(setmetatable({}, { __tostring = function() error("again") end }))'
everywhere "x.lua" 'error(setmetatable({}, { __tostring = function() return 1 end }))'
everywhere "x.lua" 'error(setmetatable({}, { __name = "\27[31mred" }))'
everywhere "x.lua" 'error(("x"):rep(100000))'
everywhere "stack overflow" 'local function f() return 1 + f() end f()'
everywhere "stack overflow" 'local t = setmetatable({}, {}) getmetatable(t).__index = function(u, k) return u[k .. "x"] end return t.x'
everywhere "x.lua" 'local function f(n) return (("x"):gsub("x", function() return f(n + 1) end)) end f(1)'
everywhere "x.lua" 'local function f() return pcall(f), error("deep") end error(f())'
everywhere "x.lua" 'local function f() return coroutine.wrap(f)() end f()'
everywhere "nil" 'undefined_function()'
everywhere "x.lua" 'return #nil'
everywhere "x.lua" 'return 1 // 0'
everywhere "memory" 'local s = ("x"):rep(1 << 20) while true do s = s .. s end'
everywhere "memory" 'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1 << 20) .. i end'
everywhere "resulting string too large" 'return ("x"):rep(1 << 62)'
everywhere "too large" 'return ("x"):rep(1 << 31)'
everywhere "memory" 'return ("x"):rep(1 << 30)'
everywhere "x.lua" 'return table.concat({}, "x", 1, 1 << 60)'
everywhere "x.lua" 'return table.unpack({}, 1, 1e8)'
everywhere "x.lua" 'return string.format("%99999d", 1)'
everywhere "x.lua" 'return ("x"):rep(100000):find(("(x"):rep(100))'
everywhere "endless loop" 'while true do end'
everywhere "endless loop" 'repeat local ok = pcall(error) until false'
everywhere "endless loop" 'coroutine.wrap(function() while true do end end)()'
everywhere "endless loop" 'while true do pcall(function() while true do end end) end'
everywhere "attempt to" 'string = nil; return ("x"):rep(2) .. string.rep'
everywhere "x.lua" '_ENV = nil; return print'

scenario_of 'violate("hang", "a", "b")' >x.lua
errs "in an actor or in check()"
scenario_of "" "" 'violate("hang", "a", "b")' >x.lua
errs "in an actor or in check()"

# A driver that was not probed yet, or is away: what it answers is the script's, and never a crash.
cat >x.lua <<'END'
return { name = "x", title = "t", evidence = { "e" },
	variants = { a = { expect = "hang" }, b = { expect = "ok" } },
	setup = function()
		local vm = machine{}
		for _, type in ipairs { "blk", "net" } do
			local driver = vm:device{ name = type, type = "virtio-" .. type }:driver{}
			local calls = { "read", "write", "submit", "commit", "flush", "poll", "xmit", "recv", "resize",
				"freeze", "restore", "remove", "probe" }
			vm:actor("task " .. type, function()
				for _, name in ipairs(calls) do
					for _, argument in ipairs { 0, 1, {}, "x" } do
						local ok, why = pcall(function() return driver[name](driver, argument) end)
						note(name .. " " .. tostring(ok) .. " " .. tostring(why))
					end
				end
			end, { cpu = 0 })
		end
	end,
}
END
timeout 20 "$RINGSIDE" run --db none --trace note x.lua >out 2>err
[ $? -le 2 ] || { fail "a driver that was not probed"; head -n 3 err; }
says "read true"

# What nobody counts: the watchdog.
for code in 'return table.move({}, 1, 1 << 60, 2)'; do
	scenario_of "actor('a', function() $code end)" >x.lua
	errs "takes too long"
done
scenario_of "" 'return ("a"):rep(1000):find((".-"):rep(9) .. "b")' >x.lua
status 1 timeout 60 "$RINGSIDE" test --db none x.lua
says "the script does not come back"
complains "takes too long"

# An error in the third schedule is an error of the exploration, with its place, and the database knows the run.
scenario_of 'local n = 0 actor("a", function() point() n = 1 end) actor("b", function() if n == 1 then error("late") end end)' >x.lua
status 2 "$RINGSIDE" explore --db late.db x.lua
complains "late"
complains "actor b"
[ "$(sqlite3 late.db "SELECT verdict FROM run")" = unfinished ] || fail "a run that ended with an error is not unfinished"

# Replacing what the program itself uses changes nothing outside.
scenario_of 'tostring = nil; pairs = nil; error = nil; setmetatable = nil; actor("a", function() print("still") end)' >x.lua
status 0 "$RINGSIDE" run --db none --trace note x.lua
says "still"
# Ever more objects and names.
scenario_of 'local i = 0 while true do i = i + 1 waitq("q" .. i) end' >x.lua
errs "endless loop"
finish
