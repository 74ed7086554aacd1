-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A prediction, and what came of it: what free page hints save of a migration of 512 MiB to 8 GiB.  Calibrated on two
-- recordings of 512 MiB without hints, of an idle guest and of one that rewrites 16 of 64 MiB in memory, and on nothing
-- else; the tables are what analysis/fit-migration.lua prints of traces/migrate-hints/512-dirty-off.log and of
-- 512-idle-off.log.  What hints do, and all of the larger guests, is predicted.
--
-- Not fitted:
--
--	hints   QEMU holds bitmap_mutex for a whole ram_save_iterate() (63268c4970), so hints begin after the first, 50 ms;
--	        the ring has 1024 entries (VIRTQUEUE_MAX_SIZE), 4 GiB of blocks of 4 MiB, and all are taken at once.
--	        Recorded: 470 blocks in 180 us, 940 in 240.  With 8 GiB the guest adds the rest as its own are taken, 8 ms
--	        that are left out here
--	size    Linux has 64 bytes of struct page for each page: content that grows with the guest.  Recorded, idle: 2059,
--	        4566, 8995 and 17578 pages more with each doubling; predicted 2048, 4096, 8192 and 16384
--	file    in a guest that is larger than the calibrated ones the file takes fresh pages, so content is that of an idle
--	        guest and the file.  With 512 MiB it took pages that had content already, the initramfs's
--	zeros   all else is zeros, and hinted if all of a block is
--
-- Predicted and recorded stand side by side in analysis/README.md (lua5.4 analysis/predictions.lua hints).  Total
-- times are within 12 % except for two, 29 and 56 %: there a page that arrives for the first time took 4 to 6 us in
-- place of 13 (predict-tcg-limits.lua says why it varies), and repetitions differ as much.  So what predict-hinting.lua
-- says of other sizes holds here: with hints the time grows with content only.  What misses:
--
--	pages, with hints   3500 fewer than predicted of an idle guest: pages that are free and still have content, the
--	                    initramfs's among them, are hinted as well.  Without hints nothing tells them from others
--	rounds, downtime    which window brings the last sync: downtime is that of the pages that are left then
--
-- A guest that zeroes what it allocates, as Debian's kernel does (CONFIG_INIT_ON_ALLOC_DEFAULT_ON), gains nothing: it
-- dirties each block before it hints it, and the second sync brings all of them back.  Predicted with init_on_alloc and
-- 1 GiB: 4 rounds and 240078 pages of zeros; recorded (1024-idle-on-init-on-alloc.log) 4 and 245781, where there are 3
-- and 19401 otherwise.  The recording's 3 s are mostly the guest's zeroing under TCG, during which an iothread of
-- higher priority polled on the processor that the migration's thread shares with it.
--
-- Wei Wang's figures of 8 GiB are predict-hinting.lua's, fitted apart from these.
--
--	ringside compare scenarios/migration/predict-hinting-tcg.lua:calibrated --over mib=512,1024,2048,4096,8192 \
--		--set hint=true

local predict = include("predict.inc")

local CALIBRATION = {
	pages = 135314,
	content = {
		{ 0, 5736 },
		{ 7168, 1268 },
		{ 9745, 805 },
		{ 11264, 13768 },
		{ 31744, 8811 },
		{ 41475, 1522 },
		{ 44544, 199 },
		{ 126946, 27 },
		{ 128000, 2906 },
	},
	file = {
		{ 11264, 1475 },
		{ 35330, 510 },
		{ 37927, 492 },
		{ 39961, 664 },
		{ 41475, 512 },
		{ 42563, 443 },
	},
	others = {
		{ 4096, 33 },
		{ 6171, 3 },
		{ 8335, 5 },
		{ 9746, 48 },
		{ 25027, 5 },
		{ 43006, 2 },
		{ 128000, 19 },
		{ 128677, 79 },
		{ 130554, 323 },
	},
	zero_ns = 1190,
	again_ns = 3374,
	first_ns = 10286,
	rewrite_s = 28998,
	setup_ns = 1156012,
	sync_ns = 105937,
	device_state_ns = 2835140,
}

