-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The main loop takes an ioeventfd's handler away while the iothread is on its way into it.
--
-- The iothread has seen the eventfd readable and wants the AioContext's lock; the main loop has the lock and stops the
-- device.  Removing the handler from the list does not stop the one that has been picked: as soon as the lock is free
-- it runs, on a device that is stopped and whose ring belongs to nobody.
--
--	iothread     eventfd readable, picks the handler ── waits for the lock ───────── handler runs
--	main loop                      has the lock: handler removed, device stopped, lock released
--
-- The remedy is to do the removal *in* the iothread, by a one-shot bottom half: a thread is not in two handlers at
-- once.  Needs no model of ours; `real` runs the stop of the real one, which does that.

return {
	name = "ioeventfd-stop-vs-handler",
	title = "a handler runs on a device that was stopped while it waited for the lock",
	evidence = {
		"QEMU 1010cadf62: virtio-blk: fix race between .ioeventfd_stop() and vq handler",
		"QEMU 184b962346: virtio-scsi: the same",
	},
	params = {
		how = { default = "from_main_loop", values = { "from_main_loop", "in_iothread", "real" },
			doc = "where the handler is removed" },
	},
	variants = {
		from_main_loop = { expect = "state-lost", runs = 4000, doc = "before 2.12" },
		in_iothread = { expect = "ok", set = { how = "in_iothread" }, runs = 8000, doc = "by a bottom half" },
		real = { expect = "ok", set = { how = "real" }, runs = 3000,
			 doc = "a virtio-blk device in an iothread is stopped under load" },
	},
	setup = function(p)
		if p.how == "real" then
			local vm = machine {}
			local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "iothread" }
			local blk = dev:driver { name = "vda" }
			local probed = flag("driver probed")

			vm:actor("task", function()
				blk:probe()
				probed:set()
				blk:read(0)
				blk:read(1)
			end, { cpu = 0 })
			actor("main", function()
				probed:wait()
				vm:stop()
				vm:start()
			end)
			return
		end

		local kick = eventfd("kick")
		local context = semaphore("AioContext", 1)
		local attached, stopped = true, false
		local bh, bh_done

		local function handle()
			point()
			context:acquire()
			expect(not stopped, "state-lost", "vq=0", "the handler runs on a stopped device")
			context:release()
		end

		actor("iothread", function()
			while attached do
				if not bh then
					kick:wait()
				end
				if bh then
					bh()
					bh = nil
					bh_done:set()
				end
				if attached and kick:count() > 0 then
					kick:read()
					handle()
				end
			end
		end)
		actor("vcpu0", function()
			kick:write()
		end)
		actor("main", function()
			local function remove()
				attached = false
			end

			if p.how == "in_iothread" then
				bh, bh_done = remove, flag("bottom half")
				kick:write() -- aio_notify()
				bh_done:wait()
			end
			point()
			context:acquire()
			remove()
			stopped = true
			context:release()
			kick:write() -- so that the thread sees that it may end
		end)
	end,
}
