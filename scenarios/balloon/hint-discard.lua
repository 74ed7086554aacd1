-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Firecracker takes hints for what they say, without a migration: a page that is hinted is discarded, and comes back as
-- zeros when the guest writes it again.  An operator asks for a run; the driver's stop id is answered with DONE.
--
--	guest      queue hint of p | memory is short: p is free | allocate p, write p
--	device                                                                      discard p
--
-- There what was written is gone, in the guest that runs, whatever its memory log.  A driver that gives back only what
-- the device has used is safe.
--
-- A second run that is asked for while the stop id of the first is still in the queue is over at once: any stop id is
-- taken for the end, DONE is told, and the pages of the second run come for nothing.

local common = include("common.inc")

return {
	name = "hint-discard",
	title = "a hinted page is discarded after the guest has taken it back",
	evidence = {
		"Firecracker 1a431856d: Add free page hinting, whose text names the window",
		"Linux 71994620bb25: virtio_balloon: replace oom notifier with shrinker",
		"the second run: found here; not reported upstream as far as is known",
	},
	params = {
		second = { default = false, doc = "two runs, one behind the other" },
	},
	variants = {
		unused_freed = { expect = "memory-divergence", faults = { "guest.balloon.shrinks_hinted" }, runs = 20000,
				 doc = "as Linux: any hinted page may be freed" },
		not_held = { expect = "memory-divergence", faults = { "guest.balloon.releases_hinted" }, runs = 3000,
			     doc = "a driver that holds nothing" },
		used_only = { expect = "ok", runs = 3000, doc = "only pages that the device has come to" },
		stale_stop = { expect = "state-lost", faults = { "firecracker.hint.stale_stop" }, set = { second = true },
			       runs = 8000, doc = "the second run ends with the first" },
		own_stop = { expect = "ok", set = { second = true }, runs = 3000, doc = "a stop ends a run that began" },
	},
	setup = function(p)
		local w = common.world { pages = 2, discard = true }
		local asked = flag("the driver was asked for its free pages")

		common.guest(w, function(balloon)
			asked:wait()
			if p.second then
				return
			end
			for _ = 1, 60 do
				if balloon:info().held == w.pages then
					break
				end
				yield()
			end

			local page = common.alloc(w, 3)

			common.quiet()
			expect(not page or balloon:read(page) == 3, "memory-divergence", string.format("page=%d", page or 0),
			       "the guest wrote the page, and it is zeros")
		end)
		actor("operator", function()
			w.ready:wait()
			w.dev:hint_start()
			asked:set()
			if not p.second then
				return
			end
			common.wait_hints(w)

			local first = w.dev:balloon_info()

			w.dev:hint_start()
			common.quiet()

			local last = w.dev:balloon_info()

			expect(last.rounds > first.rounds or w.balloon:info().reports < 2, "state-lost", "balloon0",
			       "the driver made its second report, and none of it counted")
		end)
	end,
}
