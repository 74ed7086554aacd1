-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What a background snapshot costs a guest that writes: each page is saved once, whatever is dirtied, and the machine
-- stands only for its devices' state.  Precopy of the same guest has no end (`converge.lua:does_not`).

return {
	name = "snapshot-load",
	title = "a background snapshot of a guest that dirties faster than precopy sends",
	evidence = {
		"QEMU 8518278a6a: freeze the state at the start, by write protection",
		"QEMU 278e2f551a: who writes a protected page waits for the thread",
	},
	mode = "timed",
	steps_max = 2000000,
	params = {
		mib = { default = 256, min = 16, max = 65536, doc = "guest memory" },
		dirty_mib_s = { default = 400, min = 1, max = 4096, doc = "dirtied a second" },
		file_mib_s = { default = 600, min = 1, max = 65536, doc = "the file takes a second" },
		wait_us = { default = 1000, min = 1, max = 1000000, doc = "the longest that a write may wait" },
		slower = { default = 0, min = 0, max = 100, doc = "percent that the guest loses at least" },
		downtime_ms = { default = 50, min = 1, max = 1000, doc = "the machine may stand so long" },
	},
	variants = {
		loaded = { expect = "ok", runs = 1, doc = "each page once, as it was" },
		slow_file = { expect = "ok", set = { file_mib_s = 100, slower = 40 }, runs = 1,
			      doc = "a page that is written takes 40 us: most of the guest's time" },
		fast_file = { expect = "ok", set = { file_mib_s = 4096, wait_us = 20 }, runs = 1 },
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

		s = background_snapshot { vm = vm, file = vm:destination(), file_bandwidth = p.file_mib_s << 20 }
		actor("monitor", function()
			s:wait()
			load:stop()
			local t = s:stats()
			local due = p.dirty_mib_s * 256 * t.total_ns // 1000000000

			expect(t.wait_max_ns <= p.wait_us * 1000, "livelock", "vcpu0",
			       "a write waited for " .. t.wait_max_ns .. " ns")
			expect(load:writes() * 100 <= due * (100 - p.slower), "spec-violation", "vcpu0",
			       "the guest wrote " .. load:writes() .. " of " .. due .. " pages")

			expect(t.pages == pages, "state-lost", "snapshot", t.pages .. " pages of " .. pages)
			expect(t.downtime_ns <= p.downtime_ms * 1000000, "spec-violation", "snapshot",
			       "the machine stood for " .. t.downtime_ns .. " ns")
		end)
	end,
}
