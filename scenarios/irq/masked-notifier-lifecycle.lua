-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- vhost starts with the masked notifier in place, and nobody takes it away.
--
-- With masking by swap a backend begins in the masked state: its call fd is masked_notifier until MSI-X says that the
-- vector is not masked.  That word comes from the MSI-X code to whoever watches it, which is the irqfd path.  A
-- guest with INTx, or a VMM without irqfd, has nobody who watches: all of the backend's calls go to an eventfd
-- that nobody reads, and the guest never sees an interrupt of it.
--
-- Three fixes in one year went into the question who calls unmask, and when.

return {
	name = "masked-notifier-lifecycle",
	title = "without irqfd nobody tells vhost that its vector is not masked",
	evidence = {
		"QEMU a38b2c49bf: virtio-pci: guest notifier mask without non-irqfd",
		"QEMU 62c96360ae: virtio-pci: fix level interrupts",
		"QEMU 23fe2b3f9e: virtio_pci: fix level interrupts with irqfd, which the one before had left",
		"QEMU f56a12475f: vhost: backend masking support, where it began",
	},
	params = {
		vectors = { default = "each", values = { "each", "shared", "intx" }, doc = "what the guest uses" },
		no_irqfd = { default = true, doc = "the VMM's main loop reads guest notifiers" },
	},
	variants = {
		no_irqfd = { expect = "lost-interrupt", faults = { "qemu.vhost.start_masked" }, runs = 1000,
			     doc = "MSI-X, interrupts raised by the main loop" },
		intx = { expect = "lost-interrupt", faults = { "qemu.vhost.start_masked" },
			 set = { vectors = "intx", no_irqfd = false }, runs = 1000, doc = "a guest without MSI-X" },
		irqfd = { expect = "ok", faults = { "qemu.vhost.start_masked" }, set = { no_irqfd = false },
			  runs = 2000, doc = "the path that was tested" },
		no_irqfd_told = { expect = "ok", runs = 2000, doc = "after the fixes" },
		intx_told = { expect = "ok", set = { vectors = "intx", no_irqfd = false }, runs = 2000,
			      doc = "after the fixes" },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vhost", masking = "swap",
					no_irqfd = p.no_irqfd }
		local blk = dev:driver { name = "vda", vectors = p.vectors }

		vm:actor("task", function()
			blk:probe()
			blk:read(0)
		end, { cpu = 0 })
	end,
}
