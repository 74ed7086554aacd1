-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Memory of huge pages: what the guest dirties are pages of 4 KiB, what userfaultfd places are pages of the host.
--
--	source        pages 0 1 | 2 3, page 1 is dirty again ── discard 0 1 ── send 0, 1 ── send 2, 3
--	destination                                             gather 0, 1: whole, UFFDIO_COPY
--
-- So the bitmap is rounded before the discard, nothing comes between two pages of one host page in a channel, and
-- who sends the rest of a host page has to be who sent the first half.

return {
	name = "postcopy-huge",
	title = "pages of the host are larger than those that are sent",
	evidence = {
		"QEMU 99e314ebca (2.5): bitmaps are rounded to host pages",
		"QEMU c01b16edf6 (7.1), 9358982744, b062106d3a (8.0): postcopy-preempt, and what became of it",
		"QEMU 77dadc3f83 (7.1): a temporary huge page for each channel",
	},
	params = {
		host_pages = { default = 2, min = 1, max = 8, doc = "pages of 4 KiB that one of the host has" },
		preempt = { default = "off", values = { "off", "7.1", "8.0", "10.1" }, doc = "as which QEMU" },
		writes = { default = 1, min = 0, max = 4, doc = "of the vCPU at the source, to page 1" },
		failures = { default = 0, min = 0, max = 4, doc = "of the link" },
	},
	variants = {
		no_chunk = { expect = "state-lost", faults = { "qemu.postcopy.no_chunk" }, runs = 4000,
			     doc = "half a huge page cannot be discarded" },
		small_pages = { expect = "ok", faults = { "qemu.postcopy.no_chunk" }, set = { host_pages = 1 },
				runs = 3000, doc = "there is nothing to round" },
		no_overlap_check = { expect = "hang", faults = { "qemu.postcopy.no_overlap_check" },
				     set = { preempt = "8.0" }, runs = 8000,
				     doc = "one half comes by each channel, and neither is whole" },
		tmp_kept = { expect = "state-lost", faults = { "qemu.postcopy.tmp_kept" }, set = { failures = 1 },
			     runs = 8000, doc = "the half that came before the failure counts twice" },
		rounded = { expect = "ok", runs = 4000, doc = "as QEMU 8.2" },
		preempt_7_1 = { expect = "ok", set = { preempt = "7.1" }, runs = 4000,
				doc = "a huge page is left half sent, and gone on with in its channel" },
		preempt_8_0 = { expect = "ok", set = { preempt = "8.0" }, runs = 4000 },
		preempt_10_1 = { expect = "ok", set = { preempt = "10.1" }, runs = 4000 },
		recovered = { expect = "ok", set = { failures = 1 }, runs = 4000 },
		recovered_7_1 = { expect = "ok", set = { failures = 1, preempt = "7.1" }, runs = 3000 },
		recovered_8_0 = { expect = "ok", set = { failures = 1, preempt = "8.0" }, runs = 3000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 3 * p.host_pages, host_pages = p.host_pages }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m, there

		vm:fill(0, 3 * p.host_pages)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		m:postcopy_ram { preempt_as = p.preempt }
		there = m:vcpu("vcpu0")
		actor("vcpu0", function()
			for _ = 1, p.writes do
				vcpu:write(1 % p.host_pages)
			end
		end, { daemon = true })
		actor("vcpu0 there", function()
			there:write(3 * p.host_pages - 1)
			there:read(0)
		end)
		if p.failures > 0 then
			actor("network", function()
				for _ = 1, p.failures do
					point()
					if m:break_link() then
						m:recover()
					end
				end
			end)
		end
		actor("monitor", function()
			point()
			m:start_postcopy()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
