-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- How COLO begins: a migration, whose destination does not go on alone.  What arrives is the secondary's memory and, a
-- second time, its RAM cache, from which the first checkpoint's flush takes the pages that the secondary wrote itself.
-- Then the secondary starts its half of block replication and says CHECKPOINT_READY; only then may the primary write.

return {
	name = "colo-start",
	title = "COLO: the first migration, the RAM cache, and who starts first",
	evidence = {
		"QEMU 0393031a16 (2020): pages go into the cache as they arrive",
		"QEMU 8e48ac9586 (2018): the secondary's replication starts before CHECKPOINT_READY",
		"Lukas Straub, 2026: [PATCH] multifd: Add COLO support",
	},
	params = {
		channels = { default = 1, min = 1, max = 4, doc = "more than one: multifd" },
		dies = { default = false, doc = "the primary dies at some time" },
	},
	variants = {
		multifd_not_cached = { expect = "memory-divergence", faults = { "qemu.colo.multifd_not_cached" },
				       set = { channels = 2 }, runs = 2000,
				       doc = "as QEMU 8.2: what the secondary wrote is flushed from an empty cache" },
		ready_ignored = { expect = "state-lost", faults = { "qemu.colo.ready_ignored" }, set = { dies = true },
				  runs = 6000, doc = "a write reaches the disk before the backup job" },
		plain = { expect = "ok", runs = 2000 },
		multifd = { expect = "ok", set = { channels = 2 }, runs = 2000 },
		dies = { expect = "ok", set = { dies = true }, runs = 4000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 3 }
		local c

		vm:fill(0, 3)
		c = colo { vm = vm, migrate = true, loaders = p.channels, disk_sectors = 1 }
		actor("guest", function()
			c:step("primary", 0, 0)
			c:wait_started()
			c:disk_write("primary", 0)
			c:step("primary", 1, 0)
			c:checkpoint()
		end, { daemon = p.dies })
		actor("guest'", function()
			c:step("secondary", 2, 1)
		end, { daemon = true })
		if p.dies then
			actor("fate", function()
				c:wait_started()
				for _ = 1, 3 do
					point()
				end
				c:primary_dies()
				c:failover()
				c:disk_wait_commit()
			end)
		end
	end,
}
