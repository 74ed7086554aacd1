-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What COLO costs: the primary stands while a checkpoint goes over.  Often by timer, and each one is small; seldom, and
-- packets that differ ask for one anyway.  `ringside compare --over delay_ms` has the figures.

return {
	name = "colo-delay",
	title = "COLO: how often checkpoints come, and how long the primary stands for them",
	evidence = { "QEMU 8.2 x-checkpoint-delay: 20000 ms" },
	mode = "timed",
	steps_max = 2000000,
	params = {
		delay_ms = { default = 100, min = 1, max = 20000, doc = "x-checkpoint-delay" },
		differ_every = { default = 50, min = 1, max = 1000, doc = "one packet of so many differs" },
		steps = { default = 1000, min = 10, max = 20000, doc = "of each guest, one a millisecond" },
	},
	variants = {
		timer_and_packets = { expect = "ok", runs = 1 },
		packets = { expect = "ok", set = { delay_ms = 20000 }, runs = 1, doc = "QEMU's delay" },
		release_early = { expect = "state-lost", faults = { "qemu.colo.release_early" }, runs = 1 },
	},
	setup = function(p)
		local vm = source_vm { pages = 16384 }
		local c

		vm:fill(0, 16384)
		c = colo { vm = vm, checkpoint_delay_ns = p.delay_ms * 1000000 }
		for _, side in ipairs { "primary", "secondary" } do
			actor(side, function()
				for i = 1, p.steps do
					local differs = side == "secondary" and i % p.differ_every == 0

					c:step(side, i * 37 % 16384, differs and 1 or 0)
					sleep(1000000)
				end
				if side == "primary" then
					c:checkpoint()
					c:stats()
					c:stop()
				end
			end)
		end
	end,
}
