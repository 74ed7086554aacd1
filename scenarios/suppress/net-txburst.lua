-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A transmit queue stops at its burst limit in the one place that does not come back.
--
-- QEMU sends at most tx_burst packets a turn and then schedules its bottom half again.  When the back-end was busy, one
-- packet is parked and its completion goes on: it sends the parked one, turns notifications on and flushes up to
-- tx_burst.  If that flush stopped because of the limit, more is in the ring, and the completion returned without
-- scheduling anything.  The driver was told while it exposed those packets that no kick was wanted.
return {
	name = "net-txburst",
	title = "a flush after an asynchronous completion stops at tx_burst for good",
	matrix = true,
	evidence = { "QEMU df8d070817: virtio-net: bottom-half packet TX on asynchronous completion" },
	params = {
		packets = { default = 6, min = 1, max = 64, doc = "that the guest sends" },
		tx_burst = { default = 2, min = 1, max = 256, doc = "packets of one flush" },
	},
	variants = {
		stuck = { expect = "lost-kick", faults = { "qemu.virtio_net.tx_burst_async" }, runs = 4000 },
		limit_not_met = { expect = "ok", faults = { "qemu.virtio_net.tx_burst_async" }, set = { tx_burst = 256 },
				  runs = 2000, doc = "with QEMU's default the ring is empty first" },
		holds = { expect = "ok", runs = 2000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "main-loop", queue_size = 32,
					tx_burst = p.tx_burst, busy_every = 3, busy_ns = 1000, keep_sent = true }
		local net = dev:driver { rx_fill = 1 }

		vm:actor("guest", function()
			assert(net:probe())
			assert(net:open())
			for i = 1, p.packets do
				assert(net:xmit("packet " .. i))
			end
		end, { cpu = 0 })
		actor("wire", function()
			for _ = 1, p.packets do
				dev:wire_recv(true)
			end
		end)
	end,
}
