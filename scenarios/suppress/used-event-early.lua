-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device looks at used_event first, publishes, and decides with what it has seen.
--
-- Between its look and its publication the driver may take what is there, move used_event on, look whether anything
-- more is used, find nothing and sleep.  The new index then goes over the new event, and the device compares it with
-- the old one:
--
--	device    used_event: 0 ──────────────────────────────── used.idx := 2     2 does not go over 0: no interrupt
--	driver                    used_event := 1   used.idx: 1   sleeps
--
-- No barrier mends it: the look must come after the publication.  It is the same window as one without a full barrier
-- (../ring/used-flags-sb.lua), made by the program instead of the processor.  From outside they cannot be told apart:
-- cloud-hypervisor's ring was first changed as if a look too early were the cause; a week later it got its barrier.
return {
	name = "used-event-early",
	title = "used_event is read before used.idx is published",
	matrix = true,
	evidence = {
		"lkl/linux pull request 148: used_event was compared with used.idx, then used.idx went up",
		"cloud-hypervisor pull request 897: taken for a window between reading used_event and the check",
		"cloud-hypervisor 632921974: what it was, a full barrier missing before the read",
	},
	buffers = "buffers",
	params = { buffers = { default = 2, min = 1, max = 64, doc = "exposed in all" } },
	variants = {
		early = { expect = "lost-interrupt", faults = { "device.used_event.early" }, runs = 8000 },
		one_buffer = { expect = "ok", faults = { "device.used_event.early" }, set = { buffers = 1 }, runs = 4000,
			       doc = "the first interrupt is sent in any case" },
		holds = { expect = "ok", runs = 10000 },
	},
	setup = function(p)
		raw { buffers = p.buffers, features = { "VIRTIO_RING_F_EVENT_IDX" } }
	end,
}
