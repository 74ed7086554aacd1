-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A slot is changed by deleting it and making it again, and a vCPU runs in between.
--
-- KVM cannot flip KVM_MEM_READONLY of a slot, nor resize one, so the VMM deletes and makes it.  Another vCPU that
-- touches the range in between finds no slot: KVM exits to the VMM as if the access were MMIO, where nothing is,
-- and the write is gone.  Firmware shadowing its own ROM is where this was met: one CPU flips the region to
-- writable, another one executes or writes there.
--
-- The window is there even for a deletion that is meant: the slot is published as invalid before it goes.

return {
	name = "slot-gap",
	title = "a write finds no slot while its slot is deleted and made again",
	evidence = {
		"QEMU f39b7d2b96: slot updates that overlap are atomic towards vCPUs",
		"QEMU 6c090d4a75: a slot is deleted only if its read-only flag really changes",
	},
	params = {
		inhibit = { default = false, doc = "keep vCPUs out of the guest while the slot changes" },
	},
	variants = {
		delete_and_add = { expect = "state-lost", runs = 2000, doc = "the other vCPU is not stopped" },
		vcpus_inhibited = { expect = "ok", set = { inhibit = true }, runs = 6000,
				    doc = "it is kept out of the guest for the two calls" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200 }
		local in_guest = semaphore("accel_ioctl_inhibit", 1)
		local slot = k:region_add { base_gfn = 0xc0, npages = 0x40 }

		local function enter()
			point()
			in_guest:acquire()
		end

		actor("vcpu0", function()
			if p.inhibit then
				enter()
			end
			k:region_del(slot)
			slot = k:region_add { base_gfn = 0xc0, npages = 0x40 }
			if p.inhibit then
				in_guest:release()
			end
		end)
		actor("vcpu1", function()
			for i = 1, 3 do
				enter()
				local how = k:write_page(0xca)
				in_guest:release()
				expect(how == "ram", "state-lost", "gfn=0xca",
				       string.format("write %d went to the VMM as %s, and nothing answers there",
						     i, how))
			end
		end)
	end,
}
