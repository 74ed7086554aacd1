-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A kick that the device took before it was asked to suspend, and did not come to serve.
--
-- The driver makes a buffer available and rings.  The thread that serves the queue reads the doorbell's eventfd, and
-- before it looks at the ring the device is asked to suspend: it stops consuming, as it should.  After the resume the
-- driver has nothing new to add, so it does not ring; the doorbell of before is spent.  3.4 says nothing about who is
-- to look: the device has to look at each enabled queue when it resumes, or the driver to ring for each.
--
--	driver    add, kick ─────────── SUSPEND ─── suspended ─── DRIVER_OK ─── resumed, waits
--	device               kick read            stops                        nobody rings
--
--	ringside compare scenarios/suspend/lost-wakeup.lua --over design
local common = include("common.inc")

return {
	name = "lost-wakeup",
	title = "a kick taken before SUSPEND and not served is not made up for on resume",
	evidence = {
		"virtio 1.4, 3.4 (f219fef): silent about buffers that were available before SUSPEND",
		"the device of FreeBSD's bhyve looks at all ready queues on resume",
	},
	params = {
		design = common.designs("v1.4"),
		event_idx = { default = true, doc = "VIRTIO_RING_F_EVENT_IDX" },
		backend = { default = "iothread", values = { "main-loop", "iothread", "vhost", "vhost-user", "vdpa" },
			    doc = "who serves the queue" },
	},
	variants = {
		not_looked = { expect = "lost-kick", faults = { "virtio.suspend.no_rescan" }, runs = 4000 },
		not_looked_flags = { expect = "lost-kick", faults = { "virtio.suspend.no_rescan" },
				     set = { event_idx = false }, runs = 4000 },
		looked = { expect = "ok", runs = 4000 },
		looked_flags = { expect = "ok", set = { event_idx = false }, runs = 2000 },
		main_loop = { expect = "ok", set = { backend = "main-loop" }, runs = 2000 },
		held = { expect = "ok", set = { design = "zhu-2023" }, runs = 2000,
			 doc = "each queue is looked at by its holder" },
		by_the_owner = { expect = "ok", set = { design = "admin-stop" }, runs = 2000 },
		d3hot = { expect = "lost-interrupt", set = { design = "pci-pm" }, runs = 2000,
			  doc = "it is served in D3hot, and the message cannot be sent" },
		by_the_vmm = { expect = "ok", set = { design = "vdpa-suspend" }, runs = 2000 },
	},
	setup = function(p)
		local x = common.machine(p, { features = p.event_idx and { "VIRTIO_RING_F_EVENT_IDX" } or {} })

		x.vm:actor("task", function()
			x:boot(1)
			local vq = x.core:queue(0)
			common.submit(vq)
			x:suspend()
			x:resume()
			common.reap(vq, 1)
			common.figures(x)
		end, { cpu = 0 })
	end,
}
