-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device's half of publish-before-content: the driver sees the new used.idx (or the flags of a packed descriptor)
-- and reads an element that is not written yet.  It takes back a buffer twice, or one that it does not have, declares
-- the device broken, and waits for ever.

local barrier = include("barrier.inc")

return barrier.order {
	name = "used-before-content",
	title = "used.idx is visible before the used element",
	evidence = {
		"virtio 1.2, 2.7.8.2: the device sets len prior to updating the used idx",
		"sysprog21/kvm-host pull request 50: packed ring, USED by a plain store behind an unfenced len",
	},
	expect = "lost-interrupt",
	packed = "lost-interrupt",
	kind = "wmb",
	functions = { "write_used", "__vringh_complete" },
}
