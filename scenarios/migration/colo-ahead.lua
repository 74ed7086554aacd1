-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What a COLO checkpoint's stop is made of, and what sending dirty pages before it saves.  Derek Su (2020) has the
-- total stop time of a guest of 1 GiB with a buffered write by fio down by about 40 % over 10 Gbit/s; at what rate
-- and interval was not said, so that nothing is fitted here.  What rounds cannot save is devices, round trips and the
-- secondary's flush, which has the same pages to copy; how much of the stop that is, is a matter of how much is
-- dirtied (means, ms):
--
--	MiB a checkpoint           5              20             100
--	rounds ahead          0     1    10   0     1    10    0     1    10
--	stop               10.4   6.0   6.0  25.4   7.8   7.5  105.0  22.9  15.7
--	of it, pages        4.6   0.1   0.1  18.0   0.4   0.1   89.4   7.3   0.1
--
-- 5 MiB a checkpoint have 43 % saved, near what was published; more is saved where more is dirtied.  A checkpoint
-- that packets ask for waits for the rounds, and so do the packets.
--
--	ringside compare scenarios/migration/colo-ahead.lua:none --over ahead=0,1,2,3,10
--	ringside compare scenarios/migration/colo-ahead.lua:none --over mib_s=5,20,100 --set ahead=10

return {
	name = "colo-ahead",
	title = "COLO: how long the primary stands for a checkpoint, with pages sent ahead or not",
	evidence = { "Derek Su, \"COLO: migrate dirty ram pages before colo checkpoint\", June 2020" },
	mode = "timed",
	steps_max = 2000000,
	params = {
		ahead = { default = 0, min = 0, max = 100, doc = "rounds at most (the series: 10)" },
		ahead_mib = { default = 0, min = 0, max = 1024, doc = "x-colo-migrate-ram-threshold: the last round" },
		mib_s = { default = 100, min = 1, max = 10000, doc = "pages that the guest dirties, MiB/s" },
		delay_ms = { default = 1000, min = 10, max = 20000, doc = "between checkpoints" },
		dies_ms = { default = 0, min = 0, max = 100000, doc = "when the primary dies; 0: it does not" },
		seconds = { default = 10, min = 1, max = 100 },
	},
	variants = {
		flush_ahead = { expect = "memory-divergence", faults = { "qemu.colo.flush_ahead" },
				set = { ahead = 3, seconds = 2, dies_ms = 1094 }, runs = 1, doc = "half a state in the secondary's memory" },
		none = { expect = "ok", runs = 1 },
		ahead = { expect = "ok", set = { ahead = 10 }, runs = 1 },
		dies = { expect = "ok", set = { ahead = 3, seconds = 2, dies_ms = 1094 }, runs = 1,
			 doc = "in the second round of the first checkpoint" },
	},
	setup = function(p)
		local pages = 1 << 18
		local vm = source_vm { pages = pages }
		local at = 0
		local c

		vm:fill(0, pages)
		c = colo {
			vm = vm,
			checkpoint_delay_ns = p.delay_ms * 1000000,
			link_bandwidth = 1176000000,
			rtt_ns = 100000,
			device_state_bytes = 300000,
			ahead_rounds = p.ahead,
			ahead_bytes = p.ahead_mib << 20,
		}
		actor("fio", function()
			-- The page cache, round and round; a millisecond's pages at once.
			for ms = 1, p.seconds * 1000 do
				local n = p.mib_s * 256 * ms // 1000 - p.mib_s * 256 * (ms - 1) // 1000

				if at + n > pages then
					at = 0
				end
				c:write("primary", at, n)
				at = at + n
				sleep(1000000)
			end
			c:checkpoint()
			c:stats()
			c:stop()
		end, { daemon = p.dies_ms > 0 })
		if p.dies_ms > 0 then
			actor("fate", function()
				sleep(p.dies_ms * 1000000)
				c:primary_dies()
				c:failover()
				c:stop()
			end)
		end
	end,
}
