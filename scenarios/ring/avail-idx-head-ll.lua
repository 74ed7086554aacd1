-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device reads avail.idx, sees that something is there, and reads avail.ring[] and the descriptors.  Nothing but a
-- branch is between the two loads, and processors do not wait for branches:
--
-- 	device                              driver
-- 	avail.ring[0] -> stale  (early)
-- 	                                    desc[0], avail.ring[0] = …
-- 	                                    wmb, avail.idx = 1
-- 	avail.idx -> 1
--
-- A stale head is a buffer the device does not own: it is used twice, or the device finds the ring broken and stops,
-- which is how it shows here.  The same in reading a doorbell before the submission entry it announces.
return {
	name = "avail-idx-head-ll",
	title = "the ring entry is read before the index that says it is there",
	matrix = true,
	memory = "weak",
	evidence = {
		"QEMU a821ce5933: virtio: order index/descriptor reads",
		"DPDK d4ff2135eb: vhost: enforce avail index and desc read ordering",
		"firecracker issue 2169: no acquire between avail idx and descriptor reads",
		"SPDK 93db90f7f3: nvmf/vfio-user: fix SQ race condition",
	},
	params = {
		buffers = { default = 3, min = 1, max = 16, doc = "exposed in all" },
		barrier = { default = true, doc = "false: left out, in whatever ring code runs" },
		packed = { default = false, doc = "a packed ring" },
	},
	variants = {
		missing = { expect = "lost-kick", set = { barrier = false }, runs = 20000 },
		missing_packed = { expect = "lost-interrupt", set = { barrier = false, packed = true }, runs = 20000 },
		on_tso = { expect = "ok", memory = "tso", set = { barrier = false }, runs = 4000,
			   doc = "x86 keeps this order by itself" },
		on_tso_race = { expect = "data-race", memory = "tso", races = true, set = { barrier = false },
				runs = 1000, doc = "and still a data race" },
		holds = { expect = "ok", runs = 4000 },
		holds_packed = { expect = "ok", set = { packed = true }, runs = 4000 },
	},
	setup = function(p)
		raw { buffers = p.buffers, features = p.packed and { "VIRTIO_F_RING_PACKED" } or {} }
		if not p.barrier then
			skip_barrier("look", "rmb")
			skip_barrier("__vringh_get_head", "rmb")
			skip_barrier("next_head", "rmb")
		end
	end,
}
