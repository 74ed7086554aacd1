-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Whether precopy comes to an end: what is dirtied in a round must be less than what a round sends, or fit the
-- downtime limit.  The rest is measured: rounds, pages, downtime, and what auto-converge, a dirty limit, XBZRLE or
-- more channels make of them (`ringside compare --over aid`).

return {
	name = "converge",
	title = "precopy converges, or does not, by the rates of dirtying and sending",
	evidence = {
		"QEMU 070afca258 (2015): auto-converge that goes up",
		"QEMU acac51ba24 (8.1): dirty limit",
	},
	mode = "timed",
	steps_max = 2000000,
	params = {
		mib = { default = 512, min = 16, max = 1048576, doc = "guest memory" },
		dirty_mib_s = { default = 40, min = 1, max = 4096, doc = "dirtied a second" },
		hot_mib = { default = 128, min = 1, max = 1048576, doc = "where" },
		bandwidth_mib_s = { default = 128, min = 1, max = 65536, doc = "max-bandwidth" },
		downtime_ms = { default = 300, min = 1, max = 10000, doc = "downtime-limit" },
		patience_s = { default = 60, min = 1, max = 100000, doc = "when it is said not to end" },
		ring = { default = 4096, min = 1024, max = 65536, doc = "dirty-ring-size, for the dirty limit" },
		aid = { default = "none", values = { "none", "auto-converge", "dirty-limit", "multifd", "xbzrle" },
			doc = "what helps" },
	},
	variants = {
		converges = { expect = "ok", runs = 2, doc = "40 MiB/s against 128 MiB/s" },
		does_not = { expect = "livelock", set = { dirty_mib_s = 400 }, runs = 1,
			     doc = "400 MiB/s: a minute is not enough" },
		throttled = { expect = "ok", set = { dirty_mib_s = 400, aid = "auto-converge" }, runs = 2,
			      doc = "until vCPUs are slow enough" },
		each_sync = { expect = "spec-violation", faults = { "qemu.throttle.each_sync" },
			      set = { mib = 64, hot_mib = 16, dirty_mib_s = 400, bandwidth_mib_s = 16,
				      downtime_ms = 900, aid = "auto-converge" }, runs = 1,
			      doc = "a round is short where little more than the limit is dirty" },
		once_a_second = { expect = "ok",
				  set = { mib = 64, hot_mib = 16, dirty_mib_s = 400, bandwidth_mib_s = 16,
					  downtime_ms = 900, aid = "auto-converge" }, runs = 1 },
		limited = { expect = "ok", set = { dirty_mib_s = 400, aid = "dirty-limit" }, runs = 2,
			    doc = "to 1 MB/s by full rings" },
		multifd = { expect = "ok", set = { aid = "multifd" }, runs = 2 },
		xbzrle = { expect = "ok", set = { aid = "xbzrle" }, runs = 2 },
		loses = { expect = "dirty-page-lost", faults = { "qemu.migrate.no_final_sync" }, runs = 1,
			  doc = "the last pass without a sync, at this size" },
	},
	setup = function(p)
		local pages = p.mib * 256
		local vm = source_vm { pages = pages, dirty_ring_size = p.aid == "dirty-limit" and p.ring or 0 }
		local m, patience

		vm:fill(0, pages // 4)
		vm:dirtier { name = "vcpu0", pages = math.min(p.hot_mib * 256, pages),
			     pages_per_second = p.dirty_mib_s * 256 }
		m = migrate {
			vm = vm,
			destination = vm:destination(),
			max_bandwidth = p.bandwidth_mib_s << 20,
			downtime_limit_ns = p.downtime_ms * 1000000,
			auto_converge = p.aid == "auto-converge",
			vcpu_dirty_limit = p.aid == "dirty-limit" and 1 << 20 or 0,
			multifd_channels = p.aid == "multifd" and 2 or 0,
			xbzrle = p.aid == "xbzrle",
		}
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
			patience:cancel()
		end)
		patience = timer(function()
			violate("livelock", "migration", string.format("%d s, %d rounds, and no end", p.patience_s,
								       m:stats().rounds))
		end)
		patience:arm(p.patience_s * 1000000000)
	end,
}
