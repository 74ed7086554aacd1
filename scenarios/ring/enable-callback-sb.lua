-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The driver's half of used-flags-sb: a thread enables interrupts, polls once more, and sleeps on its epoll fd although
-- a packet was used in between, because its poll came before its wish was visible.

local barrier = include("barrier.inc")

return barrier.full {
	name = "enable-callback-sb",
	title = "the wish for interrupts is still in the store buffer when used.idx is read",
	evidence = {
		"DPDK 8f66bc4ac3: net/virtio: add barrier in interrupt enable",
	},
	expect = "lost-interrupt",
	fault = "driver.enable.skip_mb",
	functions = { "split_driver_poll", "packed_driver_poll", "virtqueue_poll" },
}
