-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- COLO's RAM cache.  The secondary's guest runs on until the checkpoint's state is whole, and must be able to go on as
-- it was if the primary dies before.  So pages go into a cache, and from there into its memory once all has come:
-- those that the primary sent, and those that the secondary's guest wrote itself.

return {
	name = "colo-cache",
	title = "COLO: the primary dies during a checkpoint, and the secondary's memory is of two states",
	evidence = {
		"QEMU 13af18f222, d1955d2219 (2018): the cache, and its flush of what the secondary wrote",
		"QEMU 24fa16f8cc (2020): flushed only when the device state is whole",
		"Derek Su, 2020: [PATCH] migration/colo.c: migrate dirty ram pages before colo checkpoint",
		"QEMU 9d638407ef (2023): bitmap_mutex for the cache's bitmap again, after 672159a97c",
	},
	params = {
		steps = { default = 2, min = 1, max = 8, doc = "of each side's guest" },
		loaders = { default = 1, min = 1, max = 2, doc = "threads that load pages" },
		ahead = { default = 0, min = 0, max = 4, doc = "rounds that send pages before the checkpoint" },
		dies = { default = true, doc = "the primary dies at some time" },
	},
	variants = {
		no_ram_cache = { expect = "memory-divergence", faults = { "qemu.colo.no_ram_cache" }, runs = 6000,
				 doc = "pages go straight into memory" },
		flush_early = { expect = "memory-divergence", faults = { "qemu.colo.flush_early" }, runs = 6000,
				doc = "flushed before the devices' state has come" },
		flush_received_only = { expect = "memory-divergence", faults = { "qemu.colo.flush_received_only" },
					runs = 2000, doc = "what the secondary's guest wrote stays" },
		failover_while_loading = { expect = "memory-divergence", faults = { "qemu.colo.failover_while_loading" },
					   runs = 6000, doc = "it goes on with half a flush" },
		bitmap_unlocked = { expect = "memory-divergence", faults = { "qemu.colo.bitmap_unlocked" },
				    set = { loaders = 2, dies = false }, runs = 6000,
				    doc = "a bit of the cache's bitmap is lost" },
		flush_ahead = { expect = "memory-divergence", faults = { "qemu.colo.flush_ahead" }, set = { ahead = 2 },
				runs = 6000, doc = "what was sent ahead is in memory before its checkpoint" },
		ahead = { expect = "ok", set = { ahead = 2 }, runs = 4000, doc = "it waits in the cache" },
		cache = { expect = "ok", runs = 6000, doc = "as QEMU 8.2" },
		two_loaders = { expect = "ok", set = { loaders = 2 }, runs = 4000, doc = "with bitmap_mutex" },
		no_failure = { expect = "ok", set = { dies = false }, runs = 2000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 4 }
		local c

		vm:fill(0, 4)
		c = colo { vm = vm, loaders = p.loaders, ahead_rounds = p.ahead }
		actor("guest", function()
			for i = 1, p.steps do
				c:step("primary", i % 4, 0)
			end
			c:checkpoint()
			c:stats()
		end)
		actor("guest'", function()
			for i = 1, p.steps do
				c:step("secondary", 4 - i, i)
			end
		end, { daemon = true })
		if p.dies then
			actor("fate", function()
				for _ = 1, 6 do
					point()
				end
				c:primary_dies()
				c:failover()
			end)
		end
	end,
}
