-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device's half of publish-before-content: the driver sees the new used.idx (or the flags of a packed descriptor)
-- and reads an element that is not written yet.  It takes back a buffer twice, or one that it does not have, declares
-- the device broken, and waits for ever.
return {
	name = "used-before-content",
	title = "used.idx is visible before the used element",
	matrix = true,
	memory = "weak",
	evidence = {
		"virtio 1.2, 2.7.8.2: the device sets len prior to updating the used idx",
		"sysprog21/kvm-host issue 50: packed ring, flags before id and len, no release",
	},
	params = {
		buffers = { default = 3, min = 1, max = 16, doc = "exposed in all" },
		barrier = { default = true, doc = "false: left out, in whatever ring code runs" },
		packed = { default = false, doc = "a packed ring" },
	},
	variants = {
		missing = { expect = "lost-interrupt", set = { barrier = false }, runs = 20000 },
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
			skip_barrier("write_used", "wmb")
			skip_barrier("__vringh_complete", "wmb")
		end
	end,
}
