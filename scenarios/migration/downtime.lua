-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Where the downtime of a guest with many virtqueues goes.
--
--	stop    vCPUs kicked ── each device: GET_VRING_BASE queue by queue, notifiers off ── images drained
--	move    last sync and pages ── device state ── images let go
--	start   each device: notifiers on, queues set up and enabled ── the guest runs ── announced
--
-- Fitted (engine/costs.def), each pair of constants to the two figures of one commit:
--
--	QEMU 0fdc6b8509   64 vCPUs, 3 vDPA devices of 64 queues, ioeventfds: 376 ms one by one, 9.1 ms at once
--	QEMU e66f2311d6   the same machine, doorbells mapped: 32 ms at once
--	QEMU 923b8921d2   64 queues of vhost-user: 800 ms one by one, 250 ms as a whole; 7 ms for each change of RSS
--
-- Predicted: doorbells one by one, which e66f2311d6 measured as 423 ms: 399 ms here; and all other numbers of queues
-- and devices.  A commit looks at all ioeventfds there are, so one by one costs the square of their number.  Far from
-- 200 of them it is more: boot times of up to 384 queues (QEMU d0267da614's series) grow faster than the square.
--
-- Neither: what vCPUs, irqfds, GET_VRING_BASE, images and device state cost are round numbers of a present server.
--
--	ringside compare scenarios/migration/downtime.lua:at_once --set figure=none --over queues=16,32,64,128
--	ringside compare scenarios/migration/downtime.lua:at_once --set figure=none --over single_commits=true,false

local ms = 1000000

-- The published figure of a configuration, in milliseconds, and how near the model must come.
local published = {
	ioeventfds = function(p)
		return "start_ioeventfds", p.single_commits and 376 or 9.1, 0.1
	end,
	doorbells = function(p)
		return "start_doorbells", p.single_commits and 423 or 32, p.single_commits and 25 or 0.1
	end,
	vhost_user = function(p)
		return "start", p.status and 250 or 800, 1
	end,
}

local function held_against(p, went)
	local what, want, near = published[p.figure](p)
	metric("published", math.floor(want * ms), "ns")
	metric("modelled", went[what], "ns")
	expect(math.abs(went[what] - want * ms) <= near * ms, "spec-violation", what,
	       string.format("%.2f ms, published %.1f ms", went[what] / ms, want))
end

return {
	name = "downtime",
	title = "the downtime of a guest with many virtqueues, by what it is spent on",
	evidence = {
		"QEMU 0fdc6b8509, e66f2311d6 (8.0): one memory transaction for all host notifiers of a device",
		"QEMU 923b8921d2: vhost-user devices are started as a whole, by their status",
		"QEMU 8.2: vm_stop(), vhost_dev_stop(), migration_completion(), process_incoming_migration_bh()",
	},
	mode = "timed",
	params = {
		backend = { default = "vdpa", values = { "main-loop", "iothread", "vhost", "vhost-user", "vdpa" },
			    doc = "who serves the queues" },
		type = { default = "other", values = { "net", "blk", "other" }, doc = "of device" },
		devices = { default = 3, min = 1, max = 32, doc = "how many" },
		queues = { default = 64, min = 1, max = 512, doc = "of each" },
		vcpus = { default = 64, min = 1, max = 512, doc = "that are kicked" },
		single_commits = { default = false, doc = "a memory transaction for each queue's notifier" },
		doorbells = { default = false, doc = "of vDPA or vhost-user, mapped into the guest" },
		status = { default = false, doc = "vhost-user: VHOST_USER_PROTOCOL_F_STATUS" },
		figure = { default = "none", values = { "none", "ioeventfds", "doorbells", "vhost_user" },
			   doc = "the published figure that it is held against" },
		postcopy = { default = false, doc = "go over at once, with the memory to follow" },
		limit_ms = { default = 0, min = 0, max = 100000, doc = "most of downtime that is taken; 0: any" },
	},
	variants = {
		one_by_one = { expect = "ok", set = { single_commits = true, figure = "ioeventfds" }, runs = 1,
			       doc = "376 ms of ioeventfds (fitted)" },
		at_once = { expect = "ok", set = { figure = "ioeventfds" }, runs = 1,
			    doc = "9.1 ms (fitted)" },
		doorbells_one_by_one = { expect = "ok",
					 set = { single_commits = true, doorbells = true, figure = "doorbells" },
					 runs = 1, doc = "423 ms measured, 399 predicted" },
		doorbells_at_once = { expect = "ok", set = { doorbells = true, figure = "doorbells" }, runs = 1,
				      doc = "32 ms (fitted)" },
		vhost_user_one_by_one = { expect = "ok",
					  set = { backend = "vhost-user", type = "net", devices = 1, figure = "vhost_user" },
					  runs = 1, doc = "800 ms (fitted)" },
		vhost_user_as_a_whole = { expect = "ok",
					  set = { backend = "vhost-user", type = "net", devices = 1, status = true,
						  figure = "vhost_user" },
					  runs = 1, doc = "250 ms (fitted)" },
		within_limit = { expect = "ok", set = { backend = "vhost", type = "net", devices = 1, limit_ms = 150 },
				 runs = 1, doc = "64 queues of the kernel's vhost in pairs" },
		postcopy = { expect = "ok",
			     set = { backend = "vhost", type = "net", devices = 1, postcopy = true, limit_ms = 150 },
			     runs = 1, doc = "the same devices stop and start, pages come later" },
		beyond_limit = { expect = "spec-violation",
				 set = { backend = "vhost", type = "net", single_commits = true, limit_ms = 300 },
				 runs = 1, doc = "three such devices, one by one: the limit that the user gave does not hold" },
	},
	setup = function(p)
		local vm = source_vm { pages = 65536, vcpus = p.vcpus }

		vm:fill(0, 1024)
		for i = 1, p.devices do
			vm:device {
				name = "virtio" .. i,
				type = p.type,
				backend = p.backend,
				queues = p.queues,
				single_commits = p.single_commits,
				doorbells = p.doorbells,
				status = p.status,
				map_at_setup = p.backend == "vdpa",
				guest_announce = p.type == "net",
			}
		end
		local m = migrate { vm = vm, destination = vm:destination() }

		if p.postcopy then
			m:postcopy_ram {}
		end
		actor("monitor", function()
			if p.postcopy then
				m:start_postcopy()
			end
			expect(m:wait() == "completed", "state-lost", "migration", m:state())
			local went, sum = m:downtime(), 0
			for what, ns in pairs(went) do
				sum = sum + (what ~= "total" and what ~= "network" and ns or 0)
			end
			expect(sum == went.total, "spec-violation", "downtime", "its parts do not add up")
			if p.figure ~= "none" then
				held_against(p, went)
			end
			expect(p.limit_ms == 0 or went.total <= p.limit_ms * ms, "spec-violation", "downtime",
			       string.format("%d ms", went.total // ms))
		end)
	end,
}
