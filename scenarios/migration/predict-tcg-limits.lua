-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A prediction, and what came of it: one guest (512 MiB, a vCPU under TCG that rewrites a part of a file in memory)
-- migrated with five limits of bandwidth and three of downtime, and with other loads.  All is calibrated on one
-- recording, traces/migrate-limits/16mib-100m-300ms.log, alone; the table is what
--
--	lua5.4 analysis/fit-migration.lua traces/migrate-limits/16mib-100m-300ms.log
--
-- prints.  Not from there: that dd reads and writes a MiB at a time, which part of the file the other loads rewrite,
-- and how long they pause (scripts/record-guest.sh); that a vCPU of SCHED_RR rests for 50 ms in each second.  Not
-- known: where the guest was in its round when the migration began, so all of PHASES are predicted.
--
-- Predicted and recorded stand side by side in analysis/README.md (lua5.4 analysis/predictions.lua limits).  Of 14, ten
-- have all of rounds, total time and pages sent within 8 % of the predicted range.  The others:
--
--	16mib-100m-100ms   predicted: no end.  Recorded: an end after 8 to 40 rounds.  2561 pages fit into 100 ms; at its
--	                   best the model has 2583 dirty at a sync, the guest had 2525.  A hair decides
--	8mib-50m-100ms     no end, as recorded, and as many pages, but half as many rounds: 2582 dirty pages and two budgets
--	                   of 1280 are a round of 200 ms, the guest's 2543 one of 100
--	16mib-400m-300ms   this one took 477 ms, predicted 592: in most of it a first page took 4 us.  The others took 630 to
--	                   668, and one of them the fourth round that is predicted
--	16mib-100m-300ms   the calibration itself ended after 3 rounds, or 4 when repeated: the bandwidth of one window
--	                   decides, and in a stretch of zeros it is 120 ms long, as the sender sleeps until the
--	                   socket's buffer is nearly empty
--
-- Before it was checked this way the model had all pages cost the same, and gave the thread a part of a processor while
-- vCPUs ran (thread_percent = 24 in predict-tcg-linux.lua).  The recordings tell what it is: 13 us for a page that
-- arrives for the first time, 3.5 us when it is sent again, whether vCPUs run or not.  The destination's memory is
-- touched for the first time, and the sender waits: mig_first_ns.  With the destination denied huge pages, and nothing
-- else changed (16mib-100m-300ms-thp-off.log), it is 6.5 us, and a page of zeros 2.1 in place of 1.0.  How long the
-- first touch takes is the host's, here itself a virtual machine: at times it is next to nothing.
--
--	ringside compare scenarios/migration/predict-tcg-limits.lua:as_calibrated --over phase \
--		--set bandwidth_mib_s=60 --beside traces/migrate-limits/16mib-60m-300ms.log

local predict = include("predict.inc")

local CALIBRATION = {
	pages = 135314,
	content = {
		{ 0, 6627 },
		{ 8192, 14 },
		{ 9251, 1805 },
		{ 12288, 13748 },
		{ 56320, 8812 },
		{ 66051, 1376 },
		{ 69120, 199 },
		{ 126946, 27 },
		{ 128000, 2839 },
	},
	file = {
		{ 9252, 1001 },
		{ 12288, 1455 },
		{ 59906, 510 },
		{ 62503, 464 },
		{ 64537, 666 },
	},
	others = {
		{ 4096, 33 },
		{ 7311, 7 },
		{ 26031, 5 },
		{ 62967, 28 },
		{ 66052, 32 },
		{ 128000, 65 },
		{ 129448, 38 },
		{ 130554, 323 },
	},
	zero_ns = 974,
	again_ns = 3507,
	first_ns = 9722,
	rewrite_s = 29789,
	setup_ns = 1041770,
	sync_ns = 171065,
	device_state_ns = 2105942,
}

