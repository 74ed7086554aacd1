-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The driver writes descriptors and the ring entry, then avail.idx; the device writes the used element, then used.idx.
-- Each is two stores that only a write barrier keeps apart.  A device that takes what is not there yet finds the ring
-- broken and stops.  Compilers can do the same without any processor's help: in one build the data store sank below the
-- volatile store of the index.

local barrier = include("barrier.inc")

return barrier.order {
	name = "publish-before-content",
	title = "the index is visible before what it announces",
	evidence = {
		"virtio 1.2, 2.7.13.3.1: a driver performs a suitable memory barrier before the idx update",
	},
	expect = "lost-kick",
	packed = "lost-kick",
	kind = "wmb",
	functions = { "expose", "virtqueue_add" },
}
