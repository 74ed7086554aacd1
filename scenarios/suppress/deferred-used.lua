-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device holds used buffers back until it has a batch of them, and the driver sends no more until it gets some.
--
-- DPDK's vhost library writes used descriptors of a packed ring in batches, to save cache lines.  A Linux driver limits
-- what is in its queue (byte queue limits): below the size of a batch it stops and waits for completions.  The device
-- waits for one buffer more.  Both are right by the specification, which sets no time limit, and nothing moves any
-- more.
--
-- First DPDK published what it held when there was nothing more to take; later it dropped the holding back.
return {
	name = "deferred-used",
	title = "used buffers are held back for a batch that never fills",
	matrix = true,
	evidence = {
		"DPDK cdf1dc5e6a: vhost: flush shadow Tx if no more packets",
		"DPDK 8b13d12a16: vhost: fix shadow update",
	},
	params = {
		batch = { default = 3, min = 1, max = 4, doc = "used buffers that the device publishes at once" },
		limit = { default = 2, min = 1, max = 4, doc = "buffers that the driver has outstanding" },
		flush = { default = false, doc = "publish before it sleeps" },
	},
	variants = {
		starved = { expect = "hang", runs = 200 },
		flushed = { expect = "ok", set = { flush = true }, runs = 8000 },
		limit_above = { expect = "ok", set = { limit = 3 }, runs = 8000,
				doc = "six buffers: the last batch is whole" },
	},
	setup = function(p)
		raw {
			buffers = 6, outstanding = p.limit, defer = p.batch, defer_forever = not p.flush,
			features = { "VIRTIO_F_RING_PACKED", "VIRTIO_RING_F_EVENT_IDX" },
		}
	end,
}
