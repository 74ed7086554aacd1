-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Requests of a device while its machine moves: each is done once, here or there.
--
--	guest    available, kick                                   …may be stopped between the two
--	source   take, do ── no more are taken, what was taken is finished ── position ── RAM
--	there                                  begin from the position ── look at the queue ── vCPUs
--
-- The position is worth something only if nothing is taken after it was told, and nothing is forgotten that was
-- taken before.  A backend either finishes what it has begun, or names it in the region that the next one reads.  And
-- whoever starts looks at the queue once without being told to: the kick may have been the other side's.
--
-- The same on the way back: a signal in a guest notifier that nobody has seen yet is looked for before it goes.
--
-- QEMU 923b8921d2 made vhost-user devices start as a whole, and reset them before GET_VRING_BASE: its figures are in
-- downtime.lua, what it broke until 6f8be29ec1 is here.

return {
	name = "stop-requests",
	title = "requests in flight while their machine moves: finished, done again, done twice or forgotten",
	evidence = {
		"QEMU c3716f260b, 6f8be29ec1: GET_VRING_BASE before the reset",
		"QEMU 0bb302a996: a vDPA device is suspended before it is asked for its position",
		"QEMU d3f6f294ae; crosvm 9d7cd0454: a device that starts is kicked",
		"cloud-hypervisor 50f2fd369: asynchronous I/O is drained before pausing",
		"VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT: what was not drained is migrated",
	},
	params = {
		backend = { default = "vhost", values = { "main-loop", "iothread", "vhost", "vhost-user", "vdpa" },
			    doc = "who serves the queue" },
		requests = { default = 2, min = 1, max = 8, doc = "of the guest" },
		inflight = { default = false, doc = "vhost-user: requests in flight are migrated, not drained" },
		refused = { default = false, doc = "the destination takes no device state: the source goes on" },
	},
	buffers = "requests",
	variants = {
		reset_first = { expect = "state-lost", faults = { "qemu.vhost.reset_before_base" },
				set = { backend = "vdpa" }, runs = 2000, doc = "the position is 0: done twice" },
		no_suspend = { expect = "state-lost", faults = { "qemu.vdpa.base_without_suspend" },
			       set = { backend = "vdpa" }, runs = 8000, doc = "it takes one more after the position was told" },
		not_finished = { expect = "hang", faults = { "virtio.stop.no_drain" }, runs = 8000,
				 doc = "taken, and neither finished nor told of" },
		devices_first = { expect = "state-lost", faults = { "vmm.stop.devices_before_vcpus" }, runs = 8000,
				  doc = "stopped, and a vCPU's kick has the request handled after all" },
		image_not_drained = { expect = "dirty-page-lost", faults = { "vmm.stop.blk_not_drained" },
				      set = { backend = "iothread" }, runs = 8000,
				      doc = "the request's data comes after the last sync" },
		not_kicked = { expect = "hang", faults = { "qemu.start.no_kick" }, runs = 8000,
			       doc = "the last kick was the source's, and stays there" },
		not_called = { expect = "hang", faults = { "qemu.guest_notifier.not_read" }, runs = 8000,
			       doc = "done at the source, and its interrupt goes with the irqfd" },
		main_loop = { expect = "ok", set = { backend = "main-loop" }, runs = 6000 },
		iothread = { expect = "ok", set = { backend = "iothread" }, runs = 6000 },
		vhost = { expect = "ok", runs = 6000 },
		vdpa = { expect = "ok", set = { backend = "vdpa" }, runs = 6000 },
		vhost_user_inflight = { expect = "ok", set = { backend = "vhost-user", inflight = true }, runs = 6000,
					doc = "not finished, but told of" },
		source_again = { expect = "ok", set = { backend = "vhost-user", inflight = true, refused = true },
				 runs = 6000, doc = "the same when the source goes on" },
	},
	setup = function(p)
		local vm = source_vm { pages = 4 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local device = vm:device {
			name = "vda",
			type = "blk",
			queues = 1,
			backend = p.backend,
			inflight_migration = p.inflight,
		}
		local m = migrate {
			vm = vm,
			destination = vm:destination(),
			threshold_bytes = 4096,
			announce_rounds = 0,
			devices = {
				{ name = "vda", source = { version = p.refused and 2 or 1 }, destination = { version = 1 } },
			},
		}

		local guest = actor("vcpu0", function()
			for i = 1, p.requests do
				device:submit(vcpu, i % 4)
			end
		end)
		actor("monitor", function()
			m:wait()
			guest:join()
			device:wait()
		end)
	end,
}
