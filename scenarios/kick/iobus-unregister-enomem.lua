-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- One ioeventfd is taken away, there is no memory for the smaller array, and all of them are gone.
--
-- KVM's I/O bus is an array that is copied to be changed.  kvm_io_bus_unregister_dev() allocates the smaller one, and
-- where that failed it destroyed the bus with everybody's devices on it and told its caller nothing.  One queue of one
-- disk is reset, and the doorbells of every other device of the machine stop being ioeventfds.
--
-- The kicks are not lost in this VMM, which takes a doorbell that exits and passes it on; they cost an exit and the
-- big lock each, for ever, and nobody knows why.  (A VMM without such a handler loses them.)  What is checked here is
-- that the VMM's idea of the bus and KVM's agree.
return {
	name = "iobus-unregister-enomem",
	title = "taking one ioeventfd away destroys the whole I/O bus",
	evidence = {
		"Linux f65886606c2d: what unregistering leaks and destroys without memory",
		"Linux 5d3c4c79384a: callers learn that the bus is gone",
		"Linux 3a0724998162, CVE-2026-72282: its lifetime, again",
	},
	variants = {
		gone = { expect = "state-lost", faults = { "kvm.iobus.unregister_enomem" }, runs = 200 },
		holds = { expect = "ok", runs = 2000 },
	},
	setup = function()
		local vm = machine { vcpus = 1 }
		local sick = vm:device { name = "vda", type = "virtio-blk", backend = "main-loop" }
		local well = vm:device { name = "vdb", type = "virtio-blk", backend = "vhost" }
		local vda, vdb = sick:driver {}, well:driver {}

		vm:actor("guest", function()
			assert(vda:probe())
			assert(vdb:probe())
			vda:remove()
			expect(vdb:read(0) == 0, "state-lost", "vdb", "the read failed")
			expect(well:queue(0):info().ioeventfd_assigned == well:notifier(0, "host"):dump().ioeventfd,
			       "state-lost", "dev=vdb vq=0",
			       "its doorbell is an ioeventfd for the VMM and none for KVM: each kick exits")
		end, { cpu = 0 })
	end,
}
