#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A machine from Lua, end to end: a lost kick is found, diagnosed, drawn.
. "$(dirname "$0")/lib.sh"
scenario disk.lua <<'END'
return {
	name = "disk", title = "two tasks and a disk whose device does not look again",
	evidence = { "e" },
	variants = {
		fails = {
			expect = "lost-kick", runs = 5000,
			faults = { "device.enable.no_recheck" },
		},
		holds = { expect = "ok", runs = 500 },
	},
	setup = function()
		local vm = machine{ vcpus = 2 }
		local disk = vm:device{ name = "blk0", type = "virtio-blk", backend = "iothread" }
		local blk = disk:driver{ name = "vda" }
		local ready = flag("ready")
		vm:actor("task0", function()
			assert(blk:probe())
			ready:set()
			for i = 1, 2 do
				note("write " .. blk:write(i))
			end
			local q = disk:queue(0):info()
			metric("avail_idx", q.avail_idx)
			for _, n in ipairs(vm:notifiers()) do
				local d = n:dump()
				note(d.role .. " " .. d.queue .. " " .. n:count())
			end
		end, { cpu = 0 })
		vm:actor("task1", function()
			ready:wait()
			for i = 1, 2 do
				blk:read(i)
			end
		end, { cpu = 1 })
	end,
}
END
status 0 "$RINGSIDE" run --db none --trace note disk.lua:holds
says "write 0"
says "note: host 0 0"
says "note: guest 0 0"
says "metric: avail_idx"
status 0 "$RINGSIDE" test --db none disk.lua
status 1 "$RINGSIDE" explore disk.lua
says "verdict: lost-kick"
status 1 "$RINGSIDE" diagnose disk.lua
says "notifier: id=1 blk0.kick0 role=host"
says "try: call blk0.vq0 at the eventfd: no change"
says "go on"
says "lost: blk0.vq0: the kick"
says "evidence: avail_idx"
status 1 "$RINGSIDE" diagnose disk-fails.failure
says "lost: blk0.vq0: the kick"
status 0 "$RINGSIDE" diagnose disk.lua:holds
says "nothing hangs in 500 schedules"

if command -v gnuplot >/dev/null && command -v sqlite3 >/dev/null; then
	cd "$here/../.." || exit 2
	status_file=$work/plot
	"$RINGSIDE" plot "$work/ringside.db#1" >"$status_file" 2>&1 || fail "$(cat "$status_file")"
	grep -q avail_idx "$status_file" || fail "no avail_idx in the plot"
	"$RINGSIDE" plot --out "$work/ring.svg" "$work/ringside.db#1" || fail "no SVG"
	grep -q '<svg' "$work/ring.svg" || fail "no SVG in the file"
fi
finish
