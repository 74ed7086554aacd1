-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Hung: the vector was masked and never unmasked.
--
-- Who moves interrupts or handles one that came while disabled masks the vector for a moment.  If the second half gets
-- lost, the device works on, its calls wait, and the driver sleeps.  Writing the guest notifier tells which design
-- of masking it is: with `unregister` it changes nothing, with `swap` it is an interrupt through the mask and
-- "recovers" the device, and the mask is the cause all the same.
--
-- `ringside diagnose` has to find the mask with either design.

return {
	name = "hung-mask",
	title = "hung: a vector stays masked",
	evidence = { "qemu-devel, April 2021: \"if the MSI is masked wrongly\"" },
	params = {
		masking = { default = "unregister", values = { "unregister", "swap" }, doc = "what masking does" },
		backend = { default = "iothread", values = { "iothread", "vhost" }, doc = "who calls" },
		unmask = { default = false, doc = "the second half" },
	},
	variants = {
		unregister = { expect = "lost-interrupt", runs = 2000, doc = "the call waits in the notifier" },
		swap = { expect = "lost-interrupt", set = { masking = "swap", backend = "vhost" }, runs = 2000,
			 doc = "it waits in masked_notifier" },
		unmasked = { expect = "ok", set = { unmask = true }, runs = 3000, doc = "not forgotten" },
	},
	setup = function(p)
		local vm = machine { vcpus = 2 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = p.backend, masking = p.masking }
		local blk = dev:driver { name = "vda" }
		local probed = flag("driver probed")

		vm:actor("task", function()
			blk:probe()
			probed:set()
			blk:read(0)
		end, { cpu = 0 })
		vm:actor("irqbalance", function()
			probed:wait()
			dev:msix():mask(1)
			if p.unmask then
				dev:msix():unmask(1)
			end
		end, { cpu = 1 })
	end,
}
