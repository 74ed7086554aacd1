-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The smallest program that can lose a notification, and the yardstick of exhaustive exploration.
--
-- A producer writes an item, publishes an index, and kicks if the consumer said that it sleeps.  The consumer says so,
-- looks at the index once more, and sleeps.  Each side stores one word and then loads the other's: without a full
-- barrier between the two on *both* sides, both loads may see the old value, the consumer sleeps on an item, and nobody
-- kicks.  It takes a machine on which a store can pass a later load (x86 is one); and on any machine it takes no more
-- than a consumer that does not look again.
--
-- How many executions there are that differ in the order of conflicting accesses is known: 6, 45, 354 for n = 1, 2, 3
-- under sequential consistency, and 7, 64, 599 under TSO.

local ring

return {
	name = "wakeup-ring",
	title = "an index is published and a sleeper's flag checked, each side with one barrier",
	matrix = false, -- no virtqueue
	evidence = {
		"virtio 1.2, 2.7.13.4.1: a driver performs a suitable memory barrier before it reads avail_event or flags",
		"acrn-hypervisor pull requests 2733, 2623: no full barrier between used index write and NO_INTERRUPT read",
		"spdk issue 3178: the same in vhost_vq_event_is_suppressed()",
	},
	buffers = "n",
	params = {
		n = { default = 1, min = 1, max = 64, doc = "items" },
		skip_producer_fence = { default = false, doc = "none between index and flag" },
		skip_consumer_fence = { default = false, doc = "none between flag and index" },
		skip_recheck = { default = false, doc = "the consumer sleeps without looking again" },
	},
	variants = {
		no_recheck = { expect = "lost-kick", set = { n = 2, skip_recheck = true }, runs = 2000,
			       doc = "lost on any machine" },
		no_producer_fence = { expect = "lost-kick", memory = "tso", set = { n = 2, skip_producer_fence = true },
				      runs = 4000, doc = "the flag is read before the index is visible" },
		no_consumer_fence = { expect = "lost-kick", memory = "tso", set = { n = 2, skip_consumer_fence = true },
				      runs = 4000, doc = "the index is read before the flag is visible" },
		tso = { expect = "ok", memory = "tso", set = { n = 2 }, runs = 4000, doc = "with both barriers" },
		sc = { expect = "ok", set = { n = 2 }, runs = 4000, doc = "with both barriers" },
		sc_no_fences = { expect = "ok", memory = "sc", runs = 4000,
				 set = { n = 2, skip_producer_fence = true, skip_consumer_fence = true },
				 doc = "sequential consistency needs none" },
	},
	setup = function(p)
		ring = wakeup_ring(p)
	end,
	check = function(p)
		local ended = ring:info()
		if ended.lost then
			violate("lost-kick", "ring",
				("the consumer sleeps with %d of %d items seen, and nobody kicked"):format(ended.consumed, p.n))
		end
		expect(ended.wrong == 0, "memory-divergence", "ring", "an item was read before it was written")
	end,
}
