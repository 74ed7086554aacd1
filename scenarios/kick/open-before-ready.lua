-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A network device is opened by another CPU before its driver has set DRIVER_OK.
--
-- register_netdev() makes the device visible, virtio_device_ready() comes after it, and udev is quick: ndo_open()
-- fills the receive ring, DHCP sends its first packet, and both kick a device that is not live.  That breaks 3.1.1,
-- and a device that keeps to it ignores the kicks.  QEMU looks at its rings when DRIVER_OK comes, which hid this for
-- years; with a device that does not, the packet stays in the ring.
--
-- The cure is one lock around both: rtnl, which opening takes, too.
return {
	name = "open-before-ready",
	title = "ndo_open() uses the queues before DRIVER_OK",
	evidence = { "Linux 50c0ada627f5: virtio-net: fix race between ndo_open() and virtio_device_ready()" },
	params = {
		strict = { default = false, doc = "do not stop at the broken rule: see what it leads to" },
	},
	variants = {
		breaks_the_rule = { expect = "spec-violation", faults = { "guest.net.open_before_ready" }, runs = 4000 },
		stalls = { expect = "lost-kick", set = { strict = true }, runs = 8000,
			   faults = { "guest.net.open_before_ready", "virtio.start.no_self_kick" },
			   doc = "with a device that does not look at its rings when it starts" },
		holds = { expect = "ok", runs = 4000 },
		holds_strict = { expect = "ok", faults = { "virtio.start.no_self_kick" }, runs = 4000 },
	},
	setup = function(p)
		if p.strict then
			oracle("VIRTIO-3.1.1-R7", false)
		end
		local vm = machine { vcpus = 2 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "main-loop", queue_size = 4,
					keep_sent = true }
		local net = dev:driver {}

		vm:actor("probe", function()
			assert(net:probe())
		end, { cpu = 0 })
		vm:actor("udev", function()
			assert(net:open())
			assert(net:xmit("discover"))
		end, { cpu = 1 })
		actor("dhcpd", function()
			dev:wire_recv(true)
		end)
	end,
}
