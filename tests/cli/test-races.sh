#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# --races: found where nothing goes wrong, in words, replayed with it and only with it.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)

scenario plain.lua <<'END'
return {
	name = "plain",
	title = "two tasks write the same word of memory",
	evidence = { "a test" },
	params = { lock = { default = false, doc = "one at a time" } },
	variants = {
		off = { expect = "ok", runs = 10 },
		on = { expect = "data-race", races = true, runs = 10 },
		locked = { expect = "ok", races = true, set = { lock = true }, runs = 200 },
	},
	setup = function(p)
		ram(1 << 20)
		local gpa = ram_alloc(64, 64, "shared")
		local lock = semaphore("lock", 1)

		for i = 1, 2 do
			actor("task" .. i, function()
				if p.lock then
					lock:acquire()
				end
				ram_store(gpa + 8, i)
				if p.lock then
					lock:release()
				end
			end)
		end
	end,
}
END

# The key, the option, and none.
status 0 "$RINGSIDE" test --db none plain.lua
says "plain.lua:on  data-race at schedule 0"
status 0 "$RINGSIDE" run --db none plain.lua:off
status 1 "$RINGSIDE" run --db none --races plain.lua:off
says "verdict: data-race"
says "shared+0x8: nothing orders the store by task1 ("
says ") and the store by task2 ("

# A failure says that races were looked for, and replay looks again.
status 1 "$RINGSIDE" explore --quiet --races --out x.failure plain.lua:off
grep -q '^races: yes$' x.failure || fail "the failure file does not say that races were looked for"
status 1 "$RINGSIDE" replay x.failure
says "verdict: data-race"
status 1 "$RINGSIDE" replay ringside.db#latest
says "verdict: data-race"
sed 's/^races: yes$/races: no/' x.failure >y.failure
status 2 "$RINGSIDE" replay y.failure
complains "expected one of yes"
status 0 "$RINGSIDE" show x.failure
says "VIOLATION data-race"

# Ring code: file and line of both sides, in the run in which nothing is lost, under each model.
lua=$root/scenarios/ring/unordered-content.lua
for memory in sc tso weak; do
	status 1 "$RINGSIDE" explore --quiet --db none --memory $memory --runs 200 "$lua:used_element"
	says "vq0.used.ring["
	says "ring_split_device.c:"
	says "ring_split_driver.c:"
	status 0 "$RINGSIDE" explore --quiet --db none --memory $memory --runs 200 "$lua:holds"
done
status 0 "$RINGSIDE" explore --db none --strategy dpor --set buffers=1 "$lua:holds"
says ", complete"

# Looking changes nothing but what is found.
digest() {
	"$RINGSIDE" run --db none "$@" | grep '^digest: '
}
a=$(digest "$lua:holds")
b=$(digest "$root/scenarios/kick/smallest.lua:holds_event_idx")
[ -n "$a" ] && [ "$a" = "$b" ] || fail "two runs of the same ring, one of them looked at: $a, $b"

# The key is a boolean.
sed 's/races = true/races = "yes"/' plain.lua >bad.lua
status 1 "$RINGSIDE" test --db none bad.lua
says ".races: must be a boolean, not string"
finish
