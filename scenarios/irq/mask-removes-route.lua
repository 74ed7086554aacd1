-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Masking takes the vector's route away and leaves its irqfd armed.
--
-- A third idea of how to mask: delete the GSI's route in KVM.  The irqfd is still there; a call wakes it, it takes
-- the counter, finds that the GSI leads nowhere, and drops the event.  Neither the eventfd nor a pending bit
-- remembers it:
--
--	vCPU        mask: route deleted ─────────────────────────── unmask: route set
--	backend                            call: counter 0 ─▶ 1 ─▶ 0, no route
--
-- Taking the irqfd off instead leaves the call in the counter.

return {
	name = "mask-removes-route",
	title = "a call while masked is taken by an irqfd whose GSI has no route",
	evidence = { "cloud-hypervisor b77fdeba2: msi/msi-x: prevent from losing masked interrupts" },
	variants = {
		route_removed = { expect = "lost-interrupt", faults = { "ch.msix.mask_removes_route" }, runs = 3000,
				  doc = "the irqfd stays armed" },
		irqfd_removed = { expect = "ok", runs = 4000, doc = "the event stays in the counter" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread" }
		local blk = dev:driver { name = "vda" }

		vm:actor("task", function()
			blk:probe()
			local request = blk:submit { type = "read" }
			dev:msix():mask(1)
			point()
			dev:msix():unmask(1)
			request:wait()
		end, { cpu = 0 })
	end,
}
