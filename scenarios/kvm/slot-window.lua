-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The window that fetching before deleting leaves open.
--
-- vcpu0 exits and the VMM deletes a slot: KVM_GET_DIRTY_LOG first, then KVM_SET_USER_MEMORY_REGION.  vcpu1 keeps
-- running, finds the slot still there and writes a page between the two calls.  The bit goes into the bitmap that
-- is freed a moment later:
--
--	vcpu0    GET_DIRTY_LOG ───────────────────── SET_USER_MEMORY_REGION, size 0
--	vcpu1                    write gfn 0xca
--
-- This is open upstream: the code that deletes slots says in a comment that it is best effort.  It holds only if
-- no vCPU runs between the two calls, as QEMU sees to since 8.0 for updates whose old and new slots overlap.

return {
	name = "slot-window",
	title = "a page is written between fetching the dirty log and deleting the slot",
	evidence = {
		"QEMU b4420f198d (6.1): the comment at slot removal that names this window",
		"QEMU f39b7d2b96: vCPUs are kept out of KVM while overlapping slots change",
		"QEMU 4cc856faba: the order that leaves it",
	},
	params = {
		inhibit = { default = false, doc = "keep vCPUs out of the guest while the slot changes" },
	},
	variants = {
		sync_then_delete = { expect = "dirty-page-lost", runs = 4000, doc = "today's order, no fault" },
		vcpus_inhibited = { expect = "ok", set = { inhibit = true }, runs = 6000,
				    doc = "no vCPU in the guest between the two calls" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200 }
		local bql = semaphore("bql", 1)
		local in_guest = semaphore("accel_ioctl_inhibit", 1)
		local source, destination = 0, 0
		local slot = k:region_add { base_gfn = 0xc0, npages = 0x40 }

		local function lock(s)
			point()
			s:acquire()
		end

		local vcpu0 = actor("vcpu0", function()
			lock(bql)
			if p.inhibit then
				in_guest:acquire()
			end
			k:region_del(slot)
			slot = k:region_add { base_gfn = 0xc0, npages = 0x40 }
			if p.inhibit then
				in_guest:release()
			end
			bql:release()
		end)

		local vcpu1 = actor("vcpu1", function()
			for _ = 1, 2 do
				local how
				repeat -- no slot there: the access is tried again, see slot-gap.lua
					lock(in_guest)
					how = k:write_page(0xca)
					if how == "ram" then
						source = source + 1
					end
					in_guest:release()
				until how == "ram"
			end
		end)

		actor("migration", function()
			lock(bql)
			k:log_global(true)
			destination = source -- the bulk pass
			bql:release()
			vcpu0:join()
			vcpu1:join() -- the guest stops
			for _, gfn in ipairs(k:migration_sync()) do
				if gfn == 0xca then
					destination = source
				end
			end
			expect(destination == source, "dirty-page-lost", "gfn=0xca",
			       "written after the log was fetched, before the slot was deleted")
		end)
	end,
}
