-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What postcopy costs the guest: downtime does not depend on what it dirties, but each page that it touches first is
-- waited for.  `ringside compare --over load` has the figures.

return {
	name = "postcopy-blocktime",
	title = "a guest that dirties faster than the link sends moves by postcopy, and waits for pages",
	evidence = { "QEMU 8.2 migration/postcopy-ram.c: postcopy-vcpu-blocktime" },
	mode = "timed",
	steps_max = 4000000,
	params = {
		mib = { default = 128, min = 1, max = 65536, doc = "guest memory" },
		dirty_mib_s = { default = 400, min = 1, max = 4096, doc = "dirtied a second at the source" },
		link_mib_s = { default = 1024, min = 1, max = 65536, doc = "the wire" },
		load = { default = "sweep", values = { "sweep", "backwards", "random" },
			 doc = "what the guest touches there" },
		preempt = { default = false, doc = "requested pages by a channel of their own" },
		patience_ms = { default = 10, min = 1, max = 10000, doc = "the longest a page may take" },
	},
	variants = {
		backwards = { expect = "ok", set = { load = "backwards" }, runs = 1 },
		random = { expect = "ok", set = { load = "random" }, runs = 1 },
		preempt = { expect = "ok", set = { load = "random", preempt = true }, runs = 1 },
		no_requests_for_sweep = { expect = "ok", runs = 1, doc = "it goes as the push goes" },
		no_discard = { expect = "memory-divergence", faults = { "qemu.postcopy.no_discard" }, runs = 1,
			       doc = "at this size, too" },
	},
	setup = function(p)
		local pages = p.mib * 256
		local vm = source_vm { pages = pages }
		local m, there

		vm:fill(0, pages)
		vm:dirtier { name = "vcpu0", pages = pages, pages_per_second = p.dirty_mib_s * 256 }
		m = migrate { vm = vm, destination = vm:destination(), link_bandwidth = p.link_mib_s << 20,
			      announce_rounds = 0 }
		m:postcopy_ram { preempt = p.preempt }
		there = m:vcpu("vcpu0")
		actor("vcpu0 there", function()
			for i = 0, 499 do
				local page = i

				if p.load == "backwards" then
					page = pages - 1 - i
				elseif p.load == "random" then
					page = i * 7919 * 31 % pages
				end
				there:write(page)
				sleep(100000)
			end
		end)
		actor("monitor", function()
			local s

			sleep(1000000000)
			m:start_postcopy()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
			s = m:postcopy_stats()
			expect(s.blocktime_max_ns <= p.patience_ms * 1000000, "livelock", "vcpu0",
			       "a page took " .. s.blocktime_max_ns .. " ns")
		end)
	end,
}
