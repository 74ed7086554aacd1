-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A read-only slot (flash, a shadowed ROM) and a change of its flags.
--
-- KVM cannot change KVM_MEM_READONLY of a slot: QEMU deletes the slot and makes another.  It once did so for each
-- update of a slot that is read-only, such as the beginning of dirty logging, although nothing of the kind changed.
-- A vCPU that executes from the flash meanwhile finds no memory.  A flip that is meant (a PAM register makes the
-- BIOS area writable) has the same window, and since 8.0 vCPUs are stopped for it.

return {
	name = "readonly-flip",
	title = "a read-only slot is deleted to change its flags, and a vCPU executes from it",
	evidence = {
		"QEMU 6c090d4a75 (2018): delete the slot if and only if KVM_MEM_READONLY changes",
		"QEMU 235e8982ad (2013): read-only slots, deleted before each setting whether the flag changes or not",
		"QEMU f39b7d2b96 (8.0): slot updates that overlap are atomic towards vCPUs",
	},
	params = {
		flip = { default = false, doc = "the flag really changes; else dirty logging begins" },
		version = { default = "8.0", values = { "2.3", "6.1", "8.0" }, doc = "which QEMU" },
	},
	variants = {
		logging = { expect = "state-lost", faults = { "qemu.slot_flags.delete_readonly" }, runs = 2000,
			    doc = "logging begins: deleted without need" },
		flip_6_1 = { expect = "state-lost", set = { flip = true, version = "6.1" }, runs = 2000,
			     doc = "really flipped, nobody stopped" },
		logging_holds = { expect = "ok", runs = 4000, doc = "flags change in place" },
		flip_8_0 = { expect = "ok", set = { flip = true }, runs = 6000, doc = "flipped with vCPUs stopped" },
	},
	setup = function(p)
		local k = kvm { listener = true, ram_pages = 0x200, version = p.version }
		local cpu = k:vcpu()
		local slot = k:region_add { base_gfn = 0xc0, npages = 0x40, readonly = true }

		actor("main", function()
			if p.flip then
				k:begin()
				k:region_del(slot)
				k:region_add { base_gfn = 0xc0, npages = 0x40 }
				k:commit()
			else
				k:log_global(true)
			end
		end)
		actor("vcpu", function()
			for i = 1, 3 do
				local how = cpu:read(0xca)
				expect(how == "ram", "state-lost", "gfn=0xca",
				       string.format("fetch %d went to the VMM as MMIO: KVM cannot execute that", i))
			end
			cpu:exit()
		end)
	end,
}
