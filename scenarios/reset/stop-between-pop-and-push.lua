-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The machine stops while a request is popped and not pushed, and the ring's position is taken.
--
-- A stopped ring is described by two numbers, how far it was read and how far it was used.  A request between the two
-- is in neither: whoever starts the ring from that position, here or at the other end of a migration, will not
-- pop it again, and the one who popped it is gone.
--
--	iothread     pop ── request to the disk ──────────────────────────── push
--	main loop                                 vm_stop, position := 1
--
-- So a stop waits until nothing is in flight.  vDPA had to get a suspend operation for that before its devices could
-- be migrated at all.

return {
	name = "stop-between-pop-and-push",
	title = "a ring's position is taken while a request is in flight",
	evidence = {
		"QEMU 0bb302a996: vdpa: add vhost_vdpa_suspend, so that the position stands still",
		"cloud-hypervisor 50f2fd369: block: drain async I/O before pausing",
	},
	params = {
		backend = { default = "iothread", values = { "iothread", "main-loop", "vhost" },
			    doc = "who runs the ring" },
	},
	variants = {
		not_drained = { expect = "state-lost", faults = { "virtio.stop.no_drain" }, runs = 4000,
				doc = "the position is taken at once" },
		drained = { expect = "ok", runs = 4000, doc = "the stop waits for what is in flight" },
		drained_main_loop = { expect = "ok", set = { backend = "main-loop" }, runs = 4000,
				      doc = "in the main loop, which is the one that waits" },
		drained_vhost = { expect = "ok", set = { backend = "vhost" }, runs = 4000, doc = "in a vhost worker" },
	},
	setup = function(p)
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = p.backend, delay_ns = 1000 }
		local blk = dev:driver { name = "vda" }
		local probed = flag("driver probed")

		vm:actor("task", function()
			blk:probe()
			probed:set()
			blk:read(0)
			blk:read(1)
		end, { cpu = 0 })
		actor("migration", function()
			probed:wait()
			sleep(500)
			vm:stop()
			local ring = dev:queue(0):info()
			expect(ring.inuse == 0, "state-lost", "dev=blk0 vq=0",
			       string.format("position %d is taken with %d requests in flight: they are neither "
					     .. "finished nor to be done again", ring.last_avail_idx, ring.inuse))
			point()
			vm:start()
		end)
	end,
}
