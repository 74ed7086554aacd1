-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A device sends its message while address and data of it are changed.
--
-- Moving an interrupt to another CPU writes two registers, the message's address (which CPU) and its data (which
-- vector there).  A device that signals between the two sends the new address with the old data: the vector of
-- one CPU on another one, where it is nobody's, and the interrupt is gone.  MSI-X entries are masked around
-- the change for that reason; plain MSI often cannot be masked, and takes a detour over a message that both CPUs
-- accept.
--
--	cpu0      address := cpu 1 ─────────────────────── data := vector of cpu 1
--	device                      sends (cpu 1, old vector)
--
-- A VMM that updates a route's address and data in two steps makes the same mistake on the other side.

return {
	name = "msi-affinity-torn",
	title = "a message is sent with the new address and the old data",
	evidence = { "Linux 6f1a4891a592: x86/apic/msi: plug non-maskable MSI affinity race" },
	variants = {
		torn = { expect = "lost-interrupt", faults = { "guest.msi.affinity_unmasked" }, runs = 6000,
			 doc = "the entry is not masked meanwhile" },
		masked = { expect = "ok", runs = 6000, doc = "masked, written, unmasked" },
	},
	setup = function()
		local vm = machine { vcpus = 2 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "main-loop", no_irqfd = true }
		local core = dev:core { name = "vda" }

		vm:actor("task", function()
			core:start()
			core:find_queues(1)
			core:ready()
			local vq = core:queue(0)
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
			vq:kick()
			vq:affinity(1)
			vq:wait()
			expect(vq:get(), "spec-violation", "vq=0", "an interrupt and nothing used")
		end, { cpu = 0 })
	end,
}
