-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Precopy with dirty rings (dirty-ring-size): a vCPU's writes are entries of a ring of its own, taken out by the
-- reaper, by each vCPU whose ring is full, and by each sync.  No bitmap, no KVM_CLEAR_DIRTY_LOG.
--
--	vcpu0       write: entry ──────────────────────────────── write: page is writable, no entry
--	sync              └─ harvest ── reset: protected ── read page ── send
--
-- The reset is what makes the next write be noted again, so it must come before the page is read.

return {
	name = "dirty-ring",
	title = "precopy with dirty rings: who harvests, and when entries are reset",
	evidence = {
		"QEMU b20cc77692 (8.1), 1e493be587: the bitmap beside the rings",
		"QEMU b4420f198d (6.1): dirty ring; its comment on publishing bits before the reset",
		"QEMU a81a592698 (6.1): no INITIALLY_SET with it",
		"Linux Documentation/virt/kvm/api.rst: reset before the page is read",
	},
	params = {
		writes = { default = 3, min = 1, max = 16, doc = "of each vCPU" },
		ring = { default = "256", values = { "256", "1024" }, doc = "entries" },
		pml = { default = false, doc = "the processor has PML" },
		its = { default = false, doc = "arm64, with an ITS" },
		version = { default = "6.1", values = { "6.1", "8.0", "8.1" }, doc = "which QEMU" },
	},
	buffers = "writes",
	variants = {
		reset_late = { expect = "dirty-page-lost", faults = { "qemu.dirty_ring.reset_late" }, runs = 8000,
			       doc = "harvested, sent, and only then reset" },
		initially_set = { expect = "dirty-page-lost", faults = { "qemu.dirty_ring.initially_set" }, runs = 2000,
				  doc = "pages that were mapped before the migration are never noted" },
		its_8_0 = { expect = "dirty-page-lost", set = { its = true, version = "8.0" }, runs = 50,
			    doc = "tables of an interrupt controller are written when no vCPU runs" },
		its_8_1 = { expect = "ok", set = { its = true, version = "8.1" }, runs = 1500,
			    doc = "the bitmap beside the rings is fetched, at the end" },
		holds = { expect = "ok", runs = 6000, doc = "harvest, reset, read" },
		holds_pml = { expect = "ok", set = { pml = true, ring = "1024", version = "8.1" }, runs = 6000,
			      doc = "a sync kicks vCPUs, so that their buffers are in their rings" },
	},
	setup = function(p)
		local vm = source_vm { pages = 4, version = p.version,
				       dirty_ring_size = tonumber(p.ring),
				       host = p.its and "arm64" or p.pml and "x86-pml" or "x86" }
		local vcpu = { vm:writer("vcpu", "vcpu0"), vm:writer("vcpu", "vcpu1") }
		local m

		vm:fill(0, 3)
		if p.its then
			vm:writer("its", "its0"):tables(3, 1)
		end
		actor("boot", function()
			for i = 1, 2 do
				vcpu[i]:write(i) -- mapped before there is a log
			end
			m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 8192,
				      announce_rounds = 0 }
			for i = 1, 2 do
				actor("vcpu" .. i - 1, function()
					for n = 1, p.writes do
						vcpu[i]:write(n % 2 == 0 and 0 or i)
					end
				end, { daemon = true })
			end
			m:wait()
		end)
	end,
}
