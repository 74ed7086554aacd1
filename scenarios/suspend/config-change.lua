-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The configuration changes while the device is suspended: a disk grows, a link goes, a balloon has a new target.
--
-- 3.4.2 says that the device modifies nothing while suspended, and also what it does if changes occur: no notice
-- then, one on resume.  The first model here takes both words: the change is kept, made on resume, and told once.  The
-- second one changes at once and tells later, and breaks the first word.  The driver has to be told, once, and to read
-- the new capacity then.
--
--	driver     suspended ───────────── DRIVER_OK ── told ── reads the new capacity
--	device                 grows (kept)    └ made, generation, notification ┘
--
-- The owner's command of 2.12.1.4 stops notifications and says nothing about those that were due: lost.
local common = include("common.inc")

-- What changes: the i-th change, the field, and what it reads after n of them.
local kinds = {
	capacity = { type = "virtio-blk", queues = 1, field = { 0, "<I8" },
		     change = function(dev, i) dev:resize(4096 + i) end,
		     reads = function(n) return 4096 + n end },
	link = { type = "virtio-net", queues = 2, backend = "main-loop", field = { 6, "<I2" },
		 change = function(dev, i) dev:set_link(i % 2 == 0) end,
		 reads = function(n) return n % 2 == 0 and 1 or 0 end },
	target = { type = "virtio-balloon", queues = 2, backend = "main-loop", field = { 0, "<I4" },
		   change = function(dev, i) dev:balloon_target(100 * i) end,
		   reads = function(n) return 100 * n end },
}

return {
	name = "config-change",
	title = "a configuration change while suspended is told on resume, once",
	evidence = {
		"virtio 1.4, 3.4.2: both what must not be modified and what to do if changes occur",
		"qemu-devel, 12 September 2025, RFC 2/2: the change is dropped because DRIVER_OK is 0",
		"virtio 1.4, 2.12.1.4: a stopped device sends no configuration change notification",
	},
	params = {
		design = common.designs("v1.4"),
		what = { default = "capacity", values = { "capacity", "link", "target" },
			 doc = "a disk's size, a link (a flap, with an even number), a balloon's target" },
		changes = { default = 2, min = 1, max = 8, doc = "while suspended" },
	},
	variants = {
		untold = { expect = "spec-violation", faults = { "qemu.suspend.config_untold" }, runs = 500,
			   doc = "made on resume, and the driver is not told" },
		modified = { expect = "spec-violation", faults = { "virtio.suspend.config_modified" }, runs = 500,
			     doc = "made at once, told on resume" },
		written = { expect = "spec-violation", faults = { "virtio.suspend.config_written" }, runs = 500,
			    doc = "what the driver writes meanwhile is taken, which it should not be" },
		kept = { expect = "ok", runs = 2000 },
		link_flap = { expect = "ok", set = { what = "link" }, runs = 500,
			      doc = "down and up again: told, though it reads as before" },
		link_down = { expect = "ok", set = { what = "link", changes = 1 }, runs = 500 },
		link_untold = { expect = "spec-violation", faults = { "qemu.suspend.config_untold" },
				set = { what = "link", changes = 1 }, runs = 200 },
		target = { expect = "ok", set = { what = "target" }, runs = 500 },
		kept_2023 = { expect = "ok", set = { design = "zhu-2023" }, runs = 500 },
		told_late = { expect = "ok", set = { design = "stevens-2024" }, runs = 500 },
		by_the_owner = { expect = "spec-violation", set = { design = "admin-stop" }, runs = 500,
				 doc = "nothing says that it is told when the member goes on" },
		d3hot = { expect = "spec-violation", set = { design = "pci-pm" }, runs = 500,
			  doc = "a function in D3hot sends no message" },
		by_the_vmm = { expect = "ok", set = { design = "vdpa-suspend" }, runs = 500 },
	},
	setup = function(p)
		local kind = kinds[p.what]
		local options = { name = "dev0", type = kind.type, backend = kind.backend,
				  features = p.what == "link" and { "VIRTIO_NET_F_STATUS" } or nil }
		local x = common.machine(p, options)
		local writes = fault("virtio.suspend.config_written")

		if writes then -- the driver's offence is not what is looked for
			oracle("VIRTIO-3.4.1-R5", false)
		end
		local function field()
			local bytes = x.core:config_read(kind.field[1], string.packsize(kind.field[2]))
			return (string.unpack(kind.field[2], bytes))
		end
		x.vm:actor("task", function()
			x:boot(kind.queues)
			local core = x.core
			local size = p.what == "capacity" and core:config_read(20, 4) -- blk_size
			assert(x:suspend())
			for i = 1, p.changes do
				kind.change(x.dev, i)
			end
			if writes then
				core:config_write(20, string.pack("<I4", 4096))
			end
			local told = core:info().config_changes
			assert(x:resume())
			common.figures(x)
			while core:info().config_changes == told do
				sleep(1000, true)
				expect(now() < 1000000, "spec-violation", "dev=dev0 config",
				       "the driver is never told of the change")
			end
			sleep(1000000, true)
			expect(core:info().config_changes == told + 1, "spec-violation", "dev=dev0 config",
			       "told more than once")
			expect(field() == kind.reads(p.changes), "spec-violation", "dev=dev0 config",
			       "the driver was told, and reads an old value")
			expect(not size or core:config_read(20, 4) == size, "spec-violation", "dev=dev0 config",
			       "what the driver wrote while suspended was taken")
		end, { cpu = 0 })
	end,
}
