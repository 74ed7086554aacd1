-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The backend calls while the vector is masked.
--
-- What masking does to the way from the backend's eventfd to the vCPU is a design, and there are two:
--
--	unregister  the irqfd is taken off the guest notifier.  The call stays in the counter, and the irqfd that
--	            comes back at unmask finds it there.  (virtio-blk, virtio-scsi, vhost-scsi)
--	swap        the irqfd stays; the backend gets another call fd, masked_notifier.  At unmask it gets the
--	            first one back, and *then* the masked one is looked at: a call must be in one or seen in the
--	            other.  (vhost-net)
--
-- Both hold for the backend's own calls, in all orders.  They differ for who writes the guest notifier itself, as
-- the debug interface of the 2021 thread wanted to: with `unregister` the write waits for the unmask like any
-- other, with `swap` it is an interrupt through the mask.  Looking first and giving back second, the order the
-- comment in the code warns of, loses what is called in between.

return {
	name = "call-while-masked",
	title = "a call while the vector is masked, in both designs of masking",
	evidence = {
		"qemu-devel, April 2021: \"Add debug interface to kick/call on purpose\", on bypassing the mask",
		"QEMU f56a12475f: vhost: backend masking support, and the order its comment asks for",
	},
	params = {
		masking = { default = "unregister", values = { "unregister", "swap" }, doc = "what masking does" },
		backend = { default = "iothread", values = { "iothread", "vhost" }, doc = "who calls" },
		write = { default = false, doc = "an administrator writes the guest notifier while masked" },
	},
	variants = {
		unregister = { expect = "ok", runs = 3000, doc = "the call waits in the counter" },
		unregister_written = { expect = "ok", set = { write = true }, runs = 3000, doc = "so does the write" },
		swap = { expect = "ok", set = { masking = "swap", backend = "vhost" }, runs = 3000,
			 doc = "the call waits in masked_notifier" },
		swap_written = { expect = "spec-violation", runs = 3000,
				 set = { masking = "swap", backend = "vhost", write = true },
				 doc = "the write passes the mask" },
		swap_test_first = { expect = "lost-interrupt", faults = { "qemu.vhost.unmask_test_first" },
				    set = { masking = "swap", backend = "vhost" }, runs = 6000,
				    doc = "looked at before the backend has its call fd back" },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = p.backend, masking = p.masking }
		local masked = flag("vector masked")

		local blk = dev:driver { name = "vda" }

		local function interrupts()
			local i = blk:queue(0):info()
			return i.interrupts + i.spurious
		end

		vm:actor("task", function()
			blk:probe()
			local request = blk:submit { type = "read" }
			dev:msix():mask(1)
			local before = interrupts()
			masked:set()
			point()
			point()
			expect(interrupts() == before, "spec-violation", "vector=1",
			       "an interrupt came through the mask")
			dev:msix():unmask(1)
			request:wait()
		end, { cpu = 0 })
		if p.write then
			actor("admin", function()
				masked:wait()
				dev:notifier(0, "guest"):set()
			end)
		end
	end,
}
