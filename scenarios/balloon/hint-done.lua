-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A migration is cancelled.  The guest keeps the pages it hinted until it reads DONE; who says that is the notifier
-- that comes at the end of every migration, and a migration that fails has an end, too.
--
-- One that succeeds has to say it earlier: the device at the destination is told of no sync and no end, so DONE has to
-- be in the state that it is sent.

local common = include("common.inc")

return {
	name = "hint-done",
	title = "after a migration the guest is without its free pages",
	evidence = {
		"QEMU dd8eeb9671: virtio-balloon: always indicate S_DONE when migration fails",
		"VIRTIO-5.5.6.5.2-D6: DONE is eventually reported",
	},
	params = {
		cancel = { default = true, doc = "the migration is cancelled; else it completes" },
	},
	variants = {
		done_late = { expect = "state-lost", faults = { "qemu.fph.done_after_state" }, set = { cancel = false },
			      runs = 500, doc = "DONE comes when the state was sent: C-O8" },
		completed = { expect = "ok", set = { cancel = false }, runs = 1500, doc = "the last sync says it" },
		no_done = { expect = "state-lost", faults = { "qemu.fph.no_done" }, runs = 3000,
			    doc = "nobody says DONE: C-O8" },
		done = { expect = "ok", runs = 1500, doc = "CLEANUP says it" },
	},
	setup = function(p)
		local w = common.world { pages = 4 }
		local ended = flag("cancelled")

		common.guest(w, function(balloon)
			ended:wait()
			for _ = 1, 400 do
				if balloon:info().held == 0 then
					break
				end
				yield()
			end
		end)
		actor("migration", function()
			w.ready:wait()
			common.begin(w, { budget_pages = 1, slow_link = true })
			common.wait_hints(w)
			if p.cancel then
				w.migration:cancel()
			end
			common.finish(w)
			ended:set()
		end)
	end,
}
