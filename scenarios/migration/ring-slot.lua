-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Dirty rings, and a slot that is split in the middle of precopy.
--
-- An entry names a slot by its number, and a page in it.  What is in a ring when QEMU deletes the slot is harvested
-- later, and by then the number may be another slot's, or nobody's:
--
--	vcpu1     ... write page 5: entry (slot 0, page 5)
--	QEMU      harvest ──────────────────────────────── delete slot 0 ── slot 0: [0, 4), slot 1: page 4, slot 2: [5, 8)
--	reaper                                                                             harvest (slot 0, page 5): dropped
--
-- Until 7.2 QEMU harvests, and vcpu1 writes on until the slot is gone.  From 8.0 on vCPUs are out of KVM_RUN meanwhile.
-- kvm_slots_lock keeps the reaper out of the time between: what it took then could not be told from what was before.

return {
	name = "ring-slot",
	title = "entries of a dirty ring are harvested when their slot is another one",
	evidence = {
		"QEMU b4420f198d (6.1): kvm_set_phys_mem() harvests before it deletes; its comment says what is left",
		"QEMU kvm_dirty_ring_mark_page(): an entry of no slot is passed over",
		"QEMU f39b7d2b96, a27dd2de68 (8.0): vCPUs are kept out",
	},
	params = {
		version = { default = "8.0", values = { "6.1", "8.0", "8.1" }, doc = "which QEMU" },
		writes = { default = 6, min = 0, max = 64, doc = "of vcpu1 meanwhile" },
		pml = { default = false, doc = "the processor has PML: a harvest alone does not see its buffer" },
	},
	buffers = "writes",
	variants = {
		window = { expect = "dirty-page-lost", set = { version = "6.1" }, runs = 20000,
			   doc = "written between the harvest and the deletion" },
		buffer = { expect = "dirty-page-lost", set = { version = "6.1", writes = 2, pml = true }, runs = 20000,
			   doc = "written before both, and in the processor's buffer" },
		one_vcpu = { expect = "ok", set = { version = "6.1", writes = 0 }, runs = 4000,
			     doc = "nobody writes meanwhile" },
		kept_out = { expect = "ok", runs = 8000, doc = "since 8.0" },
		kept_out_pml = { expect = "ok", set = { version = "8.1", pml = true }, runs = 4000,
				 doc = "and buffers are in rings before the harvest" },
	},
	setup = function(p)
		oracle("C-O10", false) -- pages are asked for here; scenarios/kvm/slot-mmio.lua asks for exits
		local vm = source_vm {
			blocks = { { name = "pc.ram", pages = 8 } },
			version = p.version,
			host = p.pml and "x86-pml" or "x86",
			dirty_ring_size = 1024,
			layout = {
				{ name = "ram", block = "pc.ram" },
				{ name = "shadow", block = "pc.ram", offset = 4, gfn = 4, pages = 1, priority = 1,
				  readonly = true, disabled = true },
			},
		}
		local vcpu0, vcpu1 = vm:writer("vcpu", "vcpu0"), vm:writer("vcpu", "vcpu1")
		local m

		vm:fill(0, 8)
		vm:watch(5, 1)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		actor("vcpu0", function()
			for i = 1, 2 do
				vcpu0:write(5)
				vcpu0:map { name = "shadow", enabled = i == 1 }
			end
		end, { daemon = true })
		actor("vcpu1", function()
			for _ = 1, p.writes do
				vcpu1:write(5)
			end
		end, { daemon = true })
		actor("monitor", function()
			m:wait()
		end)
	end,
}
