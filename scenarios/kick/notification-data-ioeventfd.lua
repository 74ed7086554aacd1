-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A doorbell carries the producer index, and an ioeventfd has room for none.
--
-- With VIRTIO_F_NOTIFICATION_DATA the driver writes which queue and up to where buffers are available (2.9).  A device
-- may go by that and not look at the ring.  KVM turns the same write into "add 1 to an eventfd": who reads the eventfd
-- learns that something came, and nothing else.  The device's idea of the index stays where it was.
--
-- QEMU refuses the combination at creation, as a machine here does; with the fault it is allowed.
return {
	name = "notification-data-ioeventfd",
	title = "the data of a notification is lost in an ioeventfd",
	evidence = { "QEMU 78378f450a: no device with notification data and ioeventfds" },
	params = {
		ioeventfd = { default = true, doc = "doorbells are ioeventfds" },
	},
	variants = {
		data_lost = { expect = "state-lost", faults = { "qemu.virtio_pci.notification_data_ioeventfd" },
			      runs = 200 },
		by_exits = { expect = "ok", set = { ioeventfd = false }, runs = 2000,
			     doc = "each doorbell exits to the VMM with its data" },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = "main-loop",
					no_ioeventfd = not p.ioeventfd, features = { "VIRTIO_F_NOTIFICATION_DATA" } }
		local blk = dev:driver {}

		vm:actor("guest", function()
			assert(blk:probe())
			expect(blk:read(0) == 0, "state-lost", "vda", "the read failed")
			local position = dev:queue(0):info().notify_position
			expect(position == 1, "state-lost", "dev=vda vq=0",
			       "the driver notified up to 1, the device knows of " .. position)
		end, { cpu = 0 })
	end,
}