local IDLE = {
	pages = 135314,
	content = {
		{ 0, 6637 },
		{ 8192, 14 },
		{ 9243, 718 },
		{ 11264, 156 },
		{ 13745, 3469 },
		{ 86016, 8799 },
		{ 95747, 1402 },
		{ 98816, 199 },
		{ 126946, 27 },
		{ 128000, 2839 },
	},
	zero_ns = 1228,
	content_ns = 15550,
	setup_ns = 783682,
	sync_ns = 100374,
	device_state_ns = 1070884,
}

local BLOCK = 1024 -- pages of a hint: MAX_ORDER - 1
local STRUCT_PAGE = 64 -- bytes that Linux has of each page of memory: content, which grows with the guest
local DEVICES = CALIBRATION.pages - (512 << 8) -- pages of video memory and ROM, behind the RAM
local FILE, REWRITTEN = 64 << 8, 16 << 8 -- pages (scripts/record-guest.sh)
local PATIENCE_NS = 30000000000

return {
	name = "predict-hinting-tcg",
	title = "free page hints: recorded migration times of four sizes, predicted from one of them without hints",
	evidence = { "QEMU 7.2.22: traces/migrate-hints/*.log", "QEMU 63268c4970" },
	mode = "timed",
	steps_max = 4000000,
	params = {
		mib = { default = 512, min = 512, max = 1 << 20, doc = "guest memory" },
		load = { default = "idle", values = { "idle", "dirty" }, doc = "of the guest" },
		hint = { default = true, doc = "free page hints are used" },
		init_on_alloc = { default = false, doc = "the guest zeroes what it allocates, also for a hint" },
	},
	variants = {
		calibrated = { expect = "ok", set = { hint = false }, runs = 1 },
		dirty = { expect = "ok", set = { load = "dirty", mib = 4096 }, runs = 1 },
		idle = { expect = "ok", set = { mib = 4096 }, runs = 1 },
		loses = { expect = "dirty-page-lost", set = { load = "dirty", mib = 1000 }, runs = 1,
			  faults = { "qemu.migrate.no_final_sync" }, doc = "hints do not hide what is lost" },
	},
	setup = function(p)
		local pages = p.mib << 8
		-- In a guest with room the file takes fresh pages: what an idle one has stays beside it.
		local room = p.mib > 512
		local content = (p.load == "idle" or room) and IDLE.content or CALIBRATION.content
		local file = room and { { pages // 2, REWRITTEN } } or CALIBRATION.file
		local more = (pages - (512 << 8)) * STRUCT_PAGE // 4096
		local used = {}
		local vm, m, patience

		predict.machine(CALIBRATION)
		vm = source_vm { pages = pages + DEVICES, manual_protect = false }
		local function fill(first, count)
			vm:fill(first, count)
			for block = first // BLOCK, (first + count - 1) // BLOCK do
				used[block] = true
			end
		end
		for _, range in ipairs(content) do
			fill(range[1], range[2])
		end
		if more > 0 then
			fill(pages - more, more)
		end
		if p.load == "dirty" then
			if room then
				fill(pages // 2, FILE)
			end
			for i, range in ipairs(file) do
				vm:dirtier { name = "file" .. i, first = range[1], pages = range[2], pattern = "sweep",
					     pages_per_second = CALIBRATION.rewrite_s * range[2] // REWRITTEN }
			end
		end
		m = migrate {
			vm = vm,
			destination = vm:destination(),
			max_bandwidth = 100 << 30,
			downtime_limit_ns = 300000000,
		}
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
			metric("bitmap_syncs", m:stats().rounds)
			metric("hinted", m:stats().hinted_pages, "pages")
			patience:cancel()
		end)
		if p.hint then
			actor("balloon", function()
				local cpu = p.init_on_alloc and vm:writer("vcpu", "balloon")

				while m:state() == "none" or m:state() == "setup" do
					sleep(100000)
				end
				for block = pages // BLOCK - 1, 0, -1 do
					if not used[block] then
						for page = block * BLOCK, p.init_on_alloc and block * BLOCK + BLOCK - 1 or -1 do
							cpu:write(page, true)
						end
						m:hint(block * BLOCK, BLOCK)
					end
				end
			end)
		end
		patience = predict.patience(m, PATIENCE_NS)
	end,
}
