-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Asked, suspended, asked, running: each side takes the other's word for it, or does not.
--
-- SUSPEND is a request until it reads 1 with DRIVER_OK 0, and DRIVER_OK is one until it reads 1 with SUSPEND 0.  The
-- device of this scenario takes its time, so that a driver that does not look back goes on with a device that stops
-- under it.
--
--	driver    SUSPEND ─ look ─ look ─────── look: 1 and 0 ─ DRIVER_OK (SUSPEND kept) ─ look: 0 and 1 ─ goes on
--	device        └ drains, then says so ──┘                   └ runs, then says so ─┘
--
-- Found in code of 2024 and 2025 (each a variant): DRIVER_OK taken out of the status by a logical not, which takes all
-- bits, so that the driver reads what a reset reads; a resume that wants SUSPEND cleared by the driver, which 2.1.1
-- forbids it; a driver that waits until status reads as it was written, which DRIVER_OK never does again.
local common = include("common.inc")

return {
	name = "handshake",
	title = "suspend and resume are requests until status says so",
	evidence = {
		"virtio 1.4, 3.4.1, 3.4.2 and 2.1.1",
		"qemu-devel, 12 September 2025: RFC of VIRTIO_F_SUSPEND, 1/2 and 2/2",
		"virtualization list, 22 April 2024: virtio: add VIRTIO_F_SUSPEND, v2",
	},
	steps_max = 20000,
	params = {
		design = common.by_status("v1.4"),
		driver = common.by_status("v1.4"),
		suspend_ns = { default = 5000, min = 0, max = 1000000, doc = "time the device takes to suspend" },
		fail = { default = "none", values = { "none", "suspend", "resume" }, doc = "where the device fails" },
		rollback = { default = "patient", values = { "patient", "fail", "go_on" },
			     doc = "a driver whose time is up: never; sets FAILED; goes on as if it had not asked" },
		cycles = { default = 2, min = 1, max = 100, doc = "suspended and resumed so often" },
	},
	variants = {
		clears_status = { expect = "spec-violation", faults = { "qemu.suspend.clears_status" }, runs = 500,
				  doc = "the driver reads 0" },
		resume_by_clear = { expect = "spec-violation", faults = { "qemu.suspend.resume_by_clear" }, runs = 500,
				    doc = "the device wants a bit cleared that no driver may clear" },
		equality = { expect = "livelock", faults = { "guest.suspend.equality" }, set = { driver = "stevens-2024" },
			     runs = 500, doc = "the driver of 2024 and a device of 1.4" },
		equality_in_time = { expect = "ok", faults = { "guest.suspend.equality" }, runs = 500,
				     doc = "the same with an end: what it did not recognise is resumed again" },
		suspend_not_waited = { expect = "spec-violation", faults = { "guest.suspend.no_wait" }, runs = 500,
				       doc = "the driver never asks" },
		resume_not_waited = { expect = "spec-violation", faults = { "guest.resume.no_wait" }, runs = 500,
				      doc = "it uses a queue before it knows" },
		goes_on = { expect = "spec-violation", set = { rollback = "go_on" }, runs = 2000,
			    doc = "nothing takes SUSPEND back: the device suspends under a driver that runs" },
		gives_up = { expect = "ok", set = { rollback = "fail" }, runs = 2000,
			     doc = "FAILED, unless the last look shows it suspended: then it is resumed" },
		fails_to_suspend = { expect = "ok", set = { fail = "suspend" }, runs = 500,
				     doc = "DEVICE_NEEDS_RESET, -EIO" },
		fails_to_resume = { expect = "ok", set = { fail = "resume" }, runs = 500,
				    doc = "the same; and since DRIVER_OK is 0 nobody is notified: the driver has to look" },
		holds = { expect = "ok", runs = 2000 },
		holds_at_once = { expect = "ok", set = { suspend_ns = 0 }, runs = 1000,
				  doc = "suspended when the write returns" },
		holds_2023 = { expect = "ok", set = { design = "zhu-2023", driver = "zhu-2023" }, runs = 500,
			       doc = "by its own rules" },
		holds_2024 = { expect = "ok", set = { design = "stevens-2024", driver = "stevens-2024" }, runs = 500,
			       doc = "by its own rules" },
	},
	setup = function(p)
		local x = common.machine(p, { suspend_ns = p.suspend_ns, suspend_fail = p.fail })
		local how = { design = p.driver }

		if p.rollback ~= "patient" then
			how.timeout_ns, how.impatient, how.go_on = 2000000, true, p.rollback == "go_on"
		end

		x.vm:actor("task", function()
			x:boot(1)
			local vq = x.core:queue(0)
			for _ = 1, p.cycles do
				common.submit(vq)
				local ok, errno = x.core:suspend(how)
				if p.fail == "suspend" then
					expect(not ok and errno == "EIO", "spec-violation", "dev=blk0",
					       "the device failed, and the driver does not know")
					return
				elseif ok then
					ok, errno = x.core:resume(how)
				elseif p.rollback == "go_on" then
					ok = true
				end
				if p.fail == "resume" then
					expect(not ok and errno == "EIO", "spec-violation", "dev=blk0",
					       "the device failed, and the driver does not know")
					return
				elseif not ok then
					return
				end
				common.reap(vq, 1)
			end
		end, { cpu = 0 })
	end,
}
