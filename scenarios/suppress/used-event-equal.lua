-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device interrupts if used_event is what it used last, and not if it has gone over it.
--
-- That is the rule as 2.7.7.2 puts it, for a device which asks itself after each buffer.  One that publishes two at
-- once steps over the event: the driver waits for the first of them, the comparison is with the second, and nobody is
-- told.  The interval test is in the header at the end of the specification, virtq_need_event().
--
-- Nothing races: a batch of two loses its interrupt in each schedule.
return {
	name = "used-event-equal",
	title = "used_event is compared for equality, and a batch steps over it",
	matrix = true,
	evidence = { "lkl/linux pull request 148: used_event == used->idx, so an event once passed is not met again" },
	params = { batch = { default = 2, min = 1, max = 4, doc = "buffers that are exposed, and used, at once" } },
	variants = {
		equal = { expect = "lost-interrupt", faults = { "device.used_event.equal" }, runs = 200 },
		one_at_a_time = { expect = "ok", faults = { "device.used_event.equal" }, set = { batch = 1 },
				  runs = 4000 },
		holds = { expect = "ok", runs = 8000 },
	},
	setup = function(p)
		raw {
			batch = p.batch, budget = p.batch, buffers = 3 * p.batch, wait_each = true,
			features = { "VIRTIO_RING_F_EVENT_IDX" },
		}
	end,
}
