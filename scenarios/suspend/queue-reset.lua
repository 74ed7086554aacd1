-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A queue is reset before, during or while the device is suspended.
--
-- "Configuration space" in 3.4 is the device's own; of the registers of the transport, queue_reset among them, it says
-- nothing.  A device that ignores all of them but device_status while suspended never resets the queue: queue_reset
-- reads 0, as if it were over, and queue_enable reads 1 for ever, for which the driver waits.
--
--	driver    suspended ── queue_reset := 1 ── queue_enable? 1 ── 1 ── 1 …
--	device                 (ignored)
local common = include("common.inc")

return {
	name = "queue-reset",
	title = "a queue is reset while the device is suspended",
	evidence = {
		"virtio 1.4, 2.6.1 and 3.4: unspecified",
		"qemu-devel, 12 September 2025, RFC 2/2: writes of common configuration but device_status are ignored",
	},
	steps_max = 20000,
	params = {
		design = common.designs("v1.4"),
		backend = { default = "iothread", values = { "main-loop", "iothread", "vhost", "vhost-user", "vdpa" },
			    doc = "who serves the queue" },
		order = { default = "suspended", values = { "before", "overlap", "suspended" },
			  doc = "when the queue is reset: before SUSPEND, while the device suspends, when it is" },
		look = { default = false, doc = "do not end the run at the first register that reads wrong" },
	},
	variants = {
		ignored = { expect = "spec-violation", faults = { "qemu.suspend.common_cfg_ignored" }, runs = 200,
			    doc = "queue_reset reads 0 as if it were over" },
		ignored_on = { expect = "livelock", faults = { "qemu.suspend.common_cfg_ignored" }, runs = 200,
			       set = { look = true }, doc = "and what comes of it: the driver waits for queue_enable" },
		overlap_main_loop = { expect = "ok", set = { order = "overlap", backend = "main-loop" }, runs = 2000,
				      doc = "who waits for the queue runs the main loop, which suspends" },
		overlap_owner = { expect = "ok", set = { order = "overlap", design = "admin-stop" }, runs = 1000 },
		before = { expect = "ok", set = { order = "before" }, runs = 1000 },
		overlap = { expect = "ok", set = { order = "overlap" }, runs = 2000 },
		suspended = { expect = "ok", runs = 1000 },
		suspended_2023 = { expect = "hang", set = { design = "zhu-2023" }, runs = 500,
				   doc = "what is in flight is held, and the reset waits for it" },
		suspended_2024 = { expect = "ok", set = { design = "stevens-2024" }, runs = 500 },
		by_the_owner = { expect = "ok", set = { design = "admin-stop" }, runs = 500 },
		d3hot = { expect = "livelock", set = { design = "pci-pm" }, runs = 200,
			  doc = "registers are not decoded: all ones, for ever" },
		by_the_vmm = { expect = "ok", set = { design = "vdpa-suspend" }, runs = 500 },
	},
	setup = function(p)
		local features = { "VIRTIO_RING_F_EVENT_IDX", "VIRTIO_F_RING_RESET" }
		p.machine = { vcpus = 2 }
		local x = common.machine(p, { features = features, suspend_ns = 1000, delay_ns = 500 })
		local go = flag("queues are up")

		if p.look then
			oracle("VIRTIO-4.1.4.3.1-D12", false)
		end
		local function reset(vq)
			expect(vq:reset(), "hang", "vq=0", "the queue cannot be reset")
		end
		x.vm:actor("task", function()
			x:boot(1)
			common.submit(x.core:queue(0))
			go:set()
			if p.order == "before" then
				reset(x.core:queue(0))
			end
			assert(x:suspend())
			if p.order == "suspended" then
				reset(x.core:queue(0))
			end
			assert(x:resume())
			if p.order == "overlap" then
				return
			end
			expect(x.core:queue(0):enable(), "hang", "vq=0", "the queue cannot be set up again")
			common.submit(x.core:queue(0))
			common.reap(x.core:queue(0), 1)
			common.figures(x)
		end, { cpu = 0 })
		if p.order == "overlap" then
			x.vm:actor("resetter", function()
				go:wait()
				reset(x.core:queue(0))
			end, { cpu = 1 })
		end
	end,
}
