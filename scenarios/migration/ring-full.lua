-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Dirty rings that fill: a vCPU whose ring has no room leaves the guest and has all rings harvested and reset first.
-- The reaper comes once a second; at 100 MB/s a ring of 1024 entries is full 25 times until then.
--
-- With a dirty limit the vCPU takes its own ring alone, and sleeps before it goes on: that is how it is slowed, so the
-- size of the ring says how often.

return {
	name = "ring-full",
	title = "full dirty rings: taken by their vCPUs, with and without a dirty limit",
	evidence = {
		"QEMU b4420f198d (6.1): KVM_EXIT_DIRTY_RING_FULL",
		"QEMU acac51ba24 (8.1): dirty limit of a migration",
		"QEMU 5c0ba1be37: the same for vhost's log; ram_save_complete() must sync first",
	},
	mode = "timed",
	steps_max = 2000000,
	params = {
		mib = { default = 256, min = 16, max = 65536, doc = "guest memory" },
		dirty_mib_s = { default = 100, min = 1, max = 4096, doc = "dirtied a second" },
		bandwidth_mib_s = { default = 128, min = 1, max = 65536, doc = "max-bandwidth" },
		ring = { default = 1024, min = 1024, max = 65536, doc = "dirty-ring-size" },
		pml = { default = false, doc = "the processor has PML: it notes first in a buffer of 512" },
		limit = { default = false, doc = "a dirty limit of 1 MB/s" },
	},
	variants = {
		holds = { expect = "ok", runs = 2 },
		holds_pml = { expect = "ok", set = { pml = true, ring = 2048 }, runs = 2 },
		limited = { expect = "ok", set = { dirty_mib_s = 400, limit = true }, runs = 2,
			    doc = "one ring at a time" },
		no_final_sync = { expect = "dirty-page-lost", faults = { "qemu.migrate.no_final_sync" }, runs = 1,
				  doc = "what is in the rings stays there" },
	},
	setup = function(p)
		local pages = p.mib * 256
		local vm = source_vm { pages = pages, version = "8.1", dirty_ring_size = p.ring,
				       host = p.pml and "x86-pml" or "x86" }
		local m

		vm:fill(0, pages // 2)
		for i = 0, 1 do
			vm:dirtier { name = "vcpu" .. i, first = i * pages // 4, pages = pages // 4, seed = i + 1,
				     pages_per_second = p.dirty_mib_s * 128, pattern = i == 0 and "sweep" or "hot" }
		end
		m = migrate {
			vm = vm,
			destination = vm:destination(),
			max_bandwidth = p.bandwidth_mib_s << 20,
			vcpu_dirty_limit = p.limit and 1 << 20 or 0,
		}
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
