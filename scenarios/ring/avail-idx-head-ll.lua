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

local barrier = include("barrier.inc")

return barrier.order {
	name = "avail-idx-head-ll",
	title = "the ring entry is read before the index that says it is there",
	evidence = {
		"QEMU a821ce5933: virtio: order index/descriptor reads",
		"DPDK d4ff2135eb: vhost: enforce avail index and desc read ordering",
		"Firecracker pull request 2169: no acquire between avail idx and descriptor reads, on Arm",
		"SPDK 93db90f7f3: nvmf/vfio-user: fix SQ race condition",
	},
	expect = "lost-kick",
	packed = "lost-interrupt",
	kind = "rmb",
	functions = { "look", "__vringh_get_head", "next_head" },
}
