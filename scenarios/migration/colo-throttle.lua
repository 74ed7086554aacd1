-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- COLO after a migration with auto-converge on.  A checkpoint's sync is one like those of precopy, and looks whether
-- more was dirtied than half of what was sent since the last look: from checkpoint to checkpoint it is about as much.
-- Two such looks, and the guest gets less of its processors, and less again after two more.  What it dirties shrinks
-- with what was sent, so that nothing ends it: 99 % are taken at the nineteenth checkpoint, after 38 s with 2 s
-- between them, and nobody gives them back.
--
--	counters run on   ──┤ckpt├── dirty 1 ──┤ckpt├── dirty 2 ──┤ckpt├──   dirty 2 against what dirty 1 sent: high
--	reset             ──┤ckpt├── …       ──┤0 ckpt├── …     ──┤0 ckpt├──  the period is as long as the sync
--
--	ringside compare scenarios/migration/colo-throttle.lua:reset --over mib_s=5,20,100

return {
	name = "colo-throttle",
	title = "COLO: auto-converge throttles a guest that converges by checkpoints",
	evidence = { "QEMU 91fe9a8dbd (2021): \"Reset the auto-converge counter at every checkpoint\"" },
	mode = "timed",
	steps_max = 2000000,
	params = {
		mib = { default = 64, min = 1, max = 65536, doc = "guest memory" },
		mib_s = { default = 20, min = 1, max = 10000, doc = "pages that the guest dirties, MiB/s" },
		delay_ms = { default = 2000, min = 10, max = 20000, doc = "between checkpoints" },
		seconds = { default = 20, min = 1, max = 1000 },
		auto_converge = { default = true, doc = "as the first migration had it" },
	},
	variants = {
		counts_on = { expect = "spec-violation", faults = { "qemu.colo.throttle_not_reset" }, runs = 1,
			      doc = "the third checkpoint throttles the guest" },
		reset = { expect = "ok", runs = 2, doc = "each checkpoint begins a period" },
		off = { expect = "ok", faults = { "qemu.colo.throttle_not_reset" }, set = { auto_converge = false },
			runs = 2, doc = "without auto-converge nobody counts" },
	},
	setup = function(p)
		local pages = p.mib * 256
		local vm = source_vm { pages = pages }
		local guest, c

		vm:fill(0, pages)
		guest = vm:dirtier { name = "vcpu1", pages = pages, pages_per_second = p.mib_s * 256 }
		c = colo {
			vm = vm,
			checkpoint_delay_ns = p.delay_ms * 1000000,
			link_bandwidth = 1176000000,
			rtt_ns = 100000,
			device_state_bytes = 300000,
			auto_converge = p.auto_converge,
		}
		actor("monitor", function()
			sleep(p.seconds * 1000000000)
			expect(c:stats().throttle == 0, "spec-violation", "throttle", "the guest is throttled")
			expect(c:stats().checkpoints > 1, "state-lost", "colo", "no checkpoints")
			guest:stop()
			c:stop()
		end)
	end,
}
