-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A transaction that leaves a page mapped, and an access to it that exits as MMIO meanwhile.
--
-- QEMU deletes a slot and makes it again, larger or smaller or with other flags, and the guest never asked for its
-- memory to go.  Until 7.2 another vCPU may touch it in between:
--
--	vcpu0   SET_USER_MEMORY_REGION, size 0 ───────────── SET_USER_MEMORY_REGION
--	vcpu1                                write gfn 0xca: MMIO
--
-- QEMU answers a plain access from its own view, which still has the memory.  A fetch it cannot answer: KVM does not
-- emulate what it cannot read, and the guest ends with an internal error.
--
-- 8.0 keeps vCPUs out of KVM_RUN, but only if a section that comes overlaps one that goes.  For this rule that is all
-- it takes: a page that was mapped and is mapped again is in both.  Where nothing overlaps, the page is gone for good,
-- and the exit is what it should be (what may be lost then is in slot-versions.lua).

return {
	name = "slot-mmio",
	title = "an access exits as MMIO while its slot is replaced",
	evidence = {
		"QEMU f39b7d2b96, a27dd2de68 (8.0): vCPUs are stopped if old and new sections overlap",
		"QEMU 6c090d4a75: a slot is deleted only if its read-only flag really changes",
	},
	params = {
		version = { default = "8.0", values = { "2.3", "6.1", "8.0", "8.1" }, doc = "which QEMU; 6.1 is as 7.2" },
		fetch = { default = false, doc = "vcpu1 fetches instructions there; else it writes" },
		to = { default = "resized", values = { "resized", "apart", "later" },
		       doc = "a smaller slot there, one elsewhere, or one there by a second transaction" },
	},
	variants = {
		qemu_2_3 = { expect = "spec-violation", set = { version = "2.3" }, runs = 2000,
			     doc = "updates are done as they come" },
		qemu_7_2 = { expect = "spec-violation", set = { version = "6.1" }, runs = 2000,
			     doc = "still so" },
		qemu_7_2_fetch = { expect = "spec-violation", set = { version = "6.1", fetch = true }, runs = 2000,
				   doc = "vcpu1 executes there" },
		qemu_8_0 = { expect = "ok", runs = 6000, doc = "vCPUs are out of KVM_RUN" },
		qemu_8_0_fetch = { expect = "ok", set = { fetch = true }, runs = 4000, doc = "the same for a fetch" },
		qemu_8_0_apart = { expect = "ok", set = { to = "apart" }, runs = 4000,
				   doc = "no overlap, nobody is stopped: the exit is right, the page is gone" },
		qemu_8_0_later = { expect = "ok", set = { to = "later" }, runs = 4000,
				   doc = "the first transaction took it away, and meant it" },
		qemu_8_1 = { expect = "ok", set = { version = "8.1" }, runs = 4000, doc = "as 8.0" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200, version = p.version }
		local cpu = k:vcpu()
		local slot = k:region_add { base_gfn = 0xc0, npages = 0x40 }
		local exits = 0

		actor("vcpu0", function()
			point()
			k:begin()
			k:region_del(slot)
			if p.to == "resized" then
				k:region_add { base_gfn = 0xc0, npages = 0x20 }
			elseif p.to == "apart" then
				k:region_add { base_gfn = 0x140, npages = 0x20, ram_page = 0xc0 }
			end
			k:commit()
			if p.to == "later" then
				k:begin()
				k:region_add { base_gfn = 0xc0, npages = 0x20 }
				k:commit()
			end
		end)
		actor("vcpu1", function()
			for _ = 1, 3 do
				local how = p.fetch and cpu:read(0xca) or cpu:write(0xca)
				if how == "mmio" then
					exits = exits + 1
				end
			end
			cpu:exit()
			metric("mmio_exits", exits)
		end)
	end,
}
