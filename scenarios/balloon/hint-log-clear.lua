-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- With manual protection the bit of a page stays set in KVM until KVM_CLEAR_DIRTY_LOG, which QEMU puts off until it
-- sends a page of the chunk.  A hint that clears only QEMU's bit is undone by the next sync: nothing is lost but the
-- use of hinting.  The same comes of looking at the first buffer of a chain alone.

local common = include("common.inc")

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
		local w = common.world { pages = 4, manual_protect = true, hint_chain = p.chain }
		local logging, over = flag("logging"), flag("over")
		local dirty = flag("written and freed")

		common.guest(w, function()
			local mine = {}

			logging:wait()
			for i = 1, w.pages do
				mine[#mine + 1] = common.alloc(w, i)
			end
			for i = #mine, 1, -1 do
				common.free(w, mine[i])
			end
			dirty:set()
			over:wait()
		end)
		actor("migration", function()
			local m = w.migration

			w.ready:wait()
			m:begin()
			logging:set()
			dirty:wait()

			local old, before = w.dev:balloon_info(), w.balloon:info()
			local device, driver

			-- The round that this sync asks for, to its end.
			m:sync()

			for _ = 1, 400 do
				device, driver = w.dev:balloon_info(), w.balloon:info()
				if device.rounds > old.rounds and device.hint_status == "stop" then
					break
				end
				yield()
			end

			-- All four in this round, none as a late hint of the round before, which does not count.
			local whole = device.rounds == old.rounds + 1 and device.hint_status == "stop" and
				      before.held == 0 and driver.held == w.pages and
				      device.hints - old.hints >= w.pages // p.chain
			local left = m:sync()

			if whole then
				expect(left == 0, "state-lost", "balloon0",
				       string.format("all pages were hinted and none written, and %d are to be sent", left))
			end
			over:set()
			m:finish(true)
		end)
	end,
}
