-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Dirty bits that are still in a processor's buffer when a slot is deleted.
--
-- With hardware PML a write is noted in a buffer of the vCPU, and the slot's bitmap learns of it when that vCPU
-- leaves the guest.  KVM_GET_DIRTY_LOG kicks vCPUs and does not wait for them; the deletion does wait, and what
-- comes out of the buffers then is marked in the bitmap that is freed next:
--
--	vcpu1   write 0xca: in its PML buffer ──────────────── IPI, VM exit: marked ─╮
--	QEMU             GET_DIRTY_LOG: not there ── SET_USER_MEMORY_REGION, size 0: bitmap freed
--
-- No write falls between the two calls; the write was before both.

return {
	name = "slot-pml",
	title = "a slot is deleted while dirty bits of it are in a PML buffer",
	evidence = {
		"QEMU b4420f198d (6.1): \"dirty bits can reside in hardware buffers (PML)\", case 1 of the comment",
		"Linux kvm_arch_sync_dirty_log(): vCPUs are kicked, nobody waits",
		"QEMU f39b7d2b96 (8.0): vCPUs leave KVM_RUN first if sections overlap",
	},
	params = {
		version = { default = "8.0", values = { "6.1", "8.0" }, doc = "which QEMU" },
		pml = { default = true, doc = "the processor has PML" },
		again = { default = false, doc = "vcpu1 writes once more, whenever" },
	},
	variants = {
		left_unread = { expect = "dirty-page-lost", set = { version = "6.1" }, runs = 2000,
				doc = "fetch and delete with vcpu1 in the guest" },
		no_pml = { expect = "ok", set = { version = "6.1", pml = false }, runs = 2000,
			   doc = "write protection: the fault marked it at once" },
		inhibited = { expect = "ok", set = { version = "8.0", again = true }, runs = 4000,
			      doc = "vcpu1 has left KVM_RUN before the fetch" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200, version = p.version,
				host = p.pml and "x86-pml" or "x86" }
		local slot = k:region_add { base_gfn = 0xc0, npages = 0x40 }
		local cpu = k:vcpu()
		local source, written = 0, semaphore("written", 0)

		k:log_global(true)
		local vcpu1 = actor("vcpu1", function()
			cpu:write(0xca)
			source = source + 1
			written:release()
			if p.again and cpu:write(0xca) == "ram" then
				source = source + 1
			end
			-- It computes without touching memory, and notices here that it was kicked.
			point()
			cpu:exit()
		end)
		actor("migration", function()
			written:acquire()
			k:begin()
			k:region_del(slot)
			k:region_add { base_gfn = 0xc0, npages = 0x40 }
			k:commit()
			vcpu1:join()
			local destination = 0
			for _, page in ipairs(k:last_sync()) do
				if page == 0xca then
					destination = source
				end
			end
			expect(destination == source, "dirty-page-lost", "gfn=0xca",
			       "it was in a PML buffer when the log was fetched for the last time")
		end)
	end,
}
