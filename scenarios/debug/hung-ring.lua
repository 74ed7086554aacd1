-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Hung: no notification was lost, the state of the ring is wrong.
--
-- A vhost device was stopped and started again while a request was in flight, and its position was taken at once:
-- behind the request.  The buffer is available, and the device has read past it.  No kick will make it look there
-- again, and there is nothing to interrupt for.
--
-- `ringside diagnose` has to find that neither call nor kick helps, at any level, and show why: last_avail_idx is
-- avail_idx, and used_idx is behind both.

return {
	name = "hung-ring",
	title = "hung: the device has read past a buffer that it never used",
	evidence = {
		"qemu-devel, April 2021: \"wrong virtqueue state (either driver or device)\" among the causes",
		"QEMU 0bb302a996: a position that is taken while the device runs",
	},
	mode = "timed", -- the disk takes a second; the stop comes in the middle of it and lasts as long
	variants = {
		behind = { expect = "lost-kick", faults = { "virtio.stop.no_drain" }, runs = 1000,
			   doc = "the stop did not wait" },
		drained = { expect = "ok", runs = 3000, doc = "it did" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vhost", delay_ns = 1000000000 }
		local blk = dev:driver { name = "vda" }
		local probed = flag("driver probed")

		vm:actor("task", function()
			blk:probe()
			probed:set()
			blk:read(0)
		end, { cpu = 0 })
		actor("main", function()
			probed:wait()
			sleep(500000000)
			vm:stop()
			sleep(1000000000)
			vm:start()
		end)
	end,
}
