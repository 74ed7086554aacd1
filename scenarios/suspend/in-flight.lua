-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Requests are with the disk when the device is asked to suspend.
--
-- 3.4.2: before it says that it is suspended a device should stop consuming, wait for what is being processed, and send
-- the notifications that this leaves owed.  All of that is a should; that nothing moves afterwards is a must, so a
-- device that does not wait breaks the must by what comes back from the disk.
--
--	driver    add, kick ─────── SUSPEND ───────────────── 1 and 0 ─────────────── DRIVER_OK ─── reaps
--	device               popped         │ disk ─▶ used, notified │ nothing moves │
--
-- The design of 2023 does not wait either: completions are held back until the resume.  That of 2024 lets the rings run
-- and holds notifications back: right for a guest that sleeps, wrong for a memory image that is being taken.
local common = include("common.inc")

return {
	name = "in-flight",
	title = "requests in flight when the device is suspended",
	evidence = {
		"virtio 1.4, 3.4.2",
		"virtio-dev, 6 September 2023: virtio: introduce SUSPEND bit, which returns what is finished only",
		"crosvm 9442ff41e: virtio_pci_device keeps interrupts while suspended, and nothing else",
	},
	params = {
		design = common.designs("v1.4"),
		backend = { default = "iothread", values = { "main-loop", "iothread", "vhost", "vhost-user", "vdpa" },
			    doc = "who serves the queue" },
		requests = { default = 3, min = 1, max = 6, doc = "in flight" },
		suspend_ns = { default = 0, min = 0, max = 1000000, doc = "time the device takes to suspend" },
	},
	variants = {
		not_drained = { expect = "spec-violation", faults = { "virtio.stop.no_drain" }, runs = 1000 },
		rings_run = { expect = "spec-violation", faults = { "crosvm.suspend.rings_run" }, runs = 1000,
			      doc = "only notifications are held back" },
		owed_lost = { expect = "lost-interrupt", faults = { "virtio.suspend.owed_lost" }, runs = 2000,
			      doc = "drained, and nobody is told" },
		drained = { expect = "ok", runs = 2000 },
		drained_later = { expect = "ok", set = { suspend_ns = 500 }, runs = 2000 },
		drained_vhost = { expect = "ok", set = { backend = "vhost" }, runs = 500 },
		drained_vhost_user = { expect = "ok", set = { backend = "vhost-user" }, runs = 500 },
		drained_vdpa = { expect = "ok", set = { backend = "vdpa" }, runs = 500 },
		held = { expect = "ok", set = { design = "zhu-2023" }, runs = 1000 },
		held_vhost = { expect = "ok", set = { design = "zhu-2023", backend = "vhost" }, runs = 500 },
		notifications_held = { expect = "ok", set = { design = "stevens-2024" }, runs = 1000 },
		by_the_owner = { expect = "ok", set = { design = "admin-stop" }, runs = 1000 },
		owner_not_drained = { expect = "spec-violation", set = { design = "admin-stop" }, runs = 1000,
				      faults = { "virtio.stop.no_drain" },
				      doc = "the command is completed with buffers that were observed and not used" },
		d3hot = { expect = "lost-interrupt", set = { design = "pci-pm" }, runs = 1000,
			  doc = "what is finished in D3hot is told to nobody" },
		by_the_vmm = { expect = "ok", set = { design = "vdpa-suspend" }, runs = 1000 },
	},
	setup = function(p)
		local x = common.machine(p, { delay_ns = 1000, suspend_ns = p.suspend_ns })

		x.vm:actor("task", function()
			x:boot(1)
			local vq = x.core:queue(0)
			for _ = 1, p.requests do
				common.submit(vq)
			end
			sleep(500)
			assert(x:suspend())
			sleep(5000)
			assert(x:resume())
			common.reap(vq, p.requests)
			common.figures(x)
		end, { cpu = 0 })
	end,
}
