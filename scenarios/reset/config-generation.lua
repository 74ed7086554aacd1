-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The device changes a field of its configuration while the driver reads it.
--
-- A field of eight bytes is read in two halves, and a disk may be resized between them.  The generation says so: the
-- driver reads it before and after, and again until it stands still.  A device that changes its configuration and
-- not the generation hands out half of the old capacity with half of the new one:
--
--	driver    low half: 0x1000 ───────────────────────── high half: 0x1 ──▶ capacity 0x100001000
--	device                      capacity := 0x100000000

return {
	name = "config-generation",
	title = "a configuration field is read half old, half new, and the generation does not tell",
	evidence = { "virtio 1.3, 2.5.1 and 4.1.4.3.1: config_generation changes with the configuration" },
	variants = {
		same_generation = { expect = "spec-violation", faults = { "virtio.config.same_generation" },
				    runs = 4000, doc = "the change is not to be seen" },
		new_generation = { expect = "ok", runs = 4000, doc = "the driver reads again" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "main-loop" }
		local core = dev:core { name = "vda" }
		local old, new = string.pack("<I8", 0x1000), string.pack("<I8", 0x100000000)
		local ready = flag("driver ready")

		vm:actor("driver", function()
			core:start()
			core:find_queues(1)
			core:ready()
			dev:config_update(0, old)
			ready:set()
			local capacity = core:config_read(0, 8)
			expect(capacity == old or capacity == new, "spec-violation", "dev=blk0 capacity",
			       string.format("the driver read 0x%x, which it never was",
					     string.unpack("<I8", capacity)))
		end, { cpu = 0 })
		actor("resize", function()
			ready:wait()
			dev:config_update(0, new)
		end)
	end,
}
