-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vhost-user backend runs a ring before its call fd has come.
--
-- A ring is set up by a row of messages.  Nothing in the protocol says that the call fd comes before the kick fd, and a
-- backend that starts at the kick fd (as without VHOST_USER_F_PROTOCOL_FEATURES it must) uses what is there with
-- nobody to tell:
--
--	vmm        SET_VRING_KICK ────────────────────── SET_VRING_CALL
--	backend                    uses a buffer: no call fd
--
-- The call fd that comes later is not signalled for what is past.  A backend can signal it once when it comes, as
-- libvhost-user does: a spurious interrupt costs nothing, a lost one costs the device.

return {
	name = "call-after-kick",
	title = "what a backend used before it had a call fd is never signalled",
	evidence = {
		"rust-vmm/vhost 4feeb77 (2021): a ring starts only when both of its fds have come",
		"rust-vmm/vhost a94e14e (2022): with the kick fd again, for a driver that polls may never set a call fd",
		"libvhost-user vu_set_vring_call_exec(): a call fd that comes is signalled, which is the cure here",
	},
	variants = {
		never_signalled = { expect = "lost-interrupt", faults = { "vhost_user.backend.call_after_kick" },
				    runs = 6000, doc = "nobody makes up for it" },
		signalled = { expect = "ok", runs = 4000, doc = "the call fd is signalled when it comes" },
	},
	setup = function()
		local vm = machine {}
		local dev = vm:device { name = "blk0", type = "virtio-blk", backend = "vhost-user",
					no_protocol_features = true }
		local core = dev:core { name = "vda" }

		vm:actor("probe", function()
			core:start()
			core:find_queues(1)
			local vq = core:queue(0)
			vq:submit { out = { 16 }, ["in"] = { 512, 1 } } -- as receive buffers are, before DRIVER_OK
			core:ready()
			vq:kick()
			while not vq:get() do
				vq:wait()
			end
		end, { cpu = 0 })
	end,
}
