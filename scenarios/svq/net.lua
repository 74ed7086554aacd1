-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Packets in both directions through a vDPA device whose queues are shadowed and given back meanwhile.  Each packet
-- that the guest sent is on the wire once, and each from the wire is in the guest once: conservation across the switch.
--
-- A device that only can be reset is asked where it stands after it has forgotten; the guest's used ring says it then,
-- for what was begun is finished or never happened.

return {
	name = "svq-net",
	title = "packets are lost or sent twice while shadow virtqueues are switched",
	evidence = {
		"QEMU 0bb302a996: vdpa: add vhost_vdpa_suspend",
		"QEMU 2fdac348fd: vhost: Get vring base from vq, not svq",
		"QEMU 9ed62809b6: vdpa: fix network breakage after cancelling migration",
	},
	params = {
		packets = { default = 3, min = 1, max = 12, doc = "in each direction" },
		no_suspend = { default = 0, min = 0, max = 1, doc = "the device can only be reset" },
		busy_every = { default = 0, min = 0, max = 16, doc = "the wire is busy at each n-th packet" },
	},
	buffers = "packets",
	variants = {
		base_without_suspend = { expect = "spec-violation", faults = { "qemu.vdpa.base_without_suspend" }, runs = 8000 },
		base_from_svq = { expect = "spec-violation", faults = { "qemu.svq.base_from_svq" }, runs = 8000 },
		call_fd_kept = { expect = "lost-interrupt", faults = { "qemu.vdpa.call_fd_kept" }, runs = 8000 },
		holds = { expect = "ok", runs = 6000 },
		reset_only = { expect = "ok", set = { no_suspend = 1 }, runs = 4000 },
		busy = { expect = "ok", set = { busy_every = 2 }, runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "vdpa", keep_sent = true, queue_size = 4,
					no_suspend = p.no_suspend == 1, busy_every = p.busy_every, busy_ns = 1000 }
		local net = dev:driver {}
		local up = flag("the interface is up")

		vm:actor("guest", function()
			assert(net:probe())
			assert(net:open())
			up:set()
			for i = 1, p.packets do
				while not net:xmit("out " .. i) do
					sleep(1000)
				end
				local got = net:recv(0)

				expect(got == "in " .. i, "state-lost", "eth0", "packet in " .. i .. " is " .. tostring(got))
			end
		end, { cpu = 0 })
		vm:actor("wire", function()
			up:wait()
			for i = 1, p.packets do
				dev:wire_send(0, "in " .. i)
				local got = dev:wire_recv(true)

				expect(got == "out " .. i, "state-lost", "eth0", "packet out " .. i .. " is " .. tostring(got))
			end
			sleep(100000)
			expect(not dev:wire_recv(), "state-lost", "eth0", "a packet was sent twice")
		end)
		vm:actor("migration", function()
			up:wait()
			for _ = 1, 2 do
				assert(dev:svq(true))
				sleep(500)
				assert(dev:svq(false))
			end
		end)
	end,
}
