-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A bottom half of the device runs after the device was reset.
--
-- Completions do not happen where the disk says "done": they are handed to a bottom half of the thread that owns the
-- ring.  A reset in between leaves it scheduled, and it then fills a ring that is gone and memory that the driver
-- has back.  QEMU died of an assertion on the ring's mapping; a ring that is still mapped is silently written.
--
--	disk        done: bottom half scheduled
--	vCPU                                    status := 0, reads 0, frees its buffers
--	iothread                                                                        bottom half: writes them

return {
	name = "bh-after-reset",
	title = "a completion that was under way at reset writes memory the driver has back",
	evidence = {
		"QEMU ebb6ff25cd: virtio-blk: cancel the pending BH when the dataplane is reset",
		"virtio 1.3, 2.4.1: after reset the device touches no queue and sends no notification",
	},
	params = {
		backend = { default = "iothread", values = { "iothread", "main-loop" }, doc = "whose bottom half" },
	},
	variants = {
		not_drained = { expect = "spec-violation", faults = { "virtio.reset.no_drain" }, runs = 4000,
				doc = "the reset does not wait for what is under way" },
		not_drained_main_loop = { expect = "spec-violation", faults = { "virtio.reset.no_drain" },
					  set = { backend = "main-loop" }, runs = 4000, doc = "the main loop's" },
		drained = { expect = "ok", runs = 4000, doc = "it does" },
		drained_main_loop = { expect = "ok", set = { backend = "main-loop" }, runs = 4000,
				      doc = "the main loop's" },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = p.backend, delay_ns = 1000 }
		local core = dev:core { name = "vda" }

		vm:actor("task", function()
			core:start()
			core:find_queues(1)
			core:ready()
			local vq = core:queue(0)
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
			sleep(500)
			core:reset()
		end, { cpu = 0 })
	end,
}