local PATIENCE_NS = 30000000000
local BLOCK = 256 -- pages: dd reads and then writes a MiB at a time
local PHASES = 8
-- A thread of SCHED_RR that never sleeps is stopped for 50 ms of each second (sched_rt_runtime_us).
local RR_RUN_NS, RR_STOP_NS = 950000000, 50000000

-- The file from its beginning on, as { first page, pages }; of more than was seen dirty what follows the longest part.
local function file_of(mib)
	local list, left, longest = {}, mib << 8, CALIBRATION.file[1]

	for _, range in ipairs(CALIBRATION.file) do
		longest = range[2] > longest[2] and range or longest
		table.insert(list, { range[1], math.min(range[2], left) })
		left = left - list[#list][2]
		if left == 0 then
			return list
		end
	end
	table.insert(list, { longest[1] + longest[2], left })
	return list
end

local function write(cpu, ranges, from, count)
	for _, range in ipairs(ranges) do
		if count <= 0 then
			return
		end
		local n = math.min(range[2] - from, count)

		if n > 0 then
			cpu:write_range(range[1] + from, n)
			count = count - n
		end
		from = math.max(from - range[2], 0)
	end
end

return {
	name = "predict-tcg-limits",
	title = "recorded migrations of one guest under other limits and loads, predicted from one of them",
	evidence = { "QEMU 7.2.22: traces/migrate-limits/*.log" },
	mode = "timed",
	steps_max = 4000000,
	params = {
		bandwidth_mib_s = { default = 100, min = 1, max = 65536, doc = "max-bandwidth" },
		downtime_ms = { default = 300, min = 1, max = 10000, doc = "downtime-limit" },
		rewrite_mib = { default = 16, min = 1, max = 48, doc = "of the file that are rewritten" },
		pause_ms = { default = 0, min = 0, max = 10000, doc = "after each time" },
		cancel_ms = { default = 0, min = 0, max = 20000, doc = "when it is cancelled; 0: never" },
		phase = { default = 0, min = 0, max = PHASES - 1, doc = "where the guest is when it begins" },
	},
	variants = {
		as_calibrated = { expect = "ok", runs = 1, doc = "the calibration's limits" },
		endless = { expect = "livelock", set = { bandwidth_mib_s = 20, downtime_ms = 10 }, runs = 1,
			    doc = "not one of the guest's pages fits, and they are always dirty" },
	},
	setup = function(p)
		local file, pages = file_of(p.rewrite_mib), p.rewrite_mib << 8
		local vm, m, patience, over

		predict.machine(CALIBRATION)
		vm, m = predict.migrate(CALIBRATION, p)
		actor("guest", function()
			local cpu = vm:writer("vcpu", "vcpu0")
			local at = pages * p.phase // PHASES // BLOCK * BLOCK
			local ran = RR_RUN_NS * p.phase // PHASES
			local block_ns = BLOCK * 1000000000 // CALIBRATION.rewrite_s * RR_RUN_NS // (RR_RUN_NS + RR_STOP_NS)

			while not over do
				if at == 0 then
					for _, range in ipairs(CALIBRATION.others) do
						cpu:write_range(range[1], range[2])
					end
				end
				sleep(block_ns)
				write(cpu, file, at, BLOCK)
				ran = ran + block_ns
				if ran >= RR_RUN_NS then
					ran = 0
					sleep(RR_STOP_NS)
				end
				at = at + BLOCK
				if at == pages then
					at = 0
					sleep(p.pause_ms * 1000000)
				end
			end
		end, { daemon = true })
		actor("monitor", function()
			local state

			if p.cancel_ms > 0 then
				timer(function()
					m:cancel()
				end):arm(p.cancel_ms * 1000000)
			end
			state = m:wait()
			over = true
			expect(state == "completed" or state == "cancelled", "state-lost", "migration", "it ended as " .. state)
			metric("bitmap_syncs", m:stats().rounds)
			metric("completed", state == "completed" and 1 or 0)
			patience:cancel()
		end)
		patience = predict.patience(m, PATIENCE_NS)
	end,
}
