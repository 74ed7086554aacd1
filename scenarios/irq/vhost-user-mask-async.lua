-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vector is masked by a message, and the driver goes on before the backend has read it.
--
-- Masking by swap changes the backend's call fd.  In the kernel that is an ioctl, done when it returns.  With
-- vhost-user it is SET_VRING_CALL on a socket: the driver's write to the mask bit has returned, the driver relies
-- on silence, and the backend signals the old call fd, whose irqfd is still armed:
--
--	vCPU        mask: SET_VRING_CALL sent ─── relies on the mask
--	backend     uses a buffer, signals the old call fd ──────────── reads SET_VRING_CALL
--
-- Unmasking is a message, too, and there it loses one: the VMM looks whether masked_notifier was signalled before the
-- backend has stopped signalling it.  vhost-user devices mask by taking the irqfd off instead, since.

return {
	name = "vhost-user-mask-async",
	title = "an interrupt comes after the vector was masked: the backend had not read the message",
	evidence = {
		"QEMU 5669655aaf: vhost-user interrupt management fixes",
		"QEMU 2858bc6870: the same for virtio-mmio and virtio-ccw, which had not looked at the flag",
	},
	params = {
		masking = { default = "swap", values = { "unregister", "swap" }, doc = "what masking does" },
		poll = { default = false, doc = "the driver polls for the completion while the vector is masked" },
	},
	variants = {
		async_mask = { expect = "spec-violation", faults = { "qemu.vhost_user.mask_async" },
			       set = { poll = true }, runs = 8000, doc = "an interrupt after the mask" },
		async_unmask = { expect = "lost-interrupt", faults = { "qemu.vhost_user.mask_async" }, runs = 8000,
				 doc = "a call to masked_notifier after it was looked at" },
		waited = { expect = "ok", runs = 3000, doc = "swap, with a reply to the message" },
		waited_polled = { expect = "ok", set = { poll = true }, runs = 3000, doc = "the same, polled" },
		unregister = { expect = "ok", faults = { "qemu.vhost_user.mask_async" },
			       set = { masking = "unregister" }, runs = 3000, doc = "no message is needed" },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vhost-user",
					masking = p.masking }
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
			while p.poll and request:status() == 256 do
				blk:poll()
				yield()
				expect(interrupts() == before, "spec-violation", "vector=1",
				       "the vector is masked, and an interrupt came")
			end
			dev:msix():unmask(1)
			request:wait()
		end, { cpu = 0 })
	end,
}
