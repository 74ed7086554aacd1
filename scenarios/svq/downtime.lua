-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What a switch to shadow virtqueues costs a guest, which runs on and gets nothing done meanwhile; and a stop and a
-- start of the machine.  Published figures of mlx5 devices say which part is the large one:
--
--	1 device, 32 queues                   suspend 37 ms, resume 16 ms                     (Tatulea, 2024)
--	2 devices, 8 queues, 128 GiB          SVQ switch 20 to 30 s, then 5, 2, 2, 1.7 s      (Si-Wei Liu, December 2023)
--
-- Costs a queue are fitted to the first line, the cost of a map to the second's 20 s (78 ms a GiB and device); so the
-- sums prove no more than that a whole stop and a whole start are made of these parts and of no other.  What they show
-- is the ratio: mapping guest memory anew is a hundred times all that is done to queues, and leaving it mapped is what
-- made the difference.  One GiB stands for 128 here, at 128 times the price.
return {
	name = "svq-downtime",
	title = "how long a vDPA device serves nobody when shadow virtqueues are switched on",
	mode = "timed",
	evidence = {
		"netdev and virtualization lists, 2024: Dragos Tatulea, vdpa/mlx5: Parallelize device suspend/resume",
		"qemu-devel, December 2023: Si-Wei Liu, vdpa-net: improve migration downtime through descriptor ASID",
	},
	params = {
		queues = { default = 32, min = 1, max = 64, doc = "of the device" },
		map_ms_gib = { default = 78, min = 1, max = 1000, doc = "to map a GiB" },
		stay = { default = 0, min = 0, max = 1, doc = "guest memory stays mapped while the device is stopped" },
		goal_ms = { default = 0, min = 0, max = 100000, doc = "that a stop and a start may take; 0: no matter" },
		parallel = { default = 0, min = 0, max = 1, doc = "mlx5 since 2024: queues are suspended together" },
	},
	variants = {
		goal_missed = { expect = "spec-violation", set = { goal_ms = 300 }, runs = 1,
				doc = "the series' goal of 300 ms, with maps made anew" },
		goal_met = { expect = "ok", set = { goal_ms = 300, stay = 1 }, runs = 1 },
		as_8_2 = { expect = "ok", runs = 1, doc = "all memory is unmapped and mapped" },
		maps_stay = { expect = "ok", set = { stay = 1 }, runs = 1 },
		parallel = { expect = "ok", set = { parallel = 1 }, runs = 1 },
	},
	setup = function(p)
		local ms = 1000000
		local suspend = p.parallel == 1 and 78000 or 1160000
		local map = p.map_ms_gib * 128 * ms
		local vm = machine { vcpus = 1, ram = 1 << 30, vdpa_suspend_queue_ns = suspend, vdpa_map_gib_ns = map }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", queues = p.queues,
					maps_stay = p.stay == 1 }
		local core = dev:core { name = "vda" }
		local up = flag("the device is up")

		vm:actor("guest", function()
			core:start()
			core:find_queues(p.queues)
			core:ready()
			up:set()
		end, { cpu = 0 })
		vm:actor("vmm", function()
			local function time(what, fn)
				local began = now()

				fn()
				metric(what .. "_ns", now() - began, "ns")
				return now() - began
			end
			local function near(what, ns, want)
				expect(math.abs(ns - want) <= want // 100 + ms // 2, "state-lost", what,
				       ("%s takes %.1f ms, its parts %.1f"):format(what, ns / ms, want / ms))
			end

			up:wait()
			local resume, base, reset = 500000 * p.queues, 50000 * p.queues, 0
			local stop = time("stop", function() vm:stop() end)
			near("stop", stop, suspend * p.queues + base + reset)
			local start = time("start", function() vm:start() end)
			near("start", start, resume + (p.stay == 1 and 0 or map))
			local switch = time("switch", function() assert(dev:svq(true)) end)
			near("switch", switch, suspend * p.queues + base + resume + map)
			expect(p.goal_ms == 0 or stop + start <= p.goal_ms * ms, "spec-violation", "blk0",
			       ("a stop and a start take %.1f ms"):format((stop + start) / ms))
			metric("published_suspend_ns", 37 * ms, "ns")
			metric("published_resume_ns", 16 * ms, "ns")
		end)
	end,
}
