-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A block driver is frozen for suspend with requests in flight.
--
-- Freezing stops new requests, resets the device and deletes its queues; restoring sets all up again.  "Stops new
-- requests" was taken for "no requests": one that had been submitted and not completed was in a ring that went away
-- with the reset.  Nobody completes it after resume, and the task that waits for it waits for ever.
--
--	task     submit, kick ─────────────────────────────────────────────────── waits
--	suspend                freeze: reset, delete queues ── restore
--	device                              (the request was with the disk)
--
-- The first mend kept the queue frozen over the whole suspend and deadlocked other drivers' suspend; the second one
-- waits for the requests and lets go.

return {
	name = "freeze-with-requests",
	title = "a request that was in flight at freeze is never completed",
	evidence = {
		"Linux 4ce6e2db00de: virtio-blk: ensure no requests in virtqueues before deleting vqs",
		"Linux 7678abee0867: virtio-blk: don't keep queue frozen during system suspend",
	},
	variants = {
		not_drained = { expect = "hang", faults = { "guest.blk.freeze_no_drain" }, runs = 4000,
				doc = "before the change" },
		drained = { expect = "ok", runs = 4000, doc = "freeze waits until nothing is out" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread", delay_ns = 1000 }
		local blk = dev:driver { name = "vda" }
		local probed = flag("driver probed")

		vm:actor("task", function()
			blk:probe()
			probed:set()
			blk:read(0)
		end, { cpu = 0 })
		vm:actor("suspend", function()
			probed:wait()
			sleep(500)
			blk:freeze()
			blk:restore()
		end, { cpu = 0 })
	end,
}
