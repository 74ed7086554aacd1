-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vDPA device writes into the guest's buffers, and no dirty log hears of it.  A migration therefore puts shadow
-- virtqueues between before it sends the first page: what the device used passes through the VMM, which notes it.
--
--	migration   set up: shadow on ── send all ── sync ── send ── stop ── last sync, last pass
--	VMM                            push: note page       stop: flush: note page
--	device                     write page           write page
--
-- Without shadow the page that is written after it was sent is lost, and with shadow that comes after the first pages
-- were sent, too.  QEMU refuses to migrate what it cannot shadow (a migration blocker).

return {
	name = "svq-migration",
	title = "a vDPA device writes memory during a migration; who notes it",
	evidence = {
		"QEMU 6949843046: vdpa: add vdpa net migration state notifier",
		"QEMU 9ed62809b6: vdpa: fix network breakage after cancelling migration",
	},
	params = {
		reads = { default = 3, min = 1, max = 16, doc = "of the guest, into two pages" },
		shadow = { default = 1, min = 0, max = 1, doc = "the migration switches shadow virtqueues on" },
		cancel = { default = 0, min = 0, max = 1, doc = "it is cancelled" },
	},
	buffers = "reads",
	variants = {
		no_shadow = { expect = "dirty-page-lost", set = { shadow = 0 }, runs = 4000,
			      doc = "the device's writes are noted by nobody: why QEMU refuses" },
		late = { expect = "dirty-page-lost", faults = { "qemu.vdpa.shadow_late" }, runs = 8000,
			 doc = "the switch comes when pages have been sent" },
		cancelled_call_fd = { expect = "lost-interrupt", faults = { "qemu.vdpa.call_fd_kept" },
				      set = { cancel = 1 }, runs = 4000, doc = "after a cancelled migration no interrupt comes" },
		svqs_first = { expect = "use-after-unmap", faults = { "qemu.vdpa.svqs_stop_first" }, runs = 4000 },
		shadow = { expect = "ok", runs = 6000 },
		cancelled = { expect = "ok", set = { cancel = 1 }, runs = 4000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vdpa", delay_ns = 1000,
					migrate_without_svq = p.shadow == 0, features = { "VIRTIO_RING_F_EVENT_IDX" } }
		local core = dev:core { name = "vda" }
		local gpa = ram_alloc(2 * 4096, 4096, "pages")
		local source = vm:source_vm { gpa = gpa, pages = 2 }
		local up = flag("the disk is there")
		local destination = source:destination()

		vm:actor("guest", function()
			core:start()
			core:find_queues(1)
			core:ready()
			up:set()
			local vq = core:queue(0)
			for i = 1, p.reads do
				local page = gpa + i % 2 * 4096

				assert(vq:submit { out = { 16 }, ["in"] = { { page, 512 }, 1 } })
				vq:kick()
				while not vq:get() do
					vq:wait()
				end
			end
		end, { cpu = 0, daemon = p.cancel == 0 })
		actor("monitor", function()
			up:wait()
			local m = migrate { vm = source, destination = destination, threshold_bytes = 4096, announce_rounds = 0 }

			if p.cancel == 1 then
				m:cancel()
			end
			m:wait()
		end)
	end,
}
