-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A hint says where free pages are and how many bytes they have.  The review of the first series asked of the line
-- that computes the range: "start is the length calculated from length?"  If it were, each hint of one page would take
-- page 1 out of the bitmap, whichever page it speaks of.

local common = include("common.inc")

return {
	name = "hint-range",
	title = "the first page of a free page hint is computed from its length",
	evidence = {
		"virtio-dev, 7 February 2018: [PATCH v2 1/3] virtio-balloon: VIRTIO_BALLOON_F_FREE_PAGE_HINT, review",
		"QEMU c13c4153f7: the form that was merged",
	},
	variants = {
		start_is_length = { expect = "memory-divergence", faults = { "qemu.fph.start_is_length" }, runs = 3000,
				    doc = "page 1 is used, and is not sent" },
		merged = { expect = "ok", runs = 1500, doc = "the range is the hint's" },
	},
	setup = function()
		local w = common.world { pages = 6 }

		common.guest(w, function()
			common.use(w, 2, 3)
		end)
		actor("migration", function()
			w.ready:wait()
			common.begin(w, { budget_pages = 1, slow_link = true })
			common.finish(w)
		end)
	end,
}
