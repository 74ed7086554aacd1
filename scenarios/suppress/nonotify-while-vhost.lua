-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The VMM's own handler turns notifications off in a ring that is vhost's.
--
-- When vhost starts or stops, QEMU reads what is left in a host notifier and runs the queue's handler for it, so that
-- no kick is lost.  virtio-net's transmit handler begins with "no notifications, a bottom half will do it".  With vhost
-- in charge the bottom half finds that the ring is not its own and does nothing.  used.flags says "do not kick" now,
-- vhost believes that it asked for kicks, and the driver keeps to what it reads.  Met, rarely, when a vhost-user
-- back-end connected again while a kick was pending.
--
-- The event index hides it: there, "off" is not written at all.
return {
	name = "nonotify-while-vhost",
	title = "a left-over kick makes the VMM turn notifications off in vhost's ring",
	matrix = true,
	evidence = { "QEMU 4c54f5bc8e: virtio-net: used ring flag set although vhost is started" },
	params = {
		packets = { default = 6, min = 1, max = 64, doc = "that the guest sends, one after the other" },
		event_idx = { default = false, doc = "negotiate VIRTIO_RING_F_EVENT_IDX" },
		backend = { default = "vhost-user", values = { "vhost-user", "vhost" }, doc = "who has the rings" },
	},
	variants = {
		turned_off = { expect = "lost-kick", faults = { "qemu.virtio_net.handler_while_vhost" }, runs = 16000 },
		vhost = { expect = "lost-kick", faults = { "qemu.virtio_net.handler_while_vhost" },
			  set = { backend = "vhost" }, runs = 16000 },
		event_idx = { expect = "ok", faults = { "qemu.virtio_net.handler_while_vhost" },
			      set = { event_idx = true }, runs = 2000 },
		holds = { expect = "ok", runs = 2000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = p.backend, keep_sent = true,
					features = p.event_idx and { "VIRTIO_RING_F_EVENT_IDX" } or
						   { "VIRTIO_NET_F_MAC" } }
		local net = dev:driver { rx_fill = 1 }
		local up, answers = flag("the interface is up"), semaphore("an answer")

		vm:actor("guest", function()
			assert(net:probe())
			assert(net:open())
			up:set()
			for i = 1, p.packets do
				assert(net:xmit("request " .. i))
				answers:acquire()
			end
		end, { cpu = 0 })
		vm:actor("reconnect", function()
			up:wait()
			dev:set_backend(p.backend)
		end)
		actor("wire", function()
			for _ = 1, p.packets do
				dev:wire_recv(true)
				answers:release()
			end
		end)
	end,
}
