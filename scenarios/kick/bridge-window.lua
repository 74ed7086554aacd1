-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A doorbell is written while a bridge above the device decodes nothing.
--
--	vCPU0: hot-plug                         vCPU1: block layer
--	bridge command: memory decode off
--	  the doorbells' region is unmapped,
--	  their ioeventfds are deassigned
--	                                        avail.idx = 1, writes the doorbell
--	                                        -> no ioeventfd, no region: the write vanishes
--	bridge command: memory decode on
--	  region and ioeventfds are back
--
-- The buffer stands in the ring and vhost sleeps: the next kick would save it, and the driver has no reason to send
-- one.  PCI is not to blame, for nobody promised that a function may be used while its bridge is reprogrammed; the
-- guest's PCI core thinks it is, because decode is off for so short a time.
--
-- With `kick_by_hand` somebody does what the mail proposes: writes 1 to the kick eventfd.  Nothing else was wrong.
return {
	name = "bridge-window",
	title = "doorbell written while a bridge's memory decode is off",
	evidence = {
		"qemu-devel, January and March 2021: \"Add debug interface to kick/call on purpose\", for a kick that was missed",
		"qemu-devel 2018-12, msg01711: the report of the bridge that is cited there",
	},
	params = {
		backend = { default = "vhost", values = { "vhost", "iothread", "main-loop" }, doc = "who serves the queue" },
		quiesce = { default = false, doc = "the hot-plug driver keeps the disk idle meanwhile" },
		kick_by_hand = { default = false, doc = "kick on purpose at the level of the eventfd, at the end" },
	},
	variants = {
		lost = { expect = "lost-kick", runs = 4000 },
		lost_iothread = { expect = "lost-kick", set = { backend = "iothread" }, runs = 4000 },
		recovered = { expect = "ok", set = { kick_by_hand = true }, runs = 4000,
			      doc = "a write to the kick eventfd is all it takes" },
		holds = { expect = "ok", set = { quiesce = true }, runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 2 }
		local bridge = vm:bridge("pci.1")
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = p.backend, bridge = "pci.1" }
		local blk = dev:driver { queues = 1, cpus = 2 }
		local ready, idle = flag("the driver is ready"), semaphore("disk in use", 1)
		local memory_decode = 0x2

		vm:actor("hotplug", function()
			assert(blk:probe())
			ready:set()
			if p.quiesce then
				idle:acquire()
			end
			bridge:command(0, memory_decode)
			bridge:command(memory_decode)
			if p.quiesce then
				idle:release()
			end
		end, { cpu = 0 })
		local reader = vm:actor("reader", function()
			ready:wait()
			if p.quiesce then
				idle:acquire()
			end
			expect(blk:read(0) == 0, "state-lost", "vda", "the read failed")
			if p.quiesce then
				idle:release()
			end
		end, { cpu = 1 })
		if p.kick_by_hand then
			vm:actor("operator", function()
				ready:wait()
				sleep(1000000000, true)
				if reader:state() ~= "done" then
					dev:queue(0):kick("eventfd")
				end
			end)
		end
	end,
}
