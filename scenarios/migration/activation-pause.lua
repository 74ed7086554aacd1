-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vCPU writes DRIVER_OK.  Queues are set up by the VMM's thread, so the vCPU hands the device over and waits for it.
-- A migration's pause asks all vCPUs to stop, from that very thread, and waits for them:
--
--	vCPU	DRIVER_OK ── hands over ── waits for the device
--	VMM				   pause ── waits for the vCPU		nobody goes on
--
-- Devices that were handed over are set up first, and again while the VMM waits.

return {
	name = "activation-pause",
	title = "a vCPU waits for its device to be activated, and the VMM for the vCPU to pause",
	evidence = { "cloud-hypervisor 4ecc778ef (2022): avoid deadlock between virtio device activation and vcpu pausing" },
	params = {
		activate = { default = "waiting", values = { "never", "before", "waiting" },
			     doc = "when a pause sets up what was handed over" },
		devices = { default = 1, min = 1, max = 4, doc = "that the driver starts" },
	},
	buffers = "devices",
	variants = {
		pause_only = { expect = "hang", set = { activate = "never" }, runs = 2000 },
		looked_once = { expect = "hang", set = { activate = "before" }, runs = 4000,
				doc = "it is handed over after the look" },
		activates = { expect = "ok", runs = 6000 },
	},
	setup = function(p)
		local handed, ready, stopped, asked = 0, 0, false, false
		local vmm, vcpu = waitq("VMM thread"), waitq("device activation")

		local function activate()
			while ready < handed do
				ready = ready + 1
				note("device " .. ready .. " is activated")
				vcpu:wake_all()
			end
		end
		actor("vcpu0", function()
			for device = 1, p.devices do
				if asked then
					break -- at the end of an exit, before the guest goes on
				end
				point()
				handed = device
				note("DRIVER_OK: device " .. device .. " is handed over")
				vmm:wake_all()
				while ready < device do
					vcpu:wait()
				end
			end
			while not asked do
				vcpu:wait()
			end
			stopped = true
			note("vCPU 0 has paused")
			vmm:wake_all()
		end)
		local function pause()
			if p.activate ~= "never" then
				activate()
			end
			point()
			asked = true
			note("pause is asked for")
			vcpu:wake_all()
			while not stopped do
				if p.activate == "waiting" then
					activate()
				end
				if not stopped then
					vmm:wait()
				end
			end
		end
		actor("vmm", function()
			for _ = 1, 2 do -- its event loop
				activate()
				point()
			end
			pause()
		end)
	end,
}
