-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A device asks for kicks with the flag although the event index was negotiated.
--
-- With VIRTIO_RING_F_EVENT_IDX a driver looks at avail_event and at nothing else (VIRTIO 2.7.10.1).  DPDK's vhost
-- library, which polls as a rule, learnt to sleep, and toggled used.flags only.  avail_event stays at 0: the first
-- buffer crosses it and is kicked for, all others do not until the index has gone round.
--
-- When the device happens to be awake the buffer is found, so it depends on who is faster.
return {
	name = "avail-event-not-updated",
	title = "kicks are asked for by used.flags, and the driver looks at avail_event",
	matrix = true,
	evidence = { "DPDK 77de7c781c: vhost: avail_event has to be written to enable notifications" },
	params = {
		event_idx = { default = true, doc = "negotiate VIRTIO_RING_F_EVENT_IDX" },
	},
	variants = {
		flags_only = { expect = "lost-kick", faults = { "device.enable.no_avail_event" }, runs = 200 },
		without_event_idx = { expect = "ok", faults = { "device.enable.no_avail_event" },
				      set = { event_idx = false }, runs = 4000,
				      doc = "the flag is what such a driver looks at" },
		holds = { expect = "ok", runs = 10000 },
	},
	setup = function(p)
		raw {
			buffers = 4, wait_each = true,
			features = p.event_idx and { "VIRTIO_RING_F_EVENT_IDX" } or {},
		}
	end,
}
