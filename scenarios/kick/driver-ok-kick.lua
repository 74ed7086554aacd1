-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A kick right after DRIVER_OK finds a device thread that is not active yet.
--
-- Activation is handed to the device's thread: the register write returns, and the thread takes the rings a little
-- later.  The doorbell works from the first moment, so the guest's first kick may be in the eventfd by then.  The
-- thread reads it, finds no active device, calls it spurious and goes back to sleep; then it activates, and nobody
-- rings again.
--
-- The cure is a kick of its own for each queue when the device has become active: what is in the ring is looked at
-- once, whatever became of earlier kicks.
return {
	name = "driver-ok-kick",
	title = "kick between DRIVER_OK and activation is taken for spurious",
	evidence = {
		"Firecracker 0899ee515: queues are notified after activation, before early kicks were to be drained as spurious",
	},
	variants = {
		lost = { expect = "lost-kick", faults = { "virtio.start.no_self_kick" }, runs = 4000 },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function()
		local vm = machine { vcpus = 2 }
		local disk, blk = {}, {}

		for i = 1, 2 do
			disk[i] = vm:device { name = "vd" .. i, type = "virtio-blk", backend = "iothread",
					      iothread = "io", activate_async = true }
			blk[i] = disk[i]:driver { queues = 1 }
			vm:actor("boot" .. i, function()
				assert(blk[i]:probe())
				expect(blk[i]:read(0) == 0, "state-lost", "vd" .. i, "the read failed")
			end, { cpu = i - 1 })
		end
	end,
}
