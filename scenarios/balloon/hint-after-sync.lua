-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- "This only works as long as you don't call log_sync.  Once you call log_sync, you can't rely on old hints."
--
--	guest      queues hint of page 3 | page 3 is free again, allocated, written
--	KVM                                                               notes the write
--	migration                                                                 sync: bit 3 is set in the bitmap
--	balloon                                                                            applies the hint: bit 3 is 0
--
-- A driver that keeps what it hinted until DONE cannot write it; one that gives pages back before (to v35 the series
-- took none, v36 freed them when all were sent), or when memory is short, can.  So the device has to forget a round's
-- hints at its sync: a new command id, STOP before the sync, under a lock that a hint in progress holds.  Each of these
-- is taken away here.

local common = include("common.inc")

return {
	name = "hint-after-sync",
	title = "a free page hint is applied after the bitmap sync that followed it",
	evidence = {
		"virtio-dev, 7 February 2018: review of [PATCH v2 1/3] virtio-balloon: VIRTIO_BALLOON_F_FREE_PAGE_HINT",
		"QEMU c13c4153f7: command ids, free_page_lock, stop before the sync",
		"VIRTIO-5.5.6.5.2-D4",
	},
	variants = {
		no_stop = { expect = "memory-divergence", runs = 20000,
			    faults = { "guest.balloon.releases_hinted", "qemu.fph.no_stop" }, doc = "hinting goes on over the sync" },
		not_held = { expect = "ok", faults = { "guest.balloon.releases_hinted" }, runs = 3000,
			     doc = "the merged device makes up for such a driver" },
		held_no_stop = { expect = "ok", faults = { "qemu.fph.no_stop" }, runs = 1500,
				 doc = "and the merged driver for such a device" },
		merged = { expect = "ok", runs = 1500, doc = "both as merged" },
	},
	setup = function()
		local w = common.world { pages = 4 }

		common.guest(w, function()
			common.use(w, 3, 4)
		end)
		actor("migration", function()
			w.ready:wait()
			common.begin(w, { budget_pages = 1 })
			common.finish(w)
		end)
	end,
}
