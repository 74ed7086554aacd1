-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A member's parts are taken, and set at a device that never ran these queues.
--
-- The parts of 2.14 are features, status, vectors, and of each queue its size and addresses; where a queue stands is
-- not among them.  A split ring says it itself: all that was observed was written back, so that the device goes on at
-- used.idx.  A packed ring does not: position and wrap counter are nowhere in guest memory, and a device that begins
-- at the beginning looks at the wrong slot unless the ring stands there.
--
--	owner    STOPPED ── DEV_PARTS_GET ── (another device) ── DEV_PARTS_SET ── resume
--	guest    1, 2, 3 done                                                     4 ?
local common = include("common.inc")

return {
	name = "parts",
	title = "device parts of 1.4 restore a split ring, and no packed one",
	evidence = {
		"virtio 1.4, 2.14: device parts (67141d1, a1281ad); no part says where a virtqueue stands",
		"vhost-user: VHOST_USER_GET_VRING_BASE has both positions of a packed ring",
	},
	matrix = false,
	params = {
		packed = { default = false, doc = "VIRTIO_F_RING_PACKED" },
		requests = { default = 3, min = 0, max = 64, doc = "before" },
		damage = { default = "none", values = { "none", "length", "order", "features", "size", "short", "running" },
			   doc = "what is wrong with the parts, or the time" },
	},
	variants = {
		packed_lost = { expect = "lost-kick", set = { packed = true }, runs = 200,
				doc = "the device waits at the wrong slot" },
		packed_at_start = { expect = "ok", set = { packed = true, requests = 0 }, runs = 200 },
		split = { expect = "ok", runs = 500 },
		split_lap = { expect = "ok", set = { requests = 40 }, runs = 50, doc = "the ring has wrapped" },
		length = { expect = "ok", set = { damage = "length" }, runs = 50, doc = "refused, and nothing was set" },
		order = { expect = "ok", set = { damage = "order" }, runs = 50 },
		features = { expect = "ok", set = { damage = "features" }, runs = 50 },
		size = { expect = "ok", set = { damage = "size" }, runs = 50, doc = "a queue that no driver could have" },
		short = { expect = "ok", set = { damage = "short" }, runs = 50, doc = "cut off in the middle of a part" },
		running = { expect = "ok", set = { damage = "running" }, runs = 50, doc = "the member has to be stopped" },
	},
	setup = function(p)
		local features = p.packed and { "VIRTIO_F_RING_PACKED" } or { "VIRTIO_RING_F_EVENT_IDX" }
		local x = common.machine({ design = "admin-stop" }, { features = features })
		local GET, SET = "VIRTIO_ADMIN_CMD_DEV_PARTS_GET", "VIRTIO_ADMIN_CMD_DEV_PARTS_SET"
		local DAMAGE = { -- of the parts; the first queue's size is at 118
			length = function(s) return s:sub(1, 12) .. "\4" .. s:sub(14) end,
			order = function(s) return s:sub(25) .. s:sub(1, 24) end,
			size = function(s) return s:sub(1, 117) .. "\3" .. s:sub(119) end,
			short = function(s) return s:sub(1, #s - 3) end,
			features = function(s) return s:sub(1, 16) .. "\255" .. s:sub(18) end,
		}
		local function one()
			common.submit(x.core:queue(0))
			common.reap(x.core:queue(0), 1)
		end

		x.vm:actor("task", function()
			x:boot(1)
			for _ = 1, p.requests do
				one()
			end
			if p.damage == "running" then
				oracle("VIRTIO-2.12.1.4.4.2-R1", false)
			else
				x:suspend()
			end
			local status, _, parts = x.dev:admin(GET)
			assert(status == 0)
			metric("parts", #parts, "bytes")
			local _, _, bytes = x.dev:admin("VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET")
			assert(bytes == #parts)
			local damage = DAMAGE[p.damage]
			status = x.dev:admin(SET, damage and damage(parts) or parts)
			expect((status == 0) == (p.damage == "none"), "spec-violation", "dev=blk0",
			       "parts that are wrong were taken, or good ones were not")
			if p.damage ~= "running" then
				local _, _, now = x.dev:admin(GET)
				expect(now == parts, "spec-violation", "dev=blk0", "a part is not as it was set")
				x:resume()
			end
			one()
		end, { cpu = 0 })
	end,
}
