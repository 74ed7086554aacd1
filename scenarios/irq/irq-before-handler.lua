-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A device interrupts before the driver's handler is there, or before the driver calls itself ready.
--
-- Between "the device may use the queue" and "the handler is registered" there must be no gap in which a message
-- can be sent.  A probe that unmasks its vectors early, submits (a disk reads its partition table in probe) and
-- registers handlers after that, loses the completion in the vector that nobody serves.
--
-- Hardening turns it round: queue interrupts before the driver says that it is ready are ignored, so that a malicious
-- device cannot surprise a half-built driver.  Then the driver has to note "ready" before it writes DRIVER_OK, as
-- Linux's virtio_device_ready() does, for a device may act as soon as it sees that.  Noted afterwards, it is the same
-- hole elsewhere:
--
--	driver    buffers added ── DRIVER_OK written ─────────────────────── state := ready
--	device                                        uses them, interrupts: ignored
--
-- Hardening was switched off again by default, for drivers that call virtio_device_ready() in the wrong place.

return {
	name = "irq-before-handler",
	title = "a completion interrupts before the driver's handler takes notice",
	evidence = {
		"Linux 8b4ec69d7e09: virtio: harden vring IRQ; a queue is broken until virtio_device_ready()",
		"Linux c346dae4f3fb: virtio: disable notification hardening by default",
		"Linux 9e35276a5344, reverted by eb4cecb453a1: virtio_pci: harden MSI-X interrupts; a restore left them off",
	},
	params = {
		early_buffers = { default = false, doc = "expose a buffer before DRIVER_OK, as receive queues do" },
	},
	variants = {
		late_handler = { expect = "lost-interrupt", faults = { "guest.probe.irq_after_driver_ok" }, runs = 2000,
				 doc = "vectors unmasked first, handlers last" },
		handler_first = { expect = "ok", runs = 2000, doc = "the handler is there before DRIVER_OK" },
		hardened = { expect = "lost-interrupt", faults = { "guest.irq.dropped_before_ready" },
			     set = { early_buffers = true }, runs = 4000, doc = "ready is noted after DRIVER_OK" },
		not_hardened = { expect = "ok", set = { early_buffers = true }, runs = 4000, doc = "they are taken" },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread" }

		if p.early_buffers then
			local core = dev:core { name = "vda" }

			vm:actor("probe", function()
				core:start()
				core:find_queues(1)
				local vq = core:queue(0)
				vq:submit { out = { 16 }, ["in"] = { 512, 1 } }
				core:ready()
				vq:kick()
				vq:wait()
				expect(vq:get(), "spec-violation", "vq=0", "an interrupt and nothing used")
			end, { cpu = 0 })
			return
		end

		local blk = dev:driver { name = "vda", scan = true }

		vm:actor("probe", function()
			blk:probe()
		end, { cpu = 0 })
	end,
}
