-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Indices of 16 bits are compared as if they were numbers.
--
-- With the event index a driver kicks if its step from the old to the new avail.idx went over avail_event.  All
-- three are modulo 2^16, so the question is a difference, not a comparison: (new - event - 1) < (new - old).
-- "new >= event + 1" is the same as long as nothing wraps.  The device here sleeps at avail_event 65534; the
-- driver exposes two buffers, its index goes to 0, and 0 is not above 65535: no kick, and none ever after, for
-- the device moves avail_event only when it wakes up.  The queue works for its first 65,535 buffers.
--
-- No interleaving is needed; the indices begin near the wrap so that nobody has to wait for it.
return {
	name = "event-index-wrap",
	title = "avail.idx wraps and is compared with avail_event as a number",
	matrix = true,
	evidence = { "rcore-os/virtio-drivers 7385d61: should_notify() compares avail_idx with avail_event + 1" },
	buffers = "buffers",
	params = {
		start_idx = { default = 65532, min = 0, max = 65535, doc = "where both indices begin" },
		buffers = { default = 8, min = 1, max = 64, doc = "exposed in all" },
	},
	variants = {
		compared_as_numbers = { expect = "lost-kick", faults = { "driver.kick.no_wrap" }, runs = 100 },
		not_at_the_wrap = { expect = "ok", faults = { "driver.kick.no_wrap" }, set = { start_idx = 32764 },
				    runs = 4000, doc = "the same code, and nobody notices" },
		holds = { expect = "ok", runs = 10000 },
	},
	setup = function(p)
		raw {
			buffers = p.buffers, batch = 2, wait_each = true, start_idx = p.start_idx,
			features = { "VIRTIO_RING_F_EVENT_IDX" },
		}
	end,
}
