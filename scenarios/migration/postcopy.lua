-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Postcopy: the guest goes on at the destination while pages are missing there.
--
--	source        rounds ── stop ── last sync ── discard what was sent and is dirty again ── package ── push, serve
--	destination                                                                              RUN ── fault ── wait
--
-- A page that was sent, written since and not discarded is read as it was.

return {
	name = "postcopy",
	title = "postcopy: the guest runs at the destination before its memory is there",
	evidence = {
		"QEMU 8.2 migration/ram.c: ram_postcopy_send_discard_bitmap()",
		"QEMU c13221b56f, f3321554ef (8.0): bitmap_mutex, since the return path sends, too",
	},
	params = {
		writes = { default = 2, min = 1, max = 8, doc = "of the vCPU at the source" },
		preempt = { default = false, doc = "requested pages by a channel of their own" },
	},
	buffers = "writes",
	variants = {
		no_discard = { expect = "memory-divergence", faults = { "qemu.postcopy.no_discard" }, runs = 4000,
			       doc = "the destination keeps what is dirty again" },
		bitmap_unlocked = { expect = "state-lost", faults = { "qemu.postcopy.bitmap_unlocked" },
				    set = { preempt = true }, runs = 8000,
				    doc = "both threads find a page dirty and send it" },
		discard = { expect = "ok", runs = 4000, doc = "as QEMU 8.2" },
		preempt = { expect = "ok", set = { preempt = true }, runs = 4000, doc = "with bitmap_mutex" },
	},
	setup = function(p)
		local vm = source_vm { pages = 4 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m, there

		vm:fill(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		m:postcopy_ram { preempt = p.preempt }
		there = m:vcpu("vcpu0")
		actor("vcpu0", function()
			for _ = 1, p.writes do
				vcpu:write(1)
			end
		end, { daemon = true })
		actor("vcpu0 there", function()
			there:write(2)
			there:read(1)
		end)
		actor("monitor", function()
			point()
			m:start_postcopy()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
			m:postcopy_stats()
		end)
	end,
}
