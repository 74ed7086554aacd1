-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Beside the bitmap a migration keeps how many bits of it are set, and decides by that number when it is done.  A hint
-- clears bits in another thread than the one that sends pages:
--
--	as posted     count := count - pages of the hint, whether or not their bits were set
--	no mutex      both threads read the count, both write it back
--
-- A count that is taken below zero wraps round: more is pending than any guest has, so the thread neither syncs nor
-- completes, and has nothing to send.

local common = include("common.inc")

return {
	name = "hint-count",
	title = "the count of dirty pages is not the number of bits that are set",
	evidence = {
		"virtio-dev, 6 February 2018: migration_dirty_pages -= nr in [PATCH v2 1/3] virtio-balloon",
		"QEMU 386a907b37: migration: use bitmap_mutex in migration_bitmap_clear_dirty",
		"QEMU c13c4153f7: counts the bits before it clears them",
	},
	params = {
		patience = { default = true, doc = "the migration is cancelled after a while" },
	},
	variants = {
		never_done = { expect = "livelock", faults = { "qemu.fph.count_length" }, set = { patience = false }, runs = 50,
			       doc = "and the migration goes on for ever" },
		as_posted = { expect = "state-lost", faults = { "qemu.fph.count_length" }, runs = 3000,
			      doc = "pages that had been sent are subtracted again" },
		no_mutex = { expect = "state-lost", faults = { "qemu.fph.no_bitmap_mutex" }, runs = 4000,
			     doc = "an update is lost between the two threads" },
		merged = { expect = "ok", runs = 1500, doc = "under bitmap_mutex, and counted" },
	},
	setup = function(p)
		local w = common.world { pages = 6 }

		common.guest(w, function()
			common.use(w, 2, 2)
		end)
		actor("monitor", function()
			w.ready:wait()

			local m = common.begin(w, { budget_pages = 1 })

			-- By a count that is too high or wrapped round it would never be done.
			for _ = 1, p.patience and 150 or 0 do
				if m:state() == "completed" then
					break
				end
				yield()
			end
			if p.patience then
				m:cancel()
			end
			common.finish(w)

			local stats = m:stats()

			expect(stats.dirty_pages == stats.dirty_bits, "state-lost", "migration_dirty_pages",
			       string.format("it says %d, and %d bits are set", stats.dirty_pages, stats.dirty_bits))
		end)
	end,
}
