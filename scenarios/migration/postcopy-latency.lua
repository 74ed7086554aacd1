-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- How long a vCPU waits for a page, and why there is a preempt channel: what is asked for waits behind what the
-- main channel's sockets hold, and on a host with huge pages behind the rest of one.
--
--	asked ── half a round trip ── thread ── [ sockets: 7 MiB ] ── wire ── half a round trip ── read, UFFDIO_COPY
--	                                        preempt: nothing here
--
-- Peter Xu's figures for random accesses (QEMU 20d8262281): 10 ms without, 500 us with preempt, 600 us with the hint
-- of 10.1. Fitted here: the link (5 Gbit/s of payload for 7 MiB of buffers give the 10 ms) and mig_round_trip_ns, which
-- stands for what a busy host and its queues add (the 500 us).  All else follows: the ratio of the versions, what huge
-- pages cost, what one vCPU among several sees.  Not reproduced: that the hint makes random accesses a little slower.
-- With 8.0 a few touches meet a page in the main channel's sockets, 10 ms each, and the hint leaves that to chance.

return {
	name = "postcopy-latency",
	title = "how long a vCPU waits for a page, with and without a preempt channel",
	evidence = {
		"QEMU 20d8262281 (10.1): 10 ms, 500 us, 600 us",
		"QEMU 82b54ef4c1 (7.1): a request for the page that was left half sent was dropped",
	},
	mode = "timed",
	steps_max = 8000000,
	params = {
		mib = { default = 256, min = 4, max = 65536, doc = "guest memory" },
		host_pages = { default = 1, min = 1, max = 262144, doc = "512: huge pages of 2 MiB" },
		preempt = { default = "off", values = { "off", "7.1", "8.0", "10.1" }, doc = "as which QEMU" },
		vcpus = { default = 4, min = 1, max = 64, doc = "that touch pages at random" },
		touches = { default = 40, min = 1, max = 100000, doc = "of each" },
		gap_us = { default = 20, min = 0, max = 100000, doc = "between two" },
		link_mib_s = { default = 620, min = 1, max = 65536, doc = "the wire" },
		round_trip_us = { default = 450, min = 1, max = 100000, doc = "of a request, on a busy host" },
		socket_kib = { default = 7168, min = 4, max = 1048576, doc = "what the sockets of a channel hold" },
		at_least_us = { default = 0, min = 0, max = 10000000, doc = "that a page takes on average" },
		at_most_us = { default = 1000000, min = 0, max = 10000000, doc = "that a page takes on average" },
		patience_ms = { default = 1000, min = 1, max = 100000, doc = "the longest that a page may take" },
	},
	variants = {
		one_channel = { expect = "ok", set = { at_least_us = 9000, at_most_us = 11000 }, runs = 1,
				doc = "10 ms: fitted" },
		preempt = { expect = "ok", set = { preempt = "8.0", at_least_us = 400, at_most_us = 650 }, runs = 1,
			    doc = "500 us: fitted; a page that is in the main channel's sockets takes 10 ms" },
		preempt_7_1 = { expect = "ok", set = { preempt = "7.1", at_least_us = 1000, at_most_us = 3000 }, runs = 1,
				doc = "the one thread sleeps on the main channel's socket" },
		hint = { expect = "ok", set = { preempt = "10.1", at_least_us = 400, at_most_us = 700 }, runs = 1,
			 doc = "600 us published, 460 here: see above" },
		small_buffer = { expect = "ok", set = { socket_kib = 64, at_most_us = 700 }, runs = 1,
				 doc = "without a buffer there is little to preempt" },
		huge = { expect = "ok", set = { host_pages = 512, vcpus = 1, at_least_us = 11000, at_most_us = 16000 },
			 runs = 1, doc = "2 MiB: the sockets' 10 ms, the rest of a huge page, and this one" },
		huge_preempt = { expect = "ok", set = { host_pages = 512, preempt = "8.0", vcpus = 1, at_least_us = 4000,
				 at_most_us = 8000 }, runs = 1, doc = "2 MiB by half a wire" },
		huge_7_1 = { expect = "ok", set = { host_pages = 512, preempt = "7.1", vcpus = 1, at_least_us = 8000,
			     at_most_us = 13000 }, runs = 1, doc = "the same thread sends both" },
		gigantic = { expect = "ok", set = { mib = 2048, host_pages = 262144, preempt = "8.0", vcpus = 1,
			     touches = 4, at_least_us = 1600000, at_most_us = 4000000, patience_ms = 4000 },
			     runs = 1, doc = "1 GiB: a page fault takes seconds, whoever sends it" },
		dropped = { expect = "livelock", faults = { "qemu.postcopy.request_dropped" },
			    set = { host_pages = 512, preempt = "7.1", vcpus = 16, gap_us = 0, patience_ms = 62 },
			    runs = 1, doc = "more than 16 huge pages take by the wire: who is dropped waits for all the others" },
		not_dropped = { expect = "ok",
				set = { host_pages = 512, preempt = "7.1", vcpus = 16, gap_us = 0, patience_ms = 62 },
				runs = 1 },
	},
	setup = function(p)
		local pages = p.mib * 256
		local vm, m

		machine { mig_round_trip_ns = p.round_trip_us * 1000 }
		vm = source_vm { pages = pages, host_pages = p.host_pages }
		vm:fill(0, pages)
		m = migrate { vm = vm, destination = vm:destination(), link_bandwidth = p.link_mib_s << 20,
			      announce_rounds = 0 }
		m:postcopy_ram { preempt_as = p.preempt, socket_bytes = p.socket_kib * 1024 }
		m:start_postcopy()
		for i = 1, p.vcpus do
			local there = m:vcpu("vcpu" .. i)

			actor("vcpu" .. i .. " there", function()
				for n = 1, p.touches do
					there:write((n * 7919 + i * 104729) * 31 % pages)
					sleep(p.gap_us * 1000)
				end
			end)
		end
		actor("monitor", function()
			local s, mean

			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
			s = m:postcopy_stats()
			mean = s.faults > 0 and s.blocktime_ns // s.faults // 1000 or 0
			expect(mean >= p.at_least_us and mean <= p.at_most_us, "state-lost", "vcpu",
			       "a page took " .. mean .. " us on average")
			expect(s.blocktime_max_ns <= p.patience_ms * 1000000, "livelock", "vcpu",
			       "a page took " .. s.blocktime_max_ns .. " ns")
		end)
	end,
}
