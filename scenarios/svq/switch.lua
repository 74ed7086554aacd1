-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Shadow virtqueues come and go under a guest that works.
--
--	VMM             suspend, base, map, start ── forward ── suspend, base, start
--	VMM             suspend, base, map, start ── forward ── suspend, base, unmap, start
--	device   ring of the guest's              shadow vring            ring of the guest's
--
-- Nothing is lost and nothing is done twice if each half of the way stands on what the other left: the device is
-- suspended before it is asked where it stands, the shadow gives back what the device did not finish, and unmapping
-- comes when nobody uses the map any more.  Orders that QEMU had, or nearly had, do worse.

return {
	name = "svq-switch",
	title = "shadow virtqueues are switched on and off while requests are in flight",
	matrix = { "ring", "in_order" }, -- a shadow virtqueue is of split rings
	evidence = {
		"QEMU c3716f260b: vdpa: move vhost reset after get vring base",
		"QEMU 0bb302a996: vdpa: add vhost_vdpa_suspend",
		"QEMU 4241e8bd72: vdpa: rewind at get_base, not set_base",
		"Linux 09e65ee9059d: vdpa/mlx5: should not activate virtq object when suspended",
		"QEMU 2fdac348fd: vhost: Get vring base from vq, not svq",
		"QEMU 9ed62809b6: vdpa: fix network breakage after cancelling migration",
		"QEMU b37c12be96: vdpa: Remove SVQ vring from iova_tree at shutdown",
	},
	params = {
		requests = { default = 3, min = 1, max = 12, doc = "of the guest, before, between, after" },
		delay_ns = { default = 1000, min = 0, max = 1000000, doc = "of a request" },
		off_again = { default = 1, min = 0, max = 1, doc = "and back: the migration is cancelled" },
	},
	buffers = "requests",
	variants = {
		reset_before_base = { expect = "spec-violation", faults = { "qemu.vhost.reset_before_base" }, runs = 2000,
				      doc = "the device has forgotten where it stood" },
		base_without_suspend = { expect = "spec-violation", faults = { "qemu.vdpa.base_without_suspend" },
					 set = { off_again = 0 }, runs = 6000,
					 doc = "it goes on after it said where it stands" },
		activated = { expect = "use-after-unmap", faults = { "mlx5.vdpa.activate_suspended" }, runs = 2000,
			      doc = "the vring's map goes after SUSPEND, and the device makes its queues anew" },
		unmapped_first = { expect = "use-after-unmap", faults = { "qemu.vdpa.svqs_stop_first" }, runs = 4000,
				   doc = "the shadow vring goes away under the device" },
		call_fd_kept = { expect = "lost-interrupt", faults = { "qemu.vdpa.call_fd_kept" }, runs = 2000,
				 doc = "after the switch back the device calls an fd that nobody reads" },
		not_unmapped = { expect = "mapping-leak", faults = { "qemu.svq.rings_not_unmapped" }, runs = 500 },
		base_from_svq = { expect = "spec-violation", faults = { "qemu.svq.base_from_svq" }, runs = 2000,
				  doc = "the shadow vring began at 0, the guest's did not" },
		not_rewound = { expect = "lost-kick", faults = { "qemu.svq.no_rewind" }, runs = 6000,
				doc = "what was forwarded and not finished is behind the position" },
		holds = { expect = "ok", runs = 6000 },
		at_once = { expect = "ok", set = { delay_ns = 0 }, runs = 4000, doc = "nothing is ever in flight for long" },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", delay_ns = p.delay_ns }
		local disk = dev:driver {}
		local up = flag("the disk is there")

		vm:actor("guest", function()
			assert(disk:probe())
			up:set()
			for i = 1, p.requests do
				expect(disk:flush() == 0, "state-lost", "blk0", "request " .. i .. " failed")
			end
		end, { cpu = 0 })
		vm:actor("migration", function()
			up:wait()
			assert(dev:svq(true))
			sleep(500)
			if p.off_again == 1 then
				assert(dev:svq(false))
			end
		end)
	end,
}
