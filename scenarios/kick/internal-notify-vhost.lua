-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The VMM kicks a queue itself, and vhost, which owns the ring, hears nothing.
--
-- Some kicks never were doorbells of the guest: QEMU calls virtio_queue_notify() when a device's own code has work
-- for a queue, and for doorbells without an ioeventfd, which exit to it.  It ran the userspace handler, as if the ring
-- were its own.  With vhost in charge that handler has no business there; the kick has to be passed on through the
-- host notifier, which is what vhost waits on.
--
-- Here the device has no ioeventfds, so every doorbell takes this way: the first one that vhost does not happen to
-- be awake for is lost.
return {
	name = "internal-notify-vhost",
	title = "virtio_queue_notify() runs the VMM's handler while vhost owns the ring",
	evidence = { "QEMU fcccb271e0: virtqueues are notified via the host notifier when available" },
	params = {
		ioeventfd = { default = false, doc = "doorbells are ioeventfds" },
	},
	variants = {
		lost = { expect = "lost-kick", faults = { "qemu.queue_notify.no_host_notifier" }, runs = 1000 },
		with_ioeventfd = { expect = "ok", faults = { "qemu.queue_notify.no_host_notifier" },
				   set = { ioeventfd = true }, runs = 4000,
				   doc = "the guest's own kicks do not meet it then" },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = "vhost",
					no_ioeventfd = not p.ioeventfd }
		local blk = dev:driver {}

		vm:actor("boot", function()
			assert(blk:probe())
			for i = 0, 1 do
				expect(blk:read(i) == 0, "state-lost", "vda", "the read failed")
			end
		end, { cpu = 0 })
	end,
}
