-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The machine stops in two halves, vCPUs and devices.  A device that still has requests in flight writes guest memory
-- until it is stopped; what it logs after the last sync is read by nobody.
--
--	migration   stop vCPUs ── last sync ── last pass ────────────── stop devices ── switch over
--	vhost                                            write, log

return {
	name = "device-after-sync",
	title = "a device writes and logs after the last sync",
	evidence = {
		"cloud-hypervisor 50f2fd369: drain asynchronous I/O before pausing",
		"cloud-hypervisor c194f63cf: vhost-user's log is read before the device is shut down",
		"QEMU 5c0ba1be37: vhost's last sync",
	},
	params = {
		writes = { default = 2, min = 1, max = 8, doc = "of the device" },
		kind = { default = "vhost", values = { "vhost", "qemu", "vfio" }, doc = "who the device is" },
	},
	buffers = "writes",
	variants = {
		devices_last = { expect = "dirty-page-lost", faults = { "qemu.stop.devices_after_sync" }, runs = 4000,
				 doc = "a vhost device is stopped after the last sync" },
		emulated_last = { expect = "dirty-page-lost", faults = { "qemu.stop.devices_after_sync" },
				  set = { kind = "qemu" }, runs = 4000, doc = "the same for a device of the VMM" },
		no_tracking = { expect = "dirty-page-lost", set = { kind = "vfio" }, runs = 2000,
				doc = "a device that notes nothing: QEMU refuses to migrate with one" },
		devices_first = { expect = "ok", runs = 6000, doc = "vCPUs, devices, last sync" },
		emulated_first = { expect = "ok", set = { kind = "qemu" }, runs = 3000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 3 }
		local device = vm:writer(p.kind, p.kind .. "-dev0")
		local m

		vm:fill(0, 3)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		actor("device", function()
			for _ = 1, p.writes do
				device:write(1)
			end
		end, { daemon = true })
		actor("monitor", function()
			m:wait()
		end)
	end,
}
