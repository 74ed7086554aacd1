-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Offsets of two laps of a packed ring are compared as if they were of one.
--
-- signalled_used is where the device stood when it last asked itself whether to interrupt; the next question is
-- whether the step from there to today's used offset went over the event that the driver asked for.  In a split
-- ring the indices have 16 bits and go round after 65,536 buffers.  The offsets of a packed ring go round after as
-- many descriptors as it has.  A device that defers the question (QEMU's virtio-blk: to a bottom half, so that one
-- interrupt does for a batch) may have used a whole lap meanwhile: old and new offset are equal, nothing seems to
-- have happened, no interrupt, and the guest waits for its requests for ever.
--
-- The cure is to forget signalled_used whenever the used position wraps.  No interleaving needed: here each batch
-- is one lap.
return {
	name = "packed-used-wrap",
	title = "a lap of the packed ring between two looks at whether to interrupt",
	matrix = true,
	evidence = { "QEMU 750539c4c4: signalled_used is invalid after used_idx of a packed ring wrapped" },
	params = {
		size = { default = 4, min = 2, max = 64, doc = "descriptors of the ring" },
		batch = { default = 4, min = 1, max = 64, doc = "buffers that are exposed, and used, at once" },
	},
	variants = {
		kept = { expect = "lost-interrupt", faults = { "device.packed.signalled_wrap" }, runs = 100 },
		kept_but_shorter = { expect = "ok", faults = { "device.packed.signalled_wrap" }, set = { batch = 3 },
				     runs = 2000, doc = "less than a lap at once: old and new differ" },
		holds = { expect = "ok", runs = 5000 },
	},
	setup = function(p)
		raw {
			size = p.size, batch = p.batch, budget = p.batch, buffers = 3 * p.batch, wait_each = true,
			features = { "VIRTIO_F_RING_PACKED", "VIRTIO_RING_F_EVENT_IDX" },
		}
	end,
}
