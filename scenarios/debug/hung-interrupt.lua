-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Hung: the interrupt was sent and nobody handled it.
--
-- The device used the buffer, signalled its notifier, the irqfd sent the message; the guest had no handler at that
-- vector yet.  Everything on the way is in order, before and after: only that one message is gone.
--
-- `ringside diagnose` has to find: a used buffer that the driver did not see, a notifier that was signalled and taken,
-- no mask, a route; and that calling once more recovers it.  Lost: the interrupt.

return {
	name = "hung-interrupt",
	title = "hung: a message was sent and no handler took it",
	evidence = {
		"Linux fe200ae48ef5, as the thread of 2021 has it: a lost interrupt that one more interrupt cures",
		"no change that is known: ../irq/irq-before-handler.lua has the order that is turned round here",
	},
	variants = {
		no_handler = { expect = "lost-interrupt", faults = { "guest.probe.irq_after_driver_ok" }, runs = 2000,
			       doc = "the handler is registered too late" },
		handler = { expect = "ok", runs = 2000, doc = "in time" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread" }
		local blk = dev:driver { name = "vda", scan = true }

		vm:actor("probe", function()
			blk:probe()
		end, { cpu = 0 })
	end,
}
