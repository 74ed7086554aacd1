-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A round of hints has a command id.  The driver sends it before its pages, so that the device can tell them from
-- those of a round that is over.  Three ways in which a hint of an old round counts:
--
--	any id      REQUESTED with id n + 1; the driver's "n", late, starts the round, and n's pages follow
--	restart     STOP before the sync; the driver's "n", late, starts the round again
--	unlocked    the state was START when the iothread looked; STOP before the hint's effect
--
-- Then what the sync found is taken out of the bitmap again.  With a driver that holds its pages nothing is lost by
-- it; the statement is broken all the same, and hint-after-sync.lua shows what becomes of other drivers.

local common = include("common.inc")

return {
	name = "hint-stale-id",
	title = "hints of a round that is over count",
	evidence = {
		"QEMU 20a4da0f23: Prevent guest from starting a report when we didn't request one",
		"QEMU 1a83e0b9c4: Add locking to prevent possible race when starting hinting",
		"QEMU c13c4153f7: the id, and free_page_lock",
		"VIRTIO-5.5.6.5.2-D3",
	},
	variants = {
		any_id = { expect = "spec-violation", faults = { "qemu.fph.any_id" }, runs = 20000,
			   doc = "the id is not looked at" },
		restart = { expect = "spec-violation", faults = { "qemu.fph.restart_after_stop" }, runs = 20000,
			    doc = "START after STOP, unasked" },
		unlocked = { expect = "spec-violation", faults = { "qemu.fph.unlocked" }, runs = 20000,
			     doc = "the state changes without free_page_lock" },
		merged = { expect = "ok", runs = 2000, doc = "REQUESTED and the same id, under the lock" },
	},
	setup = function()
		local w = common.world { pages = 4 }

		common.guest(w, function()
			common.use(w, 2, 2)
		end)
		actor("monitor", function()
			w.ready:wait()
			common.begin(w, { budget_pages = 1 })
			common.finish(w)
		end)
	end,
}
