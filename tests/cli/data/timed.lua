-- SPDX-License-Identifier: GPL-2.0-or-later
-- Ten writes in timed mode: what one costs, by who serves the queue and what exits cost.
return {
	name = "timed",
	title = "what a write costs",
	evidence = { "none: a test of the cost table" },
	mode = "timed",
	params = {
		backend = { default = "vhost", values = { "vhost", "iothread", "main-loop" }, doc = "who serves" },
		exit_ns = { default = 1000, min = 1, max = 1000000, doc = "cost of an exit" },
	},
	variants = {
		fails = { expect = "spec-violation", faults = { "device.enable.no_avail_event" }, runs = 10 },
		holds = { expect = "ok", runs = 10 },
	},
	setup = function(p)
		local vm = machine { vm_exit_ns = p.exit_ns }
		local blk = vm:device({ name = "blk0", backend = p.backend }):driver {}

		vm:actor("writer", function()
			blk:probe()
			local began = now()
			for sector = 1, 10 do
				blk:write(sector)
			end
			metric("ns_per_write", (now() - began) // 10, "ns")
		end, { cpu = 0 })
	end,
}
