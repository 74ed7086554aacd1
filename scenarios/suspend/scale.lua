-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What suspending and resuming a device of N queues takes, by each design.
--
--	v1.4, zhu-2023, stevens-2024   one register write and looks until it is done: O(1) exits; what the device does to
--	                               stop a queue is its own time, one after the other or all at once; in 2024
--	                               it stops none
--	pci-pm                         two configuration writes and 10 ms
--	pci-pm-reset, reset            the driver resets and sets up again: about 20 register accesses for each queue, and
--	                               what the device takes to make it
--	admin-stop                     one command of the owner, and 72 bytes of parts for each queue where they are moved
--	vdpa-suspend                   one ioctl, and one more for each queue's position
--
-- The time that a queue takes is a parameter: 1 us is a register, 5 us a trapped one, 1160 us a command to firmware
-- (mlx5, 2024: 37 ms for 32 queues; sent in parallel 13 ms).  With that a device of 512 queues is beyond the 300 ms
-- that a migration is allowed by default, by any design that stops queues one by one.
--
--	ringside compare scenarios/suspend/scale.lua --over design --set queues=64
--	ringside compare scenarios/suspend/scale.lua --over queues=2,8,32,128,512,1024 --set queue_us=1160
--	ringside compare scenarios/suspend/scale.lua --over queue_us=1,5,1160 --set queues=512
local common = include("common.inc")

local ms = 1000000

return {
	name = "scale",
	title = "suspending a device of many queues: time, exits and bytes, by each design",
	evidence = {
		"virtualization list, October 2023: whether it is O(N), and of what (Zhu, Tsirkin, Pandit)",
		"Dragos Tatulea, 2024: mlx5 vDPA, 32 queues: suspend 37 ms, 13 ms with parallel commands; resume 16 ms, 5 ms",
		"QEMU 8.2: downtime-limit is 300 ms",
	},
	mode = "timed",
	steps_max = 10000000,
	params = {
		design = common.all_designs("v1.4"),
		queues = { default = 64, min = 2, max = 1024, doc = "of the device" },
		queue_us = { default = 1, min = 0, max = 100000, doc = "what a queue takes to stop, and to go on" },
		enable_us = { default = 0, min = 0, max = 100000,
			      doc = "what it takes to be set up; 0: as long as to go on (mlx5: 9700)" },
		parallel = { default = false, doc = "all queues at a time" },
		own_time = { default = true, doc = "the register write returns before the device is suspended" },
		busy = { default = 2, min = 0, max = 64, doc = "queues with a request in flight" },
		limit_ms = { default = 0, min = 0, max = 100000, doc = "most of downtime that is taken; 0: any" },
	},
	variants = {
		register = { expect = "ok", set = { queues = 64 }, runs = 1 },
		firmware_512 = { expect = "spec-violation", set = { queues = 512, queue_us = 1160, limit_ms = 300 }, runs = 1,
				 doc = "one by one: beyond the limit" },
		firmware_512_parallel = { expect = "ok", runs = 1,
					  set = { queues = 512, queue_us = 1160, parallel = true, limit_ms = 300 },
					  doc = "all at once: within" },
		reset_256 = { expect = "ok", set = { queues = 256, design = "reset", limit_ms = 300 }, runs = 1,
			      doc = "set up again: 20 accesses of 4 us a queue" },
		reset_firmware = { expect = "spec-violation", runs = 1,
				   set = { queues = 64, design = "reset", queue_us = 1160, enable_us = 9700, limit_ms = 300 },
				   doc = "a queue that firmware has to make takes longer than one that it has to stop" },
		owner = { expect = "ok", set = { queues = 256, design = "admin-stop", limit_ms = 300 }, runs = 1 },
		vdpa = { expect = "ok", set = { queues = 256, design = "vdpa-suspend", limit_ms = 300 }, runs = 1 },
	},
	setup = function(p)
		p.machine = { ram = 256 << 20 }
		p.backend = "main-loop"
		local x = common.machine(p, {
			queues = p.queues,
			queue_size = 8,
			vectors = 2,
			delay_ns = 20000,
			suspend_ns = p.own_time and 1 or 0,
			suspend_queue_ns = p.queue_us * 1000,
			suspend_parallel = p.parallel,
			enable_queue_ns = (p.enable_us > 0 and p.enable_us or p.queue_us) * 1000,
		})
		local with_reset = p.design == "reset" or p.design == "pci-pm-reset"

		x.vm:actor("task", function()
			x:boot(p.queues)
			local busy = math.min(p.busy, p.queues)
			for i = 1, busy do
				common.submit(x.core:queue(i - 1))
			end
			if with_reset then -- a driver that freezes waits for them before
				for i = 1, busy do
					common.reap(x.core:queue(i - 1), 1)
				end
			end
			local exits, start = x.vm:exits(), now()
			local before = x.dev:suspend_info()
			assert(x:suspend())
			local suspended = now()
			if p.design == "admin-stop" then
				local _, _, parts = x.dev:admin("VIRTIO_ADMIN_CMD_DEV_PARTS_GET")
				metric("parts", #parts, "bytes")
			end
			metric("suspend", suspended - start, "ns")
			sleep(100000) -- it stays so for a while, which is nobody's cost
			local resuming = now()
			assert(x:resume())
			metric("resume", now() - resuming, "ns")
			metric("exits", x.vm:exits() - exits, "")
			local downtime = suspended - start + now() - resuming
			metric("downtime", downtime, "ns")
			local info = x.dev:suspend_info()
			metric("interrupts", info.interrupts - before.interrupts, "")
			metric("kept", info.kept, "")
			metric("lost", info.lost, "")
			for i = 1, with_reset and 0 or busy do
				common.reap(x.core:queue(i - 1), 1)
			end
			common.submit(x.core:queue(p.queues - 1))
			common.reap(x.core:queue(p.queues - 1), 1)
			expect(p.limit_ms == 0 or downtime <= p.limit_ms * ms, "spec-violation", "downtime",
			       string.format("%.1f ms, more than %d", downtime / ms, p.limit_ms))
		end, { cpu = 0 })
	end,
}
