-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vhost-user back-end notes the event index in a message that need not come.
--
-- VIRTIO_RING_F_EVENT_IDX is among the features that SET_FEATURES names.  rust-vmm's back-end handed it on to its rings
-- when it handled SET_VRING_BASE, because that was always the next message: QEMU sends it.  A front-end whose rings
-- begin at 0 may leave it out.  Then the two sides suppress by different rules: the back-end toggles used.flags and
-- never moves avail_event, the driver looks at nothing else, and after its first buffer it does not kick.
return {
	name = "event-idx-by-base",
	title = "the event index is noted in SET_VRING_BASE, and the message is left out",
	evidence = { "rust-vmm/vhost 043d0d8: set event_idx boolean at set_features" },
	params = {
		base = { default = false, doc = "the front-end sends SET_VRING_BASE" },
		flags = { default = true, doc = "judge used.flags, which must be 0; false: go on to what is lost" },
	},
	variants = {
		left_out = { expect = "lost-kick", faults = { "vhost_user.backend.event_idx_by_base" },
			     set = { flags = false }, runs = 2000 },
		flags_set = { expect = "spec-violation", faults = { "vhost_user.backend.event_idx_by_base" }, runs = 2000,
			      doc = "VIRTIO-2.7.10.2-D2 sees it before anything is lost" },
		sent = { expect = "ok", faults = { "vhost_user.backend.event_idx_by_base" }, set = { base = true },
			 runs = 3000, doc = "as QEMU does" },
		noted_with_features = { expect = "ok", runs = 3000 },
	},
	setup = function(p)
		if not p.flags then
			oracle("VIRTIO-2.7.10.2-D2", false)
		end
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = "vhost-user",
					no_vring_base = not p.base }
		local blk = dev:driver {}

		vm:actor("task", function()
			assert(blk:probe())
			for sector = 0, 2 do
				expect(blk:read(sector) == 0, "state-lost", "vda", "the read failed")
			end
		end, { cpu = 0 })
	end,
}
