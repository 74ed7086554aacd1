-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A completion handler takes what is used, turns interrupts on, and does not look again.
--
-- The device uses another buffer after the handler's last look and before it turned interrupts on: the device sees
-- them off and says nothing, and the handler that could have seen it has gone:
--
--	handler    takes all ──────────────────── avail.flags := 0, returns
--	device                used.idx := 2, avail.flags say 1: no interrupt
--
-- So the handler looks once more after turning them on, and begins again if there is something: the loop that every
-- driver has, and the reason that turning interrupts on returns whether there is.

return {
	name = "done-no-recheck",
	title = "a completion between the handler's last look and interrupts on is not told",
	evidence = {
		"virtio 1.3, 2.7.14: used buffers are looked for again after notifications were enabled",
		"the loop of Linux's virtblk_done()",
	},
	variants = {
		no_recheck = { expect = "lost-interrupt", faults = { "guest.blk.done_no_recheck" }, runs = 8000,
			       doc = "the handler returns at once" },
		recheck = { expect = "ok", runs = 6000, doc = "it looks again" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread", delay_ns = 1000,
					features = { "VIRTIO_RING_F_INDIRECT_DESC" } }
		local blk = dev:driver { name = "vda" }

		vm:actor("task", function()
			blk:probe()
			local first, second = blk:submit { type = "read" }, blk:submit { type = "read", sector = 1 }
			first:wait()
			second:wait()
		end, { cpu = 0 })
	end,
}
