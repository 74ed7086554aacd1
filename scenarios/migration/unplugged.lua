-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What virtio-mem has unplugged holds nothing, and has no memory of the host.  Reading it is enough to change that.
--
--	source        bitmap: 0 1 . .  ── switch ── push 0 ──╳  paused ── recover: received 0, so 1 2 3 are dirty
--	                                                                  2 and 3 are unplugged: read, sent, stored
--
-- A recovery makes the bitmap anew from what was received, a snapshot populates pages to write-protect them; both have
-- to leave out what is not there.

return {
	name = "unplugged",
	title = "memory that virtio-mem has unplugged, in a recovery of postcopy and in a snapshot",
	evidence = {
		"QEMU be39b4cd20 (6.2): RamDiscardManager on the migration source",
		"QEMU 6fee3a1fd9 (6.2): and in background snapshots",
	},
	params = {
		what = { default = "recovery", values = { "recovery", "snapshot" }, doc = "of what" },
	},
	variants = {
		recovered = { expect = "unbounded-allocation", faults = { "qemu.postcopy.recover_unplugged" }, runs = 4000,
			      doc = "what was not received is dirty, plugged or not" },
		populated = { expect = "unbounded-allocation", faults = { "qemu.snapshot.populates_unplugged" },
			      set = { what = "snapshot" }, runs = 1000, doc = "all of the block is read" },
		recovery = { expect = "ok", runs = 4000, doc = "as QEMU 8.2" },
		snapshot = { expect = "ok", set = { what = "snapshot" }, runs = 2000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 4 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m, s

		vm:fill(0, 2)
		if p.what == "snapshot" then
			s = background_snapshot { vm = vm, file = vm:destination(), unplugged_first = 2, unplugged_pages = 2 }
			actor("vcpu0", function()
				vcpu:write(1)
			end, { daemon = true })
			actor("monitor", function()
				s:wait()
				expect(s:stats().pages == 2, "state-lost", "snapshot", s:stats().pages .. " pages are saved")
			end)
			return
		end
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0,
			      unplugged_first = 2, unplugged_pages = 2 }
		m:postcopy_ram()
		m:start_postcopy()
		local there = m:vcpu("vcpu0")

		actor("vcpu0 there", function()
			there:write(1)
		end)
		actor("network", function()
			m:wait_for("postcopy-active")
			point()
			if m:break_link() then
				m:recover()
			end
		end)
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
