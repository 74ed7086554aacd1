-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Postcopy together with what precopy has for itself: XBZRLE ends at the switch, multifd is refused.
--
--	source        page 1 to channel 1 ── page 1 is dirty again ── discard 1 ── RUN ── push page 1
--	channel 1     ······················································· page 1 as it was ──▶
--	destination                                                   no page 1                  a page 1, of then
--
-- A difference needs what it was taken from, and the destination threw that away.  What a channel of multifd still has
-- at the switch arrives after the discard.

return {
	name = "postcopy-mixture",
	title = "postcopy with XBZRLE, and with multifd",
	evidence = {
		"QEMU 2ebeaec012 (2.8): no XBZRLE pages once in postcopy",
		"QEMU b405dfff1e (8.1): multifd with postcopy is refused",
		"QEMU 294e5a4034 (8.1): channels are flushed once a round, not once an iteration",
	},
	params = {
		xbzrle = { default = false, doc = "pages may be sent as differences" },
		channels = { default = 0, min = 0, max = 4, doc = "multifd" },
		section_flush = { default = false, doc = "multifd-flush-after-each-section, as before 8.1" },
		writes = { default = 2, min = 0, max = 6, doc = "of the vCPU at the source" },
	},
	buffers = "writes",
	variants = {
		differences = { expect = "state-lost", faults = { "qemu.postcopy.xbzrle" }, set = { xbzrle = true },
				runs = 8000, doc = "flags 0x40 in postcopy mode: the load fails" },
		multifd = { expect = "state-lost", faults = { "qemu.postcopy.multifd" }, set = { channels = 2 },
			    runs = 8000, doc = "a page comes after it was discarded" },
		whole_pages = { expect = "ok", set = { xbzrle = true }, runs = 4000,
				doc = "after the switch pages are sent whole" },
		section_flush = { expect = "ok", faults = { "qemu.postcopy.multifd" },
				  set = { channels = 2, section_flush = true }, runs = 4000,
				  doc = "QEMU until 8.0: nothing is in a channel between two iterations" },
	},
	setup = function(p)
		local vm = source_vm { pages = 3 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m, there

		vm:fill(0, 3)
		vm:watch(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0,
			      xbzrle = p.xbzrle, xbzrle_cache_pages = 4, multifd_channels = p.channels,
			      packet_pages = 1, multifd_flush_after_each_section = p.section_flush,
			      budget_pages = 2 }
		m:postcopy_ram()
		there = m:vcpu("vcpu0")
		actor("vcpu0", function()
			for _ = 1, p.writes do
				vcpu:write(1)
			end
			m:start_postcopy()
		end, { daemon = true })
		actor("vcpu0 there", function()
			there:read(1)
			there:write(2)
		end)
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
