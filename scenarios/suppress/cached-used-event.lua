-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device keeps a copy of used_event and reads the field again only when the copy seems passed.
--
-- vhost did this from 4.10 to 4.12 to save a cache line.  It holds as long as drivers only move used_event on.  A
-- newer guest "disables" callbacks by writing 0 there, which near the wrap of the index lies *ahead* of used.idx: a
-- device that happens to read it then remembers an event some buffers away.  The driver takes what is there, writes
-- the index that it really waits for, and sleeps; the device uses the next buffer, finds its copy still ahead, and
-- neither reads used_event nor interrupts.  In the field: receive stalls once every few hours, on old hosts with
-- new guests, after a change in the guest that was correct.
return {
	name = "cached-used-event",
	title = "a cached used_event is trusted although the driver moved it back",
	matrix = true,
	evidence = {
		"Linux 809ecb9bca6a: vhost caches the used event; reverted by 8d65843c4426",
		"thread \"network hangs after 'virtio: fix up virtio_disable_cb'\", 2022 (guest: 8d622d21d248)",
	},
	buffers = "buffers",
	params = {
		start_idx = { default = 65533, min = 0, max = 65535, doc = "where both indices begin" },
		buffers = { default = 6, min = 1, max = 64, doc = "exposed in all" },
	},
	variants = {
		cached = { expect = "lost-interrupt", faults = { "device.used_event.cached" }, runs = 4000 },
		away_from_the_wrap = { expect = "ok", faults = { "device.used_event.cached" },
				       set = { start_idx = 1000 }, runs = 4000 },
		holds = { expect = "ok", runs = 10000 },
	},
	setup = function(p)
		raw {
			buffers = p.buffers, start_idx = p.start_idx,
			features = { "VIRTIO_RING_F_EVENT_IDX" },
		}
	end,
}
