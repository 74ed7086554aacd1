-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A queue that was being polled is drained, and comes back with notifications off.
--
-- An iothread that polls a ring turns its notifications off, for it will see what comes without being told, and on
-- again before it sleeps.  A drained section (a block job, a resize) takes the handler away in between, so that the
-- turning-on never happens.  After the section the handler waits on the eventfd again; the driver still reads "do not
-- kick".  What it exposed meanwhile, and all that it exposes later, is seen by nobody.
--
-- The cure: who attaches the handler asks for notifications again and has the ring looked at once.
return {
	name = "drain-nonotify",
	title = "notifications stay off after a drained section that began while polling",
	matrix = true,
	evidence = { "QEMU 5bdbaebcce (RHEL-3934): notifications are enabled again after drain" },
	params = {
		drains = { default = 4, min = 1, max = 16, doc = "drained sections" },
		poll = { default = true, doc = "the iothread polls before it sleeps" },
	},
	variants = {
		stays_off = { expect = "lost-kick", faults = { "qemu.drain.notifications_off" }, runs = 16000 },
		without_polling = { expect = "ok", faults = { "qemu.drain.notifications_off" }, set = { poll = false },
				    runs = 4000, doc = "an eventfd keeps what comes in between" },
		holds = { expect = "ok", runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = "iothread", poll = p.poll }
		local blk = dev:driver {}
		local up = flag("the disk is in use")

		vm:actor("guest", function()
			assert(blk:probe())
			for i = 0, 3 do
				expect(blk:read(i) == 0, "state-lost", "vda", "the read failed")
				up:set()
			end
		end, { cpu = 0 })
		vm:actor("block job", function()
			up:wait()
			for _ = 1, p.drains do
				dev:drain_begin()
				point()
				dev:drain_end()
			end
		end)
	end,
}
