-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A VMM pauses a device and waits for more threads than the device has.
--
-- Each activated queue has a thread; pausing sets an event and meets all of them at a barrier.  The barrier was made
-- for the queues that are configured.  A driver need not activate all of them: a network device with one queue pair in
-- use of two.  The barrier waits for threads that were never started, and so does whoever asked for a snapshot, with
-- the guest half stopped.
--
-- Nothing races: it is the count.
return {
	name = "pause-barrier",
	title = "the barrier of a pause counts the queues that are configured",
	evidence = { "cloud-hypervisor issue 7872: pause() hangs where not all queues are activated" },
	params = {
		configured = { default = 4, min = 1, max = 16, doc = "queues that the device offers" },
		activated = { default = 2, min = 1, max = 16, doc = "queues that the driver enables" },
		count = { default = "configured", values = { "configured", "activated" }, doc = "whom it waits for" },
	},
	variants = {
		configured = { expect = "hang", runs = 100 },
		all_activated = { expect = "ok", set = { activated = 4 }, runs = 5000, doc = "why nobody noticed" },
		activated = { expect = "ok", set = { count = "activated" }, runs = 5000 },
	},
	setup = function(p)
		local pause, resume = flag("pause_evt"), flag("resume")
		local barrier = semaphore("the barrier of the pause")

		for i = 1, p.activated do
			actor("queue" .. i, function()
				pause:wait()
				point()
				barrier:release()
				resume:wait()
			end, { daemon = true })
		end
		actor("vmm", function()
			pause:set()
			for _ = 1, p[p.count] do
				barrier:acquire()
			end
			resume:set()
		end)
	end,
}
