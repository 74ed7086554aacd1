-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The driver writes descriptors and the ring entry, then avail.idx; the device writes the used element, then used.idx.
-- Each is two stores that only a write barrier keeps apart.  A device that takes what is not there yet finds the ring
-- broken and stops.  Compilers can do the same without any processor's help: in one build the data store sank below the
-- volatile store of the index.
return {
	name = "publish-before-content",
	title = "the index is visible before what it announces",
	matrix = true,
	memory = "weak",
	evidence = {
		"virtio 1.2, 2.7.13.3: a driver performs a suitable memory barrier before the idx update",
		"sysprog21/kvm-host issue 50: packed ring, flags before id and len, no release",
	},
	params = {
		buffers = { default = 3, min = 1, max = 16, doc = "exposed in all" },
		barrier = { default = true, doc = "false: left out, in whatever ring code runs" },
		packed = { default = false, doc = "a packed ring" },
	},
	variants = {
		missing = { expect = "lost-kick", set = { barrier = false }, runs = 20000 },
		missing_packed = { expect = "lost-kick", set = { barrier = false, packed = true }, runs = 20000 },
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
			skip_barrier("expose", "wmb")
			skip_barrier("virtqueue_add", "wmb")
		end
	end,
}
