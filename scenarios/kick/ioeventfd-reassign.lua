-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A kick is in flight while the queue's ioeventfd is taken away and assigned again.
--
-- A running device goes from one backend to another: vhost stops and the VMM's own thread takes over, or the other way
-- round.  The ioeventfd goes and comes back on the way, and vCPUs do not stop for it.
--
--	to the VMM     the kick is in the eventfd when vhost's backend is cleared: the worker finds nothing to do, the
--	               VMM takes what is left in the eventfd, owns no ring yet, and ignores it
--	to vhost       the kick hits the new ioeventfd before the ring has its backend: the worker is woken too early
--
-- So the change itself has to count as a kick: who takes a ring over looks at it once.
return {
	name = "ioeventfd-reassign",
	title = "kick in flight while its ioeventfd is re-assigned to another backend",
	evidence = {
		"QEMU 310837de6c: who grabs and releases ioeventfds when vhost starts and stops",
		"QEMU d3f6f294ae: the ioeventfd is set once when it is started",
		"Linux 0b841030625c: the worker is kicked once when its device starts",
	},
	params = {
		from = { default = "vhost", values = { "vhost", "main-loop", "iothread" }, doc = "who has the queue first" },
		to = { default = "main-loop", values = { "vhost", "main-loop", "iothread" }, doc = "who takes it over" },
	},
	variants = {
		to_main_loop = { expect = "lost-kick", faults = { "virtio.start.no_self_kick" }, runs = 4000 },
		to_iothread = { expect = "lost-kick", faults = { "virtio.start.no_self_kick" },
				set = { to = "iothread" }, runs = 4000 },
		to_vhost = { expect = "lost-kick", faults = { "vhost.start.no_kick" },
			     set = { from = "main-loop", to = "vhost" }, runs = 8000 },
		holds = { expect = "ok", runs = 4000 },
		holds_vhost = { expect = "ok", set = { from = "iothread", to = "vhost" }, runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = p.from }
		local blk = dev:driver {}
		local up = flag("the disk is there")

		vm:actor("guest", function()
			assert(blk:probe())
			up:set()
			expect(blk:read(0) == 0, "state-lost", "vda", "the read failed")
		end, { cpu = 0 })
		vm:actor("vmm", function()
			up:wait()
			dev:set_backend(p.to)
		end)
	end,
}
