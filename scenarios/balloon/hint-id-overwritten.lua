-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Linux's driver has one word for the command id of the round that is under way, and puts its address into the queue
-- at the beginning of each round.  If the device has not come to the first round's id when the second round begins,
-- both buffers say the second one's:
--
--	queue      id | page 1 | stop | id | …          the word holds n, and later n + 1
--	device                                  id = n + 1: START.  Page 1: out of the bitmap, for round n + 1
--
-- Page 1 was hinted for round n.  If the guest has got it back since then (its shrinker frees hinted pages), wrote it,
-- and the sync between the rounds found it, it is lost.  Nothing else need be wrong, and the command id, which exists
-- to tell the rounds apart, does not help: the buffer was changed while the device had it.

local common = include("common.inc")

return {
	name = "hint-id-overwritten",
	title = "a round's command id is overwritten before the device has read it",
	evidence = {
		"Linux 86a559787e6f: virtio-balloon: VIRTIO_BALLOON_F_FREE_PAGE_HINT (cmd_id_active)",
		"Linux 71994620bb25: virtio_balloon: replace oom notifier with shrinker",
		"Linux 6.1 drivers/virtio/virtio_balloon.c: send_cmd_id_start(), shrink_free_pages()",
		"found by exploring hint-shrinker.lua; not reported upstream as far as is known",
	},
	variants = {
		one_word = { expect = "memory-divergence",
			     faults = { "guest.balloon.id_overwritten", "guest.balloon.shrinks_hinted" }, runs = 20000,
			     doc = "as Linux: one word, and the shrinker frees all that is hinted" },
		one_word_held = { expect = "ok", faults = { "guest.balloon.id_overwritten" }, runs = 3000,
				  doc = "a shrinker that frees only what the device has used" },
		own_words = { expect = "ok", faults = { "guest.balloon.shrinks_hinted" }, runs = 3000,
			      doc = "a word for each id that is out" },
	},
	setup = function()
		local w = common.world { pages = 2 }
		common.guest(w, function(balloon)
			local page = common.alloc(w, 1)

			w.logging:wait()
			if page then
				balloon:write(page, 2)
				common.free(w, page)
			end
			for _ = 1, 60 do
				if balloon:info().held == w.pages then
					break
				end
				yield()
			end
			common.alloc(w, 3)
		end)
		actor("monitor", function()
			w.ready:wait()
			common.begin(w, { budget_pages = 1, threshold_bytes = 8192 })
			common.active(w)
			common.finish(w)
		end)
	end,
}
