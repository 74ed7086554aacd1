-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- One queue is reset while buffers of it are in flight.
--
-- VIRTIO_F_RING_RESET lets a driver take one queue's buffers back without resetting the device.  "Back" means that
-- the device is done with them, which it says by queue_reset reading 0.  Two ways to get that wrong: the device
-- says so although a request is still with the disk, or the driver does not wait for the word.
--
--	driver    queue_reset := 1, reads 0, takes buffers back, frees them ── uses the memory again
--	device    request with the disk ────────────────────────────────────────────────── writes it

return {
	name = "queue-reset-in-flight",
	title = "a reset queue's buffers are written after the driver has them back",
	evidence = {
		"virtio 1.2, 2.6.1.1: what a device must have done before queue_reset reads 0",
		"virtualization list, August 2022: virtio_net: fix for stuck when change ring size with dev down",
	},
	variants = {
		not_quiesced = { expect = "spec-violation", faults = { "virtio.queue_reset.no_quiesce" }, runs = 4000,
				 doc = "the device says 0 with a request in flight" },
		not_waited = { expect = "spec-violation", faults = { "guest.queue_reset.no_wait" }, runs = 4000,
			       doc = "the driver does not ask" },
		quiesced = { expect = "ok", runs = 4000, doc = "done, said, waited for" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread", delay_ns = 1000,
					features = { "VIRTIO_F_RING_RESET", "VIRTIO_RING_F_EVENT_IDX" } }
		local core = dev:core { name = "vda" }

		vm:actor("task", function()
			core:start()
			core:find_queues(1)
			core:ready()
			local vq = core:queue(0)
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
			sleep(500)
			expect(vq:reset() and vq:enable(), "hang", "vq=0", "the queue cannot be reset")
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
			while not vq:get() do
				vq:wait()
			end
		end, { cpu = 0 })
	end,
}
