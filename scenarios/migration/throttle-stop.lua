-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Auto-converge makes vCPUs sleep: of each 10 ms that one ran, 10 p / (1 - p) ms at p percent, 990 ms at 99.  To stop
-- the machine each vCPU must come out of that sleep.  A sleep that cannot be interrupted is added to the downtime.

return {
	name = "throttle-stop",
	title = "stopping the machine waits for vCPUs that sleep for auto-converge",
	evidence = { "QEMU bd1f7ff4b2 (2019): the throttle's sleep is one that stopping ends" },
	mode = "timed",
	params = {
		percent = { default = 99, min = 20, max = 99, doc = "max-cpu-throttle, reached at once" },
	},
	variants = {
		uninterruptible = { expect = "spec-violation", faults = { "qemu.throttle.uninterruptible" }, runs = 4,
				    doc = "the sleep goes to its end" },
		interruptible = { expect = "ok", runs = 4, doc = "it is a wait on halt_cond" },
		little_throttle = { expect = "ok", faults = { "qemu.throttle.uninterruptible" },
				    set = { percent = 50 }, runs = 4, doc = "10 ms of sleep are within bounds" },
	},
	setup = function(p)
		local vm = source_vm { pages = 65536 }
		local m

		vm:fill(0, 65536)
		vm:dirtier { name = "vcpu0", pages = 32768, pages_per_second = 20000 }
		m = migrate { vm = vm, destination = vm:destination(), max_bandwidth = 60 << 20, auto_converge = true,
			      cpu_throttle_initial = p.percent, max_cpu_throttle = p.percent }
		actor("monitor", function()
			m:wait()
		end)
	end,
}
