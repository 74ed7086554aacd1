-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vhost worker looks at its list, and says that it sleeps only afterwards.
--
--	worker                          who queues work
--	the list is empty
--	                                puts work on the list
--	                                wake_up_process(): it is running, nothing to do
--	set_current_state(INTERRUPTIBLE)
--	schedule()
--
-- The oldest lost wake-up of all, new again for some days in 2023, after kthreads had become vhost_tasks.  The kick was
-- sent, the eventfd has it, the work is queued; queueing it again does nothing because it is queued.  From outside it
-- looks like a lost kick that no second kick mends.
return {
	name = "vhost-worker-wake",
	title = "a vhost worker checks its list before it sets its task state",
	evidence = {
		"Linux 4b13cbef7970: vhost workers hang on missed wake-ups",
		"Linux f9010dbdce91: vhost_tasks become CLONE_THREAD; setting the state moved behind the look at the list",
	},
	variants = {
		lost = { expect = "lost-kick", faults = { "vhost.worker.check_before_state" }, runs = 4000 },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function()
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = "vhost" }
		local blk = dev:driver {}

		vm:actor("boot", function()
			assert(blk:probe())
			for i = 0, 1 do
				expect(blk:read(i) == 0, "state-lost", "vda", "the read failed")
			end
		end, { cpu = 0 })
	end,
}
