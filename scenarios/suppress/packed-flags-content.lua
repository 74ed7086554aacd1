-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A packed descriptor is read before the flags that say it is there.
--
-- There is no index in a packed ring: the AVAIL and USED bits in a descriptor's own flags hand it over, and the
-- driver writes them last.  The device must load the flags first and the rest behind a read barrier.  Without that
-- a processor may load address, length and id early, find whatever stood there before, and then the new flags.  The
-- device takes an empty descriptor, or that of the lap before, for what was made available.  Here it finds zeros,
-- says that the driver broke the ring, and the driver waits for ever.
--
-- The fault makes the loads in the order that the missing barrier allows, so that no weak memory model is needed.
return {
	name = "packed-flags-content",
	title = "contents of a packed descriptor are loaded before its flags",
	matrix = true,
	evidence = {
		"DPDK 33e12d63d1: read barrier between flags and content, in the vhost library",
		"DPDK 4b058fdd27: the same in the virtio PMD",
	},
	buffers = "buffers",
	params = {
		buffers = { default = 2, min = 1, max = 64, doc = "exposed in all" },
		disk = { default = false, doc = "a machine with a disk instead of a bare ring" },
		event = { default = 0, min = 0, max = 1, doc = "whether event indices are negotiated" },
	},
	variants = {
		content_first = { expect = "lost-kick", faults = { "device.packed.content_first" }, runs = 2000 },
		content_first_disk = { expect = "hang", faults = { "device.packed.content_first" },
				       set = { disk = true }, runs = 2000, doc = "the same in a machine" },
		holds = { expect = "ok", runs = 5000 },
		holds_disk = { expect = "ok", set = { disk = true, event = 1 }, runs = 2000 },
		holds_event_idx = { expect = "ok", set = { event = 1 }, runs = 5000 },
	},
	setup = function(p)
		local features = { "VIRTIO_F_RING_PACKED" }

		if p.event == 1 then
			features[2] = "VIRTIO_RING_F_EVENT_IDX"
		end
		if not p.disk then
			raw { buffers = p.buffers, features = features }
			return
		end

		local vm = machine { vcpus = 1 }
		local blk = vm:device { name = "vda", type = "virtio-blk", features = features }:driver {}

		vm:actor("guest", function()
			assert(blk:probe())
			for i = 1, p.buffers do
				expect(blk:read(i) == 0, "state-lost", "vda", "the read failed")
			end
		end, { cpu = 0 })
	end,
}
