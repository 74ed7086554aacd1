-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The preempt channel at its ends: not yet there, closed before it is empty, lost while the main one goes on.
--
--	source        main: all is sent ── EOS          preempt: page 2 ──────────────╳
--	destination                        EOS: close both channels ── the guest goes on without page 2
--
-- What was asked for and has not come is what the destination waits for; and an error of either channel has to be
-- seen by the source, or the page counts as sent for good.

return {
	name = "postcopy-preempt",
	title = "two channels that end, or fail, one before the other",
	evidence = {
		"QEMU cf02f29e1e (8.2): the preempt thread was closed too early",
		"QEMU 7afbdada7e (9.0): the preempt channel is there before devices are loaded",
		"QEMU 60bb3c5871 (7.1): recovery with preempt; errors of both channels",
	},
	params = {
		preempt = { default = "8.0", values = { "7.1", "8.0", "10.1" }, doc = "as which QEMU" },
		lost = { default = false, doc = "the preempt channel alone fails" },
		device = { default = false, doc = "loading a device reads page 1: its ring" },
	},
	variants = {
		closed_early = { expect = "memory-divergence", faults = { "qemu.postcopy.preempt_closed_early" },
				 runs = 8000, doc = "the main channel ends first" },
		error_unseen = { expect = "hang", faults = { "qemu.postcopy.preempt_error_unseen" },
				 set = { lost = true }, runs = 8000,
				 doc = "the source looks at the main channel alone" },
		not_ready = { expect = "hang", faults = { "qemu.postcopy.preempt_not_ready" }, set = { device = true },
			      runs = 8000, doc = "the main loop waits for a page that comes by what it has to accept" },
		ready = { expect = "ok", set = { device = true }, runs = 4000, doc = "QEMU 9.0: the channel first" },
		ready_7_1 = { expect = "ok", set = { device = true, preempt = "7.1" },
			      faults = { "qemu.postcopy.preempt_not_ready" }, runs = 4000,
			      doc = "that connects when the migration begins" },
		waits = { expect = "ok", runs = 4000, doc = "as QEMU 8.2" },
		seen = { expect = "ok", set = { lost = true }, runs = 4000, doc = "both sides pause, and recover" },
		seen_7_1 = { expect = "ok", set = { lost = true, preempt = "7.1" }, runs = 4000 },
		seen_10_1 = { expect = "ok", set = { lost = true, preempt = "10.1" }, runs = 4000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 4 }
		local m, there

		vm:fill(0, 4)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		m:postcopy_ram { preempt_as = p.preempt, load_page = p.device and 1 or nil }
		there = m:vcpu("vcpu0")
		m:start_postcopy()
		actor("vcpu0 there", function()
			there:read(3)
			there:write(2)
		end)
		if p.lost then
			actor("network", function()
				point()
				m:break_preempt()
			end, { daemon = true })
			actor("manager", function() -- recovers whenever both sides paused
				while m:wait_for("postcopy-paused") do
					m:recover()
				end
			end, { daemon = true })
		end
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
		end)
	end,
}
