-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What a background snapshot costs a guest that writes: each page is saved once, whatever is dirtied, and the machine
-- stands only for its devices' state.  Precopy of the same guest has no end (`converge.lua:does_not`).

return {
	name = "snapshot-load",
	title = "a background snapshot of a guest that dirties faster than precopy sends",
	evidence = { "QEMU 8518278a6a: freeze the state at the start, by write protection" },
	mode = "timed",
	steps_max = 2000000,
	params = {
		mib = { default = 256, min = 16, max = 65536, doc = "guest memory" },
		dirty_mib_s = { default = 400, min = 1, max = 4096, doc = "dirtied a second" },
		downtime_ms = { default = 50, min = 1, max = 1000, doc = "the machine may stand so long" },
	},
	variants = {
		loaded = { expect = "ok", runs = 1, doc = "each page once, as it was" },
		idle = { expect = "ok", set = { dirty_mib_s = 1 }, runs = 1 },
		not_populated = { expect = "memory-divergence", faults = { "qemu.snapshot.no_prefault" }, runs = 1,
				  doc = "half of memory was never touched" },
	},
	setup = function(p)
		local pages = p.mib * 256
		local vm = source_vm { pages = pages }
		local s, load

		vm:fill(0, pages // 2)
		load = vm:dirtier { name = "vcpu0", pages = pages, pages_per_second = p.dirty_mib_s * 256 }

		s = background_snapshot { vm = vm, file = vm:destination() }
		actor("monitor", function()
			s:wait()
			load:stop()
			local t = s:stats()

			expect(t.pages == pages, "state-lost", "snapshot", t.pages .. " pages of " .. pages)
			expect(t.downtime_ns <= p.downtime_ms * 1000000, "spec-violation", "snapshot",
			       "the machine stood for " .. t.downtime_ns .. " ns")
		end)
	end,
}
