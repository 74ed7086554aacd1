-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The owner of a group stops a member, as for its migration, and the guest knows nothing of it.
--
-- A stopped member initiates nothing: no access to a queue, no notification.  It still takes doorbells, which must not
-- be lost, answers register reads, and can be reset by its driver, or by FLR.  Commands of the owner wait for a reset
-- that is under way; and one that is over leaves the member stopped, or it would touch memory that is being copied.
--
--	owner    STOPPED ──────────────────────────────────────── resume
--	guest              add, kick, kick …   status := 0, FLR     └ served now
--	member     └ drained, completed        reset, and stopped
--
-- What the status bit of 3.4 cannot do: a guest that resets its device takes SUSPEND away with it.
local common = include("common.inc")

return {
	name = "member-stopped",
	title = "a guest kicks and resets a device that its group owner has stopped",
	evidence = {
		"virtio 1.4, 2.12.1.4: VIRTIO_ADMIN_CMD_DEV_MODE_SET (52d320c, aa4f6f0)",
		"Linux drivers/vfio/pci/virtio/migrate.c: stop and resume by the physical function's driver",
	},
	params = {
		design = { default = "admin-stop", values = { "admin-stop", "vdpa-suspend" }, doc = "who stops it" },
		backend = { default = "iothread", values = { "main-loop", "iothread", "vhost", "vhost-user", "vdpa" },
			    doc = "who serves the queue" },
		guest = { default = "kicks", values = { "kicks", "resets", "flr" }, doc = "what the guest does meanwhile" },
		requests = { default = 3, min = 1, max = 8, doc = "of the guest" },
	},
	variants = {
		kicks_lost = { expect = "lost-kick", faults = { "virtio.suspend.no_rescan" }, runs = 1000,
			       doc = "doorbells are taken, and not served afterwards" },
		set_going = { expect = "spec-violation", set = { guest = "resets" }, runs = 1000,
			      faults = { "virtio.admin.reset_resumes" }, doc = "the guest's reset sets it going" },
		not_waited = { expect = "spec-violation", set = { guest = "resets" }, runs = 4000,
			       faults = { "virtio.admin.no_wait" }, doc = "the command is completed in the middle of a reset" },
		kicks = { expect = "ok", runs = 2000 },
		resets = { expect = "ok", set = { guest = "resets" }, runs = 2000 },
		flr = { expect = "ok", set = { guest = "flr" }, runs = 1000 },
		kicks_vdpa = { expect = "ok", set = { design = "vdpa-suspend" }, runs = 1000 },
	},
	setup = function(p)
		local x = common.machine(p, { delay_ns = 1000 })
		local up, stopped = flag("driver is up"), flag("member was stopped")

		local function requests(n)
			for _ = 1, n do
				common.submit(x.core:queue(0))
				sleep(200)
			end
			common.reap(x.core:queue(0), n)
		end
		x.vm:actor("task", function()
			x:boot(1)
			up:set()
			requests(p.requests)
			if p.guest ~= "kicks" then
				if p.guest == "flr" then
					stopped:wait()
					x.core:flr()
				end
				x.core:remove()
				x:boot(1)
				requests(p.requests)
			end
			common.figures(x)
		end, { cpu = 0 })
		actor("owner", function()
			up:wait()
			sleep(700)
			expect(x:suspend() and (p.design ~= "admin-stop" or x:suspend()), "spec-violation", "dev=blk0",
			       "the member cannot be stopped, or not again")
			stopped:set()
			sleep(3000)
			expect(x:resume() and (p.design ~= "admin-stop" or x:resume()), "spec-violation", "dev=blk0",
			       "the member cannot be resumed, or not again")
		end)
	end,
}
