-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- vhost keeps the last avail.idx it saw.  A helper that only asks whether there is anything (before batching, or after
-- asking for kicks) refreshed it without a read barrier; the pop that came next found the index ahead of its own, took
-- no look and no barrier, and read the ring entry as it was before the index.  Guests on arm64 saw "output.0:id 100 is
-- not a head!" and hung; the guest's driver was suspected first.
--
-- The barrier belongs to whoever refreshes the index, not to whoever pops.
return {
	name = "avail-empty-rmb",
	title = "an index seen by a look whether the ring is empty is trusted later, without a barrier",
	matrix = true,
	memory = "weak",
	evidence = {
		"Linux 22e1992cf7b0: vhost: Add smp_rmb() in vhost_vq_avail_empty()",
		"Linux: vhost: Add smp_rmb() in vhost_enable_notify()",
	},
	params = {
		buffers = { default = 3, min = 1, max = 16, doc = "exposed in all" },
	},
	variants = {
		missing = { expect = "lost-kick", faults = { "device.empty.skip_rmb" }, runs = 20000 },
		on_tso = { expect = "ok", memory = "tso", faults = { "device.empty.skip_rmb" }, runs = 4000,
			   doc = "x86 keeps this order by itself" },
		on_tso_race = { expect = "data-race", memory = "tso", races = true, faults = { "device.empty.skip_rmb" },
				runs = 1000, doc = "and still a data race" },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function(p)
		raw { buffers = p.buffers }
	end,
}
