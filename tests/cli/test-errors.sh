#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Errors of scenarios name file, line, column where they can, and what is allowed.
. "$(dirname "$0")/lib.sh"

# bad TEXT…: the scenario on standard input is refused with these texts.
bad() {
	cat >bad.lua
	status 2 "$RINGSIDE" run --db none bad.lua
	for text in "$@"; do
		complains "$text"
	done
}

# A scenario whose only interesting line is the one given: "setup" or another key.
with() {
	cat <<END
return {
	name = "x", title = "t", evidence = { "e" },
	variants = {
		a = { expect = "hang" },
		b = { expect = "ok" },
	},
$1
}
END
}

bad "bad.lua:1:" <<'END'
return { name = = 1 }
END
bad "a scenario's file returns a table, not a number" <<'END'
return 1
END
with '	setup = function() end, varaints = 1,' |
	bad "bad.lua:7:26: varaints: unknown key; allowed here:" "variants"
with '	setup = 3,' | bad "bad.lua:7:2: setup: must be a function, not number"
with '	evidence = {}, setup = function() end,' | bad "evidence: must be a list"
with '	mode = "fast", setup = function() end,' |
	bad 'bad.lua:7:2: mode: must be "relaxed" or "timed"'
with '	params = { n = { default = 9, min = 1, max = 8 } }, setup = function() end,' |
	bad "bad.lua:7:13: params.n: default: n=9: must be an integer from 1 to 8"
with '	params = { n = { default = 9 } }, setup = function() end,' |
	bad "an integer has min and max"
with '	params = { n = { default = "a" } }, setup = function() end,' | bad "lists its values"
bad 'variants.a.expect: ' "'lost' is no verdict; allowed: ok lost-kick" "bad.lua:4:9" <<'END'
return {
	name = "x", title = "t", evidence = { "e" },
	variants = {
		a = { expect = "lost" },
	},
	setup = function() end,
}
END
bad "at least one variant that fails" "this one has 0 and 1" <<'END'
return {
	name = "x", title = "t", evidence = { "e" },
	variants = { b = { expect = "ok" } },
	setup = function() end,
}
END
bad "there is no fault 'no.such'" "bad.lua:3:38" <<'END'
return {
	name = "x", title = "t", evidence = { "e" },
	variants = { a = { expect = "hang", faults = { "no.such" } }, b = { expect = "ok" } },
	setup = function() end,
}
END

# Errors while it runs, with the place and who called.
with '	setup = function()
		local function inner() error("oh") end
		actor("worker", function()
			inner()
		end)
	end,' | bad "bad.lua:8: oh" "actor worker" "called from bad.lua:10"
with '	setup = function() sleep(1) end,' | bad "bad.lua:7: sleep: set-up may not wait"
with '	setup = function() actor("a", function() while true do end end) end,' |
	bad "bad.lua:7:" "endless loop"
with '	setup = function()
		actor("a", function() while true do pcall(function() while true do end end) end end)
	end,' |
	bad "endless loop"
with '	setup = function() local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1e6) .. i end end,' |
	bad "more memory than it may"
with '	setup = function() local function f() return f() + 1 end f() end,' | bad "stack overflow"
with '	setup = function() local s = "a" for i = 1, 40 do s = s:gsub("a", "aa") end end,' |
	bad "memory"
with '	setup = function() print(os.time()) end,' | bad "bad.lua:7:" "os"
with '	setup = function() local t = { [print] = 1 } for k in pairs(t) do print(k) end end,' |
	bad "a table with a function as key"
with '	setup = function() print(string.format("%p", {})) end,' | bad "addresses"
with '	setup = function() setmetatable({}, { __gc = function() end }) end,' | bad "__gc"
with '	setup = function() flag("f"):sett() end,' |
	bad "a flag has no 'sett'; it has: set clear test wait"
with '	setup = function() eventfd("f", { semaphor = true }) end,' |
	bad "unknown option 'semaphor'; allowed: semaphore"
with '	setup = function() fault("no.such") end,' | bad "bad.lua:7:" "ringside faults"
with '	setup = function() violate("lost", "a", "b") end,' |
	bad "'lost' is no failing verdict; allowed: lost-kick"
with '	setup = function() machine{ vcpus = 0 } end,' | bad "vcpus must be an integer from 1 to"
with '	setup = function() machine{}:device{ name = "a", type = "virtio-foo" } end,' |
	bad "one of: virtio-blk"
with '	setup = function() end, check = function() sleep(1) end,' | bad "check() may look, not act"
with '	setup = function() end, check = function() while true do end end,' | bad "endless loop"
with '	setup = function() include("x.lua") end,' | bad "only while the file is loaded"
echo 'return include("bad.lua")' | bad "does one include itself?"

status 2 "$RINGSIDE" run --db none no-such.lua
complains "no-such.lua: No such file"
mkdir folder.lua
status 2 "$RINGSIDE" run --db none folder.lua
complains "is a directory"
printf '\033Lua' >binary.lua
status 2 "$RINGSIDE" run --db none binary.lua
head -c 3000000 /dev/zero | tr '\0' ' ' >large.lua
status 2 "$RINGSIDE" run --db none large.lua
complains "is larger than 1024 KiB"
finish
