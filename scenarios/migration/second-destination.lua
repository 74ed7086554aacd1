-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A migration is cancelled, and another one goes to another destination.  That one has nothing yet: what the first
-- destination got is of no use.  A bitmap that begins with what was logged meanwhile leaves the rest out.

return {
	name = "second-destination",
	title = "after a cancelled migration the second destination gets only what was written since",
	evidence = { "QEMU 40c4d4a835 (2019): always initial RAMBlock.bmap to 1 for new migration" },
	params = {
		writes = { default = 2, min = 0, max = 8, doc = "of the vCPU" },
		fault_second = { default = false, doc = "the second migration begins with an empty bitmap" },
	},
	variants = {
		not_filled = { expect = "dirty-page-lost", faults = { "qemu.migrate.bitmap_not_filled" }, runs = 500,
			       doc = "in each migration" },
		second_not_filled = { expect = "dirty-page-lost", set = { fault_second = true }, runs = 2000,
				      doc = "in the second alone, as it was" },
		filled = { expect = "ok", runs = 6000, doc = "each begins with all pages" },
	},
	setup = function(p)
		local vm = source_vm { pages = 4 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local first, second

		vm:fill(0, 4)
		first = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, name = "first",
				  announce_rounds = 0 }
		actor("vcpu0", function()
			for _ = 1, p.writes do
				vcpu:write(1)
			end
		end, { daemon = true })
		actor("monitor", function()
			point()
			first:cancel()
			if first:wait() == "completed" then
				return -- the cancel came too late
			end
			if p.fault_second then
				fault("qemu.migrate.bitmap_not_filled", true)
			end
			second = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096,
					   name = "second", announce_rounds = 0 }
			expect(second:wait() == "completed", "state-lost", "second", "it ended as " .. second:state())
		end)
	end,
}
