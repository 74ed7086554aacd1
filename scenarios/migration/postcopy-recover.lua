-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The link fails after the guest left. What was on the wire is gone, and the source's bitmap says that it was sent.
--
--	source        clear the bit of page 2 ── send ──╳  paused ── recover ── push
--	destination                                        RECV_BITMAP: page 2 is not here
--
-- Only the destination knows what it got; the complement of that is what is still to be sent.

return {
	name = "postcopy-recover",
	title = "a link fails during postcopy, and pages that were on it must be sent again",
	evidence = { "QEMU edd090c728 (2018): synchronize dirty bitmap for resume" },
	params = {
		preempt = { default = false, doc = "requested pages by a channel of their own" },
		failures = { default = 1, min = 0, max = 4, doc = "of the link" },
	},
	variants = {
		no_bitmap = { expect = "memory-divergence", faults = { "qemu.postcopy.recover_no_bitmap" }, runs = 6000,
			      doc = "the source goes on with its own bitmap: the page never comes" },
		recv_bitmap = { expect = "ok", runs = 4000, doc = "the destination says what it has" },
		twice = { expect = "ok", set = { failures = 2 }, runs = 3000 },
		preempt = { expect = "ok", set = { preempt = true }, runs = 3000, doc = "two channels fail" },
	},
	setup = function(p)
		local vm = source_vm { pages = 4 }
		local m, there

		vm:fill(0, 4)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		m:postcopy_ram { preempt = p.preempt }
		there = m:vcpu("vcpu0")
		m:start_postcopy()
		actor("vcpu0 there", function()
			there:write(2)
			there:read(3)
		end)
		actor("network", function()
			for _ = 1, p.failures do
				point()
				if m:break_link() then
					m:recover()
				end
			end
		end)
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
