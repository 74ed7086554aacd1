-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- COLO finds what a migration may hide: memory of both sides is compared at each checkpoint.  The guest's firmware has
-- a memory slot deleted and made again between two checkpoints; what KVM had noted of it goes with the slot, unless
-- QEMU fetches it first.  The page is in no later checkpoint, and the secondary keeps the old one.

return {
	name = "colo-slot",
	title = "COLO: a memory slot is replaced between two checkpoints, and its dirty bitmap goes with it",
	evidence = {
		"qemu-devel, March 2015: memory inconsistent between source and destination; first found with COLO",
		"QEMU 4cc856faba (2.3): sync before a slot goes also when only migration logs",
	},
	params = {
		checkpoints = { default = 2, min = 1, max = 4, doc = "each after a write" },
		replaced = { default = true, doc = "the slot, after the write" },
	},
	variants = {
		no_sync = { expect = "memory-divergence", faults = { "qemu.slot_removal.no_sync" }, runs = 500,
			    doc = "before QEMU 1.1" },
		slot_log_only = { expect = "memory-divergence", faults = { "qemu.slot_removal.slot_log_only" }, runs = 500,
				  doc = "QEMU 1.1 to 2.2: only if the slot logs for itself" },
		delete_first = { expect = "memory-divergence", faults = { "qemu.slot_removal.delete_first" }, runs = 500,
				 doc = "the log is asked for when the slot is gone" },
		sync_first = { expect = "ok", runs = 2000, doc = "the log is fetched, then the slot goes" },
		not_replaced = { expect = "ok", faults = { "qemu.slot_removal.no_sync" }, set = { replaced = false },
				 runs = 500 },
	},
	setup = function(p)
		local vm = source_vm {
			blocks = { { name = "pc.ram", pages = 3 } },
			layout = {
				{ name = "ram", block = "pc.ram" },
				{ name = "shadow", block = "pc.ram", offset = 1, gfn = 1, pages = 1, priority = 1,
				  readonly = true, disabled = true },
			},
		}
		local vcpu1 = vm:writer("vcpu", "vcpu1")
		local c

		vm:fill(0, 3)
		c = colo { vm = vm }
		actor("guest", function()
			for i = 1, p.checkpoints do
				c:step("primary", i % 3, 0)
				if p.replaced then
					vcpu1:map { name = "shadow", enabled = true }
					vcpu1:map { name = "shadow", enabled = false }
				end
				c:checkpoint()
			end
			c:stop()
		end)
		actor("guest'", function()
			for _ = 1, 2 do
				c:step("secondary", 2, 1)
			end
		end, { daemon = true })
	end,
}
