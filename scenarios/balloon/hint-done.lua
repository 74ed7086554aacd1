-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A migration is cancelled.  The guest keeps the pages it hinted until it reads DONE; who says that is the notifier
-- that comes at the end of every migration, and a migration that fails has an end, too.

local common = include("common.inc")

return {
	name = "hint-done",
	title = "a cancelled migration leaves the guest without its free pages",
	evidence = {
		"QEMU dd8eeb9671: virtio-balloon: always indicate S_DONE when migration fails",
		"VIRTIO-5.5.6.5.2-D6: DONE is eventually reported",
	},
	variants = {
		no_done = { expect = "state-lost", faults = { "qemu.fph.no_done" }, runs = 3000,
			    doc = "nobody says DONE: C-O8" },
		done = { expect = "ok", runs = 1500, doc = "CLEANUP says it" },
	},
	setup = function()
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
			w.migration:cancel()
			common.finish(w)
			ended:set()
		end)
	end,
}
