-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A driver frees its rings while the device may still use them.
--
-- Removing a driver is: reset the device, wait until the status reads 0, wait for running handlers, free rings and
-- buffers.  A driver that leaves the first out gives memory away that a device still reads and writes.  (Leaving
-- the second out, guest.reset.no_wait, is a breach that a VMM which resets within the exit does not punish:
-- the oracle for it is a warning.)  Drivers did this by accident, not by ignorance: work that was queued before
-- the reset put new buffers into the ring after it.

return {
	name = "remove-without-reset",
	title = "rings are freed of a device that was not reset",
	evidence = {
		"virtio 1.3, 3.3.1: a driver resets the device before it takes buffers back",
		"Linux 0e7174b9d587: virtio_console: break out of buf poll on remove",
	},
	variants = {
		no_reset = { expect = "spec-violation", faults = { "guest.remove.no_reset" }, runs = 2000,
			     doc = "freed under the device" },
		reset_first = { expect = "ok", runs = 3000, doc = "in order" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread", delay_ns = 1000 }
		local core = dev:core { name = "vda" }

		vm:actor("task", function()
			core:start()
			core:find_queues(1)
			core:ready()
			local vq = core:queue(0)
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
			sleep(500)
			core:remove()
			core:start()
			core:find_queues(1)
			core:ready()
			core:remove()
		end, { cpu = 0 })
	end,
}
