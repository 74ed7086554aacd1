-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A block driver suspends its device while other CPUs submit requests.
--
-- From the write of SUSPEND on nothing is made available and no doorbell is written: from the write, not from the
-- device's answer.  So the driver lets no request in, waits until none is under way, and only then asks; a task on
-- another CPU that was past the gate would add its buffer, or write its doorbell, behind the driver's back:
--
--	cpu 1     past the gate ───────────────── add ── kick
--	cpu 0                    gate shut, SUSPEND
--	device                                    (stopped: nobody looks)
--
-- Freezing, the older way, needs the same wait for another reason: there the queues are deleted (../reset/).

return {
	name = "block-driver",
	title = "a request is made available after SUSPEND was written",
	evidence = {
		"virtio 1.4, 3.4.1: what a driver must not do once it has set SUSPEND",
		"Linux 4ce6e2db00de: virtio-blk: ensure no requests in virtqueues before deleting vqs",
	},
	params = {
		design = { default = "v1.4", values = { "v1.4", "zhu-2023", "stevens-2024" }, doc = "how it is suspended" },
		delay_ns = { default = 1000, min = 0, max = 1000000, doc = "of the disk" },
		suspend_ns = { default = 500, min = 0, max = 1000000, doc = "time the device takes to suspend" },
		reads = { default = 2, min = 1, max = 16, doc = "of each task" },
	},
	variants = {
		not_waited = { expect = "spec-violation", faults = { "guest.blk.freeze_no_drain" }, runs = 4000,
			       doc = "the gate is shut, and somebody is past it" },
		rings_late = { expect = "spec-violation", faults = { "guest.blk.suspend_no_quiesce" }, runs = 30000,
			       set = { delay_ns = 0, suspend_ns = 0, reads = 1 },
			       doc = "the request is done, and its submitter has not written the doorbell yet" },
		waited_one = { expect = "ok", set = { delay_ns = 0, suspend_ns = 0, reads = 1 }, runs = 10000 },
		waited = { expect = "ok", runs = 2000 },
		waited_2023 = { expect = "ok", set = { design = "zhu-2023" }, runs = 500 },
		waited_2024 = { expect = "ok", set = { design = "stevens-2024" }, runs = 500 },
	},
	setup = function(p)
		local vm = machine { vcpus = 2 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread", delay_ns = p.delay_ns,
					suspend = p.design, suspend_ns = p.suspend_ns }
		local blk = dev:driver { name = "vda", queues = 1 }
		local probed = flag("driver probed")

		if p.design ~= "v1.4" then
			oracle_count("VIRTIO-3.4.2")
			oracle_count("VIRTIO-3.4.1-R2")
		end
		vm:actor("boot", function()
			assert(blk:probe())
			probed:set()
			sleep(500)
			assert(blk:suspend { design = p.design })
			sleep(2000)
			assert(blk:resume { design = p.design })
		end, { cpu = 0 })
		for cpu = 0, 1 do
			vm:actor("reader" .. cpu, function()
				probed:wait()
				for i = 1, p.reads do
					expect(blk:read(i) == 0, "state-lost", "vda", "the read failed")
				end
			end, { cpu = cpu })
		end
	end,
}
