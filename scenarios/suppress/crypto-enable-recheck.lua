-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A device model's handler turns notifications on at its end and does not pop again.
--
--	do {
--		virtio_queue_set_notification(vq, 0)
--		while ((req = virtqueue_pop())) …
--		virtio_queue_set_notification(vq, 1)
--	} while (!virtio_queue_empty(vq))          <- the line that virtio-crypto did not have
--
-- A request that another CPU exposes between the last pop and the last line was told not to kick.  Each device model
-- of QEMU has this loop of its own, and it is easily written without its end.  There is no virtio-crypto here: the
-- loop is that of virtio-blk, in the main loop and in an iothread.
return {
	name = "crypto-enable-recheck",
	title = "a handler enables notifications and does not look at the ring again",
	matrix = true,
	evidence = { "QEMU 600f5ce356: virtio-crypto: virtio_queue_set_notification() race" },
	params = {
		backend = { default = "main-loop", values = { "main-loop", "iothread", "vhost" }, doc = "who has the loop" },
	},
	variants = {
		main_loop = { expect = "lost-kick", faults = { "device.enable.no_recheck" }, runs = 8000 },
		iothread = { expect = "lost-kick", faults = { "device.enable.no_recheck" },
			     set = { backend = "iothread" }, runs = 8000 },
		holds = { expect = "ok", runs = 4000 },
		holds_iothread = { expect = "ok", set = { backend = "iothread" }, runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 2 }
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = p.backend }
		local blk = dev:driver { queues = 1 }
		local up = flag("the disk is there")

		vm:actor("cpu0", function()
			assert(blk:probe())
			up:set()
			expect(blk:read(0) == 0, "state-lost", "vda", "the read failed")
		end, { cpu = 0 })
		vm:actor("cpu1", function()
			up:wait()
			expect(blk:read(1) == 0, "state-lost", "vda", "the read failed")
		end, { cpu = 1 })
	end,
}
