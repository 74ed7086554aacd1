-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- An interrupt is lost in a restore, and the event index suppresses all that come after it.
--
-- What was signalled and not delivered when a snapshot was taken is not in it; or a device's thread runs again before
-- the vCPU can take an interrupt.  Without the event index the next used buffer interrupts again, and nobody notices.
-- With it the driver waits at a used_event that the device has passed: the device is right, by the rules, to say
-- nothing ever after, and the network is dead after the restore.
--
-- The device cannot know what was lost.  So a restore interrupts each queue once more, whether anything is due or not
-- (2.7.7: a driver tolerates an interrupt too many), or does so until the driver has shown that it runs.
return {
	name = "restore-event-idx",
	title = "an interrupt lost in a restore is the last one",
	matrix = { "event_idx" },
	evidence = {
		"cloud-hypervisor f06970730: net: handle lost interrupts on restore",
		"Firecracker pull request 5958: its mirror image, kicks of vsock's TX queue after a restore with EVENT_IDX",
	},
	params = {
		again = { default = false, doc = "interrupt once more after the restore" },
		buffers = { default = 3, min = 1, max = 64, doc = "exposed in all" },
	},
	variants = {
		lost = { expect = "lost-interrupt", runs = 2000 },
		interrupted_again = { expect = "ok", set = { again = true }, runs = 8000 },
	},
	setup = function(p)
		local pair = raw { buffers = p.buffers, features = { "VIRTIO_RING_F_EVENT_IDX" } }
		local call = pair:call()

		-- One signal is taken by nobody who would pass it on.
		actor("restore", function()
			call:read()
			if p.again then
				call:write(1)
			end
		end, { daemon = true })
	end,
}
