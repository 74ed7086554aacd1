-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What firmware writes in system management mode during precopy.
--
-- There KVM has slots of their own, of address space 1: the same RAM as else, and RAM where the VGA window is.  A page
-- is noted in the slot through which it was written, so each page has two places where its note may be:
--
--	vcpu0   SMI ── write 0xa8: SMRAM ── write 0x110: RAM ── RSM          slots of address space 1
--	sync    GET_DIRTY_LOG of address space 0 [, of 1]

return {
	name = "smram",
	title = "pages written in system management mode, during precopy",
	evidence = { "QEMU 9c1f8f4493 (2016): kvm-all: get dirty log of all address spaces" },
	params = {
		writes = { default = 3, min = 1, max = 16, doc = "SMIs" },
		pml = { default = false, doc = "the processor has PML" },
		ring = { default = false, doc = "dirty rings" },
	},
	buffers = "writes",
	variants = {
		first_space_only = { expect = "dirty-page-lost", faults = { "qemu.log_sync.first_space_only" },
				     runs = 4000, doc = "before 2016" },
		all_spaces = { expect = "ok", runs = 2000 },
		all_spaces_pml = { expect = "ok", set = { pml = true }, runs = 2000 },
		ring = { expect = "ok", faults = { "qemu.log_sync.first_space_only" }, set = { ring = true },
			 runs = 2000, doc = "entries name the address space: a harvest has them all" },
	},
	setup = function(p)
		local vm = source_vm { layout = "pc", pages = 0x140, vram_pages = 16, version = "8.1",
				       host = p.pml and "x86-pml" or "x86", dirty_ring_size = p.ring and 1024 or 0 }
		local vcpu0 = vm:writer("vcpu", "vcpu0")
		local m

		vm:fill(0, 0x140)
		vm:watch(0xa8, 1)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		actor("vcpu0", function()
			for _ = 1, p.writes do
				vcpu0:smm(true)
				expect(vcpu0:write(0xa8), "state-lost", "SMRAM", "there is no RAM at 0xa8")
				vcpu0:smm(false)
				expect(not vcpu0:write(0xa8), "state-lost", "VGA", "there is RAM at 0xa8")
			end
		end, { daemon = true })
		actor("monitor", function()
			m:wait()
		end)
	end,
}
