-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A prediction: how long the memory of a COLO checkpoint takes, from what was published of plain and of multifd with
-- four channels (Lukas Straub, 2026: Windows guest of 6 GiB, 10 Gbit/s, a checkpoint every 600 ms, an SMB upload as
-- load; ms).
--
--	                          published   here
--	plain      idle  mean        4.50      4.51   fitted: the dirty log, 332 us a GiB, and 278 pages
--	           idle  99 %       10.33     10.21   fitted: the same two
--	           load  mean       24.30     24.36   fitted: 2468 pages
--	           load  99 %       78.05     74.93   predicted, - 4 %
--	multifd-4  idle  mean        6.48      6.49   fitted: a channel's part of the sync, 880 us
--	           idle  99 %       10.41      8.68   predicted, - 17 %
--	           load  mean       14.12     14.15   fitted: a page takes 9.04 us of a thread; of the wire, 3.49
--	           load  99 %       31.27     33.67   predicted, + 8 %
--
-- Assumed: how pages are spread over checkpoints, as the sum of two exponential times is (99 % at 3.3 times the mean),
-- for idle and load alike.  It was chosen with the plain rows in view, so that the plain 99 % under load is a weak
-- prediction; the two of multifd are not.  The wire: 1.176 GB/s of payload.
--
-- To be checked elsewhere: under load three channels are best (means of 24.4, 14.9, 13.3, 14.1, 17.7 ms with 1, 2, 3,
-- 4, 8 of them), as from the third on the wire is the limit and each more has its sync; for an idle guest each is a
-- loss. With 25 Gbit/s four channels have a mean of 11.1 ms under load, which is the threads' limit.
--
--	ringside compare scenarios/migration/colo-multifd.lua:load --over channels=1,2,3,4,8
--	ringside run scenarios/migration/colo-multifd.lua:load_multifd --set gbit=25

local MEAN = { idle = 278, load = 2468 } -- pages
local PAGE_NS, SEND_NS = 700, 8340
local SYNC_GIB_NS, CHANNEL_NS = 332000, 880000
local GIB = 6

-- Quantiles of the sum of two equal exponential times, in 1/1000 of its mean: { 1/1000 of checkpoints, value }.
local SPREAD = {
	{ 0, 0 }, { 10, 74 }, { 20, 107 }, { 50, 178 }, { 100, 266 }, { 200, 412 }, { 300, 549 }, { 400, 688 },
	{ 500, 839 }, { 600, 1011 }, { 700, 1220 }, { 800, 1497 }, { 850, 1686 }, { 900, 1945 }, { 930, 2167 },
	{ 950, 2372 }, { 970, 2678 }, { 980, 2917 }, { 990, 3319 }, { 995, 3715 }, { 998, 4231 }, { 1000, 5000 },
}

-- The value at @i of @n equal parts, times 1000.
local function spread(i, n)
	local at = (2 * i + 1) * 500000 // n -- 1/1000000

	for k = 2, #SPREAD do
		local low, high = SPREAD[k - 1], SPREAD[k]

		if at < high[1] * 1000 then
			return low[2] * 1000 + (high[2] - low[2]) * (at - low[1] * 1000) // (high[1] - low[1])
		end
	end
	return SPREAD[#SPREAD][2] * 1000
end

return {
	name = "colo-multifd",
	title = "COLO: memory of a checkpoint by one channel or several, published and predicted",
	evidence = { "Lukas Straub, \"multifd: Add COLO support\", January to March 2026" },
	mode = "timed",
	steps_max = 20000000,
	params = {
		load = { default = "idle", values = { "idle", "load" }, doc = "of the guest" },
		channels = { default = 1, min = 1, max = 16, doc = "1: plain; more: multifd" },
		gbit = { default = 10, min = 1, max = 400, doc = "of the link" },
		checkpoints = { default = 400, min = 10, max = 4000 },
	},
	variants = {
		release_early = { expect = "state-lost", faults = { "qemu.colo.release_early" }, set = { checkpoints = 10 },
				  runs = 1, doc = "figures do not hide what is lost" },
		idle = { expect = "ok", runs = 1 },
		load = { expect = "ok", set = { load = "load" }, runs = 1 },
		idle_multifd = { expect = "ok", set = { channels = 4 }, runs = 1 },
		load_multifd = { expect = "ok", set = { load = "load", channels = 4 }, runs = 1 },
	},
	setup = function(p)
		local pages = GIB << 18
		local vm, c

		machine {
			mig_page_ns = PAGE_NS,
			mig_send_ns = SEND_NS,
			mig_sync_gib_ns = SYNC_GIB_NS,
			colo_multifd_sync_ns = CHANNEL_NS,
		}
		vm = source_vm { pages = pages }
		vm:fill(0, pages)
		c = colo {
			vm = vm,
			loaders = p.channels,
			link_bandwidth = 117600000 * p.gbit,
			rtt_ns = 100000,
			device_state_bytes = 300000,
		}
		actor("guest", function()
			for i = 0, p.checkpoints - 1 do
				-- 149 has no factor in common with 400: each part once.
				local n = MEAN[p.load] * spread(i * 149 % p.checkpoints, p.checkpoints) // 1000000

				sleep(600000000)
				c:write("primary", i % 8 * 4096, n)
				c:step("primary", 0, 1)
				c:checkpoint()
			end
			c:stats()
			c:stop()
		end)
	end,
}
