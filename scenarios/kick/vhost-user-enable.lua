-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A kick arrives between "ring known" and "ring enabled" at a vhost-user back-end, and is thrown away.
--
-- Two channels go to one process: messages over a socket, kicks through eventfds.  Nothing orders them.
--
--	vCPU                          back-end, control thread     back-end, data thread
--	writes DRIVER_OK; the VMM
--	  sends SET_VRING_ENABLE
--	  and does not wait
--	exposes a buffer, kicks
--	                                                           reads the kick fd: ring 0 is not enabled,
--	                                                             nothing to do
--	                              handles SET_VRING_ENABLE
--
-- A firmware that sends one request and spins, as OVMF does with virtiofs, hangs: seldom at the first boot, nearly
-- always after a reboot.  It takes both mistakes: a VMM that lets the driver go on before the ring is enabled, and a
-- back-end that consumes what it cannot use.  Either cure is enough: QEMU waits for a reply, or the kick stays in the
-- eventfd until the ring is enabled.
return {
	name = "vhost-user-enable",
	title = "kick between ring known and ring enabled is consumed by the back-end",
	evidence = {
		"QEMU d7dc0682f5: SET_VRING_ENABLE is sent synchronously",
		"cloud-hypervisor c2137e33a: events of a queue that is not enabled are kept",
		"rust-vmm/vhost 8c00b88: the same in vhost-user-backend, five years later",
		"rust-vmm/vhost issue 247: a kick before SET_VRING_ENABLE",
	},
	variants = {
		lost = { expect = "lost-kick", runs = 4000,
			 faults = { "qemu.vhost_user.enable_async", "vhost_user.backend.kick_discarded" } },
		vmm_waits = { expect = "ok", faults = { "vhost_user.backend.kick_discarded" }, runs = 4000 },
		backend_keeps = { expect = "ok", faults = { "qemu.vhost_user.enable_async" }, runs = 4000 },
	},
	setup = function()
		local vm = machine { vcpus = 1 }
		local dev = vm:device { name = "vda", type = "virtio-blk", backend = "vhost-user" }
		local blk = dev:driver {}

		vm:actor("firmware", function()
			assert(blk:probe())
			expect(blk:read(0) == 0, "state-lost", "vda", "the read failed")
		end, { cpu = 0 })
	end,
}
