-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device is reset while it suspends, is suspended, or resumes; or before it is ready at all.
--
-- A reset ends all of it: what was kept for later is forgotten, with the driver that it was kept for.  crosvm clears
-- its flag before it resets, and clearing the flag is what sends the interrupts that were kept:
--
--	driver    suspended ───── status := 0 ────────────── reads 0, frees the rings
--	device              kept       └ sent ─ then reset ┘
--
-- And a device ignores SUSPEND until it is initialised: from a driver that asks early it would stop for ever, as
-- nothing says how to come back from there.
local common = include("common.inc")

return {
	name = "reset",
	title = "a reset meets a device that suspends, is suspended or resumes",
	evidence = {
		"virtio 1.4, 2.4.1 and 3.4.2",
		"crosvm 9442ff41e: write_bar() and the flag of suspended interrupts",
	},
	params = {
		design = common.by_status("v1.4"),
		backend = { default = "iothread", values = { "main-loop", "iothread", "vhost", "vhost-user", "vdpa" },
			    doc = "who serves the queue" },
		when = { default = "suspended", values = { "early", "suspending", "suspended", "resumed" },
			 doc = "when status is written" },
		broken = { default = false, doc = "the device has failed before (DEVICE_NEEDS_RESET)" },
	},
	variants = {
		replayed = { expect = "spec-violation", runs = 1000, set = { design = "stevens-2024" },
			     faults = { "crosvm.suspend.reset_replays" },
			     doc = "kept notifications go out although nobody resumed" },
		early_taken = { expect = "spec-violation", runs = 500, set = { when = "early" },
				faults = { "virtio.suspend.early" } },
		early_ignored = { expect = "ok", runs = 500, set = { when = "early" } },
		suspending = { expect = "ok", runs = 2000, set = { when = "suspending" } },
		suspended = { expect = "ok", runs = 1000 },
		resumed = { expect = "ok", runs = 1000, set = { when = "resumed" } },
		suspended_2023 = { expect = "ok", runs = 1000, set = { design = "zhu-2023" } },
		suspended_2024 = { expect = "ok", runs = 1000, set = { design = "stevens-2024" } },
		failed = { expect = "ok", runs = 1000, set = { broken = true } },
		failed_suspending = { expect = "ok", runs = 1000, set = { broken = true, when = "suspending" } },
	},
	setup = function(p)
		local x = common.machine(p, { delay_ns = 2000, suspend_ns = p.when == "suspending" and 1000 or 0 },
					 { "VIRTIO-3.4.2-D7", "VIRTIO-3.4.1-R2", "VIRTIO-3.4.2-D4", "VIRTIO-3.4-X4" })

		x.vm:actor("task", function()
			assert(x.core:start())
			assert(x.core:find_queues(1))
			if p.when == "early" then
				oracle("VIRTIO-3.4.1-R1", false)
				local bits = x.core:status()
				expect(x.core:status(bits | 16) == bits, "spec-violation", "dev=blk0",
				       "SUSPEND was taken before DRIVER_OK")
				x.core:ready()
				common.submit(x.core:queue(0))
				common.reap(x.core:queue(0), 1)
				return
			end
			x.core:ready()
			common.submit(x.core:queue(0))
			if p.when == "suspending" then
				x.core:status(x.core:status() | 16)
			else
				x:suspend()
			end
			if p.broken then
				x.dev:error("it failed")
			end
			sleep(5000)
			if p.when == "resumed" then
				x:resume()
			end
			x.core:reset()
			-- And all over again.
			x.core:remove()
			x:boot(1)
			common.submit(x.core:queue(0))
			common.reap(x.core:queue(0), 1)
			common.figures(x)
		end, { cpu = 0 })
	end,
}
