-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Two threads wait for one eventfd, and the first to read it takes the event away from the other.
--
-- A VMM has a thread for each queue of a device, and to pause the device it writes one eventfd that all of them have in
-- their epoll sets.  An eventfd is a counter: a read returns all of it and sets it to 0.  The write wakes both, one
-- reads, and the other finds nothing: it blocks in read() inside a loop that also serves requests, or, with
-- EFD_NONBLOCK, goes back to epoll.  Either way it never pauses, and who waits for both to have paused waits for ever.
--
-- EFD_SEMAPHORE and a write of the number of threads is one cure, an eventfd each is another; a reader that does not
-- read but leaves the event pending until resume is what cloud-hypervisor does.
return {
	name = "two-waiters-one-eventfd",
	title = "one pause event for two threads: the first read drains it",
	evidence = {
		"cloud-hypervisor a7f0f9dfe: each virtio thread has to see the pause event",
		"crosvm 6576091e5: only one thread may resample",
		"Firecracker ee9bb097a: an eventfd that was taken for a semaphore",
		"crosvm cbf1e0c61: a notifier that its reader resets loses events",
	},
	params = {
		threads = { default = 2, min = 2, max = 8, doc = "that wait for the event" },
		how = { default = "shared", values = { "shared", "semaphore", "left" },
			doc = "read it all, EFD_SEMAPHORE, or leave it in the eventfd" },
	},
	variants = {
		drained = { expect = "hang", runs = 200 },
		semaphore = { expect = "ok", set = { how = "semaphore" }, runs = 10000 },
		left_until_resume = { expect = "ok", set = { how = "left" }, runs = 10000 },
	},
	setup = function(p)
		local pause = eventfd("pause_evt", { semaphore = p.how == "semaphore", nonblock = true })
		local paused = semaphore("all threads to pause")

		for i = 1, p.threads do
			actor("queue" .. i, function()
				repeat
					pause:wait()
					point() -- epoll_wait() has returned; the other one may read first
				until p.how == "left" or pause:read()
				paused:release()
			end, { daemon = true })
		end
		actor("vmm", function()
			pause:write(p.how == "semaphore" and p.threads or 1)
			for _ = 1, p.threads do
				paused:acquire()
			end
		end)
	end,
}
