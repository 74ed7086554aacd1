-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- COLO's failover at the secondary, and the thread that reads the primary's messages.  The manager says that the
-- primary is lost while that thread may be in the middle of a message, or of loading a state whose packets have left.
--
--	state whole ── VMSTATE_RECEIVED ─┬─ vmstate_loading ── load ── failover is put off until here (RELAUNCH)
--	                                 └─ the primary releases its packets, and dies: a failover here finds nothing
--	                                    to put it off, rolls the disk back, and the state is loaded all the same

return {
	name = "colo-failover",
	title = "COLO: a failover in the middle of a checkpoint, at either side",
	evidence = {
		"QEMU a8664ba510 (2017): no failover while loading; FAILOVER_STATUS_RELAUNCH",
		"QEMU c937b9a6db (2017): sockets are shut down",
		"QEMU 92c932de6c (2020): relaunched also after an error",
		"QEMU db00972922 (2019): the guest is started",
		"QEMU fee091cdff (2020): nbd can be yanked",
		"QEMU 8.2 colo_incoming_process_checkpoint(): VMSTATE_RECEIVED before vmstate_loading",
	},
	params = {
		filters_fail_at = { default = 0, min = 0, max = 4, doc = "the checkpoint whose loading ends with an error" },
		who = { default = "primary", values = { "primary", "secondary" }, doc = "whose host dies" },
		after = { default = 0, min = 0, max = 4, doc = "steps of the guest that must come behind the failover" },
		migrate = { default = false, doc = "it begins with a migration" },
	},
	variants = {
		received_before_loading = { expect = "state-lost", faults = { "qemu.colo.received_before_loading" },
					    runs = 6000, doc = "as QEMU 8.2: memory of the new state, disk of the old" },
		no_relaunch_on_error = { expect = "hang", faults = { "qemu.colo.no_relaunch_on_error" },
					 set = { filters_fail_at = 1 }, runs = 6000,
					 doc = "before QEMU 5.1: who put the failover off forgets it" },
		no_shutdown = { expect = "hang", faults = { "qemu.colo.no_shutdown" }, runs = 2000,
				doc = "before QEMU 2.9: the thread reads from a host that is no more" },
		not_started = { expect = "hang", faults = { "qemu.colo.not_started" }, set = { after = 1 }, runs = 500,
				doc = "before QEMU 4.0: the guest does not go on" },
		primary_no_shutdown = { expect = "hang", faults = { "qemu.colo.no_shutdown" }, set = { who = "secondary" },
					runs = 2000, doc = "the same at the primary" },
		primary_no_yank = { expect = "hang", faults = { "manager.colo.no_yank" }, set = { who = "secondary" },
				    runs = 2000, doc = "a write of the disk waits for the secondary's host" },
		failover = { expect = "ok", runs = 8000 },
		goes_on = { expect = "ok", set = { after = 2 }, runs = 4000 },
		primary = { expect = "ok", set = { who = "secondary", after = 2 }, runs = 8000 },
		error = { expect = "ok", set = { filters_fail_at = 1 }, runs = 6000, doc = "put off, and relaunched" },
		migrated = { expect = "ok", set = { migrate = true }, runs = 2000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 2 }
		local c

		vm:fill(0, 2)
		local other = p.who == "primary" and "secondary" or "primary"

		c = colo { vm = vm, disk_sectors = 1, filters_fail_at = p.filters_fail_at, migrate = p.migrate }
		actor("guest", function()
			c:wait_started()
			c:disk_write("primary", 0)
			c:step("primary", 1, 1)
			c:checkpoint()
		end, { daemon = true })
		actor("fate", function()
			c:wait_started()
			for _ = 1, 6 do
				point()
			end
			c[p.who .. "_dies"](c)
			c:failover(other)
			if other == "secondary" then
				c:disk_wait_commit()
			end
			for i = 1, p.after do
				c:disk_write(other, 0)
				c:step(other, 0, i)
			end
		end)
	end,
}
