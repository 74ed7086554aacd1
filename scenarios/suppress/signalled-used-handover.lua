-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The ring comes back from another owner, and what was signalled long ago is taken for what was signalled last.
--
-- signalled_used is the used.idx at which a device last asked itself whether to interrupt; the next question is
-- whether the step from there to the new used.idx went over used_event.  A dataplane or vhost works on the ring
-- with a state of its own meanwhile.  When it stops, virtio.c gives the guest a last chance to be notified of what
-- the dataplane used and did not signal yet, and compares with its own, old signalled_used.  Here the other one used
-- 65,536 buffers: the index came round, the step looks like none at all, and the interrupt is suppressed.  The guest
-- waits for its last batch for ever.
--
-- The cure is a valid flag that is cleared whenever somebody else may have moved used.idx.  No interleaving needed,
-- only patience; batches of 512 keep it short.
return {
	name = "signalled-used-handover",
	title = "signalled_used is trusted after the ring was another owner's",
	matrix = { "memory" }, -- 65,536 buffers a schedule
	evidence = {
		"QEMU 6793dfd1b6: signalled_used_valid is cleared when dataplane gives the ring back",
		"QEMU 3561ba1418: the same when vhost stops",
		"DPDK 2f706027c8: a signalled_used_valid for the vhost library",
	},
	params = {
		lent = { default = 65536, min = 512, max = 131072, doc = "buffers that the other owner uses" },
	},
	variants = {
		kept = { expect = "lost-interrupt", faults = { "device.signalled_used.keep" }, runs = 3 },
		kept_but_short = { expect = "ok", faults = { "device.signalled_used.keep" }, set = { lent = 4096 },
				   runs = 200, doc = "far from a full round the old value does no harm" },
		holds = { expect = "ok", runs = 12 },
	},
	steps_max = 10000000,
	setup = function(p)
		raw {
			size = 512, batch = 512, budget = 512, wait_each = true,
			buffers = 512 + p.lent, lend_after = 512, lend_for = p.lent,
			features = { "VIRTIO_RING_F_EVENT_IDX" },
		}
	end,
}
