-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- vhost keeps the last avail.idx it saw.  A helper that only asks whether there is anything (before batching, or after
-- asking for kicks) refreshed it without a read barrier; the pop that came next found the index ahead of its own, took
-- no look and no barrier, and read the ring entry as it was before the index.  Guests on arm64 saw "output.0:id 100 is
-- not a head!" and hung; the guest's driver was suspected first.
--
-- The barrier belongs to whoever refreshes the index, not to whoever pops.

local barrier = include("barrier.inc")

return barrier.order {
	name = "avail-empty-rmb",
	title = "an index seen by a look whether the ring is empty is trusted later, without a barrier",
	evidence = {
		"Linux 22e1992cf7b0: vhost: Add smp_rmb() in vhost_vq_avail_empty()",
		"Linux df9ace7647d4: vhost: Add smp_rmb() in vhost_enable_notify()",
	},
	expect = "lost-kick",
	fault = "device.empty.skip_rmb",
}
