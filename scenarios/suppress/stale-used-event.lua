-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- An interrupt is suppressed because used_event stands where the driver was long ago.
--
-- 9p's driver never disables and never enables callbacks: req_done() takes what was used and returns.  That works
-- because virtqueue_get_buf() itself moves used_event to the next buffer as long as interrupts are wanted.  An
-- optimisation left used_event behind once the device had interrupted, to be caught up by the next enable_cb();
-- for a driver that never calls it the next used buffer does not cross used_event any more, and the device is
-- right not to interrupt.  The mount hangs after its first request.
--
-- Nothing races: with the fault each schedule hangs.  It is a hang and no lost interrupt, for by the rules of
-- 2.7.7.2 the driver did not ask.
return {
	name = "stale-used-event",
	title = "used_event stays behind for a driver that never enables callbacks",
	matrix = true,
	evidence = {
		"linux-next 35395770f803: get_buf leaves the event index alone; another form was merged, 6c0b057cec5e (6.4)",
		"thread \"9p regression\", virtualization list, March 2023",
	},
	params = {
		keep_callbacks = { default = true, doc = "a driver like 9p's; false: one like virtio_blk's" },
	},
	variants = {
		like_9p = { expect = "hang", faults = { "driver.get.stale_used_event" }, runs = 100 },
		like_virtio_blk = { expect = "ok", faults = { "driver.get.stale_used_event" },
				    set = { keep_callbacks = false }, runs = 4000,
				    doc = "who enables callbacks after each interrupt does not notice" },
		holds = { expect = "ok", runs = 10000 },
	},
	setup = function(p)
		raw {
			buffers = 2, wait_each = true, keep_callbacks = p.keep_callbacks,
			features = { "VIRTIO_RING_F_EVENT_IDX" },
		}
	end,
}
