-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A driver asks to be told later, and looks for what it may have missed where nothing is ever written.
--
-- virtqueue_enable_cb_delayed() asks for an interrupt when about 3/4 of what is outstanding is used, and must then look
-- whether that happened already.  In a split ring used.idx says so.  In a packed ring the driver looked at the
-- descriptor at the event's offset: is it used?  But the device writes one descriptor a chain and skips the others.
-- With chains of two descriptors the event may fall on one that is skipped: it never looks used, the driver sleeps,
-- and the device passed the event before it was there.
--
-- The cure is to look at the next descriptor that the device will write, whatever the event's offset is.
return {
	name = "packed-delayed-slot",
	title = "delayed enabling looks at a descriptor that is never written",
	matrix = { "ring", "event_idx" },
	evidence = { "Linux 40ce7919d873: virtio_ring: fix stalls for packed rings" },
	params = {
		chain = { default = 2, min = 1, max = 8, doc = "descriptors a buffer" },
		size = { default = 6, min = 2, max = 64, doc = "descriptors of the ring" },
	},
	variants = {
		skipped = { expect = "lost-interrupt", faults = { "driver.packed.delayed_slot" }, runs = 30000 },
		holds = { expect = "ok", runs = 8000 },
		holds_tso = { expect = "ok", memory = "tso", runs = 4000 },
	},
	setup = function(p)
		raw {
			size = p.size, chain = p.chain, delayed = true, buffers = 8,
			features = { "VIRTIO_F_RING_PACKED", "VIRTIO_RING_F_EVENT_IDX" },
		}
	end,
}
