-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Hung: the doorbell was written while a bridge above the device did not decode.
--
-- A device hangs and nobody knows why; this is the case that began the thread on a debug interface.  Hot-plug code on
-- another CPU turns a bridge's memory decode off, programs it, and turns it on again.  A doorbell write in that
-- window is nobody's: it vanishes.  A moment later everything looks well.
--
-- `ringside diagnose` has to find: an available buffer that was never popped, a kick eventfd that was not signalled
-- for it, and that a kick at the doorbell recovers it now.  Lost: the kick.

return {
	name = "hung-doorbell",
	title = "hung: a doorbell write vanished, and the way is whole again",
	evidence = { "qemu-devel, December 2018 and March 2021: a kick lost in pci-bridge hot-plug" },
	variants = {
		decode_off = { expect = "lost-kick", runs = 4000, doc = "the kick falls into the window" },
		decode_on = { expect = "ok", set = { hotplug = false }, runs = 2000, doc = "no hot-plug, no window" },
	},
	params = { hotplug = { default = true, doc = "another CPU reprograms the bridge" } },
	setup = function(p)
		local vm = machine { vcpus = 2 }
		local bridge = vm:bridge("br0")
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread", bridge = "br0" }
		local blk = dev:driver { name = "vda" }
		local probed = flag("driver probed")

		vm:actor("task", function()
			blk:probe()
			probed:set()
			blk:read(0)
		end, { cpu = 0 })
		if p.hotplug then
			vm:actor("hotplug", function()
				probed:wait()
				bridge:command(0, 2)
				bridge:command(2)
			end, { cpu = 1 })
		end
	end,
}
