-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- With manual protection the bit of a page stays set in KVM until KVM_CLEAR_DIRTY_LOG, which QEMU puts off until it
-- sends a page of the chunk.  A hint that clears only QEMU's bit is undone by the next sync: nothing is lost but the
-- use of hinting.  The same comes of looking at the first buffer of a chain alone.

local common = include("common.inc")

local ORDER = 6 -- blocks of one chunk of KVM_CLEAR_DIRTY_LOG each
local BLOCK = 1 << ORDER

-- Was the page hinted, with no write that the last sync before had not seen, and sent all the same?
local function sent_in_vain(history)
	local written, hinted = false, false

	for _, line in ipairs(history) do
		if line:find("written by", 1, true) then
			written, hinted = true, false
		elseif line:find("synced by", 1, true) then
			written = false
		elseif line:find("hinted by", 1, true) then
			hinted = not written
		elseif line:find("read by", 1, true) and hinted then
			return true
		end
	end
	return false
end

-- The first block is used, the last one, too; the one between them is written and freed, and hinted while the walk is
-- at the first.
local function one_block(w)
	local used = flag("the guest has its memory")

	common.guest(w, function(balloon)
		for _ = 1, w.pages do
			balloon:alloc()
		end
		used:set()
		w.logging:wait()
		common.quiet() -- the walk is at the end of RAM
		balloon:write(0, 1)
		balloon:write(BLOCK, 2)
		for page = 2 * BLOCK - 1, BLOCK, -1 do
			balloon:free(page)
		end
		w.migration:set_parameters { budget_pages = 1 }
	end)
	actor("monitor", function()
		w.ready:wait()
		used:wait()
		common.begin(w, { budget_pages = w.pages, slow_link = true })
		common.active(w)
		common.finish(w)
		expect(not sent_in_vain(w.source:history(BLOCK)), "state-lost", "balloon0",
		       "a page was hinted and not written since, and it was sent")
	end)
end

-- Everything is free; by the time of the first quiet moment each hint has come.
local function one_chain(w)
	common.guest(w, function() end)
	actor("monitor", function()
		w.ready:wait()
		common.begin(w, { budget_pages = 1, slow_link = true })
		if common.active(w) then
			common.quiet()

			local device, driver = w.dev:balloon_info(), w.balloon:info()

			if device.rounds == 1 and device.hint_status == "stop" and driver.reports == 1 then
				expect(device.hints == driver.hinted, "state-lost", "balloon0",
				       string.format("%d pages were hinted, and %d looked at", driver.hinted, device.hints))
			end
		end
		common.finish(w)
	end)
end

return {
	name = "hint-log-clear",
	title = "free pages that were hinted are sent all the same",
	evidence = {
		"QEMU 3143577d6a: migration: clear the memory region dirty bitmap when skipping free pages",
		"QEMU 0fe7245d8b: virtio-balloon: process all in sgs for free_page_vq",
	},
	params = {
		chain = { default = 1, min = 1, max = 4, doc = "pages in one chain of hints" },
	},
	variants = {
		no_clear = { expect = "state-lost", faults = { "qemu.fph.no_log_clear" }, runs = 2000,
			     doc = "the sync finds them in KVM's log again" },
		first_sg = { expect = "state-lost", faults = { "qemu.fph.first_sg" }, set = { chain = 4 }, runs = 2000,
			     doc = "three of four pages are not looked at" },
		merged = { expect = "ok", runs = 1500, doc = "the log is cleared, too" },
		merged_chain = { expect = "ok", set = { chain = 4 }, runs = 1500, doc = "all buffers of a chain" },
	},
	setup = function(p)
		if p.chain == 1 then
			one_block(common.world { pages = 3 * BLOCK, manual_protect = true, hint_order = ORDER })
		else
			one_chain(common.world { pages = 4, manual_protect = true, hint_chain = p.chain })
		end
	end,
}
