-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device writes avail_event although the event index was not negotiated.
--
-- avail_event stands behind the used elements and means something only with VIRTIO_RING_F_EVENT_IDX.  The sizes that
-- 2.7 gives count its two bytes in any case, so nothing forbids a device to write them.  But there are drivers that do
-- not negotiate the feature and keep something of their own there (SeaBIOS did), and a device that writes all the same
-- corrupts it each time it asks for kicks.

return {
	name = "event-out-of-bounds",
	title = "two bytes behind the used ring are written without the event index",
	evidence = {
		"kvmtool b7af514: virtio: Support drivers that don't negotiate VIRTIO_RING_F_EVENT_IDX",
		"virtio 1.4, 2.7: the used ring has 6 + 8 * (Queue Size) bytes, whatever was negotiated",
	},
	matrix = { "ring", "event_idx" },
	params = { event_idx = { default = false, doc = "VIRTIO_RING_F_EVENT_IDX is negotiated" } },
	variants = {
		not_negotiated = { expect = "state-lost", faults = { "device.avail_event.not_negotiated" },
				   runs = 2000, doc = "the bytes are the driver's" },
		negotiated = { expect = "ok", faults = { "device.avail_event.not_negotiated" },
			       set = { event_idx = true }, runs = 4000, doc = "they are avail_event" },
		checked = { expect = "ok", runs = 4000, doc = "written if negotiated" },
	},
	setup = function(p)
		local vm = machine {}
		local ring_feature = p.event_idx and "VIRTIO_RING_F_EVENT_IDX" or "VIRTIO_RING_F_INDIRECT_DESC"
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread",
					features = { ring_feature } }
		local core = dev:core { name = "vda" }

		vm:actor("task", function()
			core:start()
			core:find_queues(1, 8)
			core:ready()
			local vq = core:queue(0)
			-- vring_used is flags, idx and eight elements of eight bytes; then avail_event.
			local behind = dev:queue(0):info().vring_used + 4 + 8 * 8
			if not p.event_idx then
				ram_store(behind, 0x5a5a, 2)
			end
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
			while not vq:get() do
				vq:wait()
			end
			expect(p.event_idx or ram_load(behind, 2) == 0x5a5a, "state-lost", "vq=0",
			       "two bytes behind the used ring have changed")
		end, { cpu = 0 })
	end,
}
