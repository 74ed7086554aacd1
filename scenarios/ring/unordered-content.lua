-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What is handed over is not ordered by what hands it over, and nothing goes wrong.
--
-- An index (split) or a descriptor's flags (packed) say that an element or a descriptor is there.  That says so only
-- if it was written before, behind a write barrier, and is read afterwards, behind a read barrier.  Where one of them
-- is missing or in the wrong place, most runs read the right bytes all the same: idx-before-elem.lua and
-- ../suppress/packed-flags-content.lua wait for the schedule in which they do not.  Looking for data races needs no
-- luck: two accesses that nothing orders are reported wherever they are far apart, too, under sequential consistency.
--
-- The holding variants are the rings as they are, under each memory model: silent.

local SPLIT, PACKED = { "VIRTIO_RING_F_EVENT_IDX" }, { "VIRTIO_RING_F_EVENT_IDX", "VIRTIO_F_RING_PACKED" }

return {
	name = "unordered-content",
	title = "an element or a descriptor is not ordered by what says that it is there",
	evidence = {
		"kvmtool 9490278: virtio: used element first, index second",
		"DPDK 33e12d63d1: read barrier between flags and content, in the vhost library",
		"DPDK 4b058fdd27: the same in the virtio PMD",
	},
	races = true,
	params = {
		packed = { default = false, doc = "a packed ring" },
		buffers = { default = 3, min = 1, max = 64, doc = "exposed in all" },
	},
	variants = {
		used_element = { expect = "data-race", faults = { "device.publish.idx_before_elem" }, runs = 200 },
		device_descriptor = { expect = "data-race", faults = { "device.packed.content_first" },
				      set = { packed = true }, runs = 200 },
		driver_descriptor = { expect = "data-race", faults = { "driver.packed.content_first" },
				      set = { packed = true }, runs = 200 },
		-- A barrier that orders a store and a later load orders no contents: that is no data race.
		full_barriers = { expect = "ok", memory = "sc", runs = 2000,
				  faults = { "driver.kick.skip_mb", "device.publish.skip_mb" } },
		holds = { expect = "ok", runs = 4000 },
		holds_tso = { expect = "ok", memory = "tso", runs = 2000 },
		holds_weak = { expect = "ok", memory = "weak", runs = 2000 },
		holds_packed = { expect = "ok", set = { packed = true }, runs = 4000 },
		holds_packed_tso = { expect = "ok", memory = "tso", set = { packed = true }, runs = 2000 },
		holds_packed_weak = { expect = "ok", memory = "weak", set = { packed = true }, runs = 2000 },
	},
	setup = function(p)
		raw { buffers = p.buffers, features = p.packed and PACKED or SPLIT }
	end,
}
