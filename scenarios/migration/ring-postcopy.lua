-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Postcopy with dirty rings on arm64.  What KVM writes while no vCPU runs, an ITS's tables as the machine stops, is in
-- a bitmap beside the rings, which the last sync is to fetch:
--
--	vm_stop		ITS writes its tables: bitmap beside the rings
--	precopy		last sync, last_stage: rings and bitmap ── tables are sent again
--	postcopy	last sync, not last_stage: rings ── what was sent of the tables before counts as new
--
-- ram_postcopy_send_discard_bitmap() calls migration_bitmap_sync(rs, false), and kvm_log_sync_global() looks at the
-- bitmap with last_stage alone.  Read in the sources of QEMU 8.2 and 10.2; no report of it is known.

return {
	name = "ring-postcopy",
	title = "postcopy's last sync leaves out the bitmap beside dirty rings",
	evidence = {
		"QEMU b20cc77692 (8.1): kvm_log_sync_global() fetches the bitmap if last_stage",
		"QEMU 8.2 ram_postcopy_send_discard_bitmap(): the sync is not said to be the last one",
	},
	params = {
		ring = { default = true, doc = "dirty-ring-size=256; without: bitmaps" },
		postcopy = { default = true, doc = "it ends as postcopy" },
	},
	variants = {
		postcopy = { expect = "dirty-page-lost", runs = 200, doc = "QEMU as it is: no fault" },
		bitmaps = { expect = "ok", set = { ring = false }, runs = 2000, doc = "each sync fetches all slots" },
		precopy = { expect = "ok", set = { postcopy = false }, runs = 2000, doc = "the last sync is the last stage" },
	},
	setup = function(p)
		local vm = source_vm { pages = 4, version = "8.1", host = "arm64", dirty_ring_size = p.ring and 256 or 0 }
		local m, there

		vm:fill(0, 4)
		vm:writer("its", "its0"):tables(0, 1)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, budget_pages = 1,
			      slow_link = true, announce_rounds = 0 }
		if p.postcopy then
			m:postcopy_ram()
			there = m:vcpu("vcpu0")
		end
		actor("monitor", function()
			if p.postcopy then
				sleep(1000) -- some pages are over there
				m:start_postcopy()
				there:read(0)
			end
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
