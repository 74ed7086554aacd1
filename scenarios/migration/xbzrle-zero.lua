-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- XBZRLE sends a page as the difference to what was sent last, which a cache remembers.  A page that became zero
-- is sent as a zero page; if the cache does not hear of it, the next difference is taken from content that the
-- destination no longer has.

return {
	name = "xbzrle-zero",
	title = "a difference is sent to a page that the destination has zeroed",
	evidence = { "QEMU 6d3cb1f970 (2014): two XBZRLE corruption issues" },
	params = {
		times = { default = 2, min = 1, max = 6, doc = "how often the page is written, zeroed and written" },
	},
	buffers = "times",
	variants = {
		zero_not_cached = { expect = "memory-divergence", faults = { "qemu.xbzrle.zero_not_cached" },
				    runs = 20000, doc = "a zero page does not go into the cache" },
		zero_cached = { expect = "ok", runs = 6000, doc = "it does" },
	},
	setup = function(p)
		local vm = source_vm { pages = 2 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m

		vm:fill(0, 2)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, xbzrle = true,
			      xbzrle_cache_pages = 16, announce_rounds = 0 }
		actor("vcpu0", function()
			for _ = 1, p.times do
				vcpu:write(0)
				vcpu:write(0, true)
				vcpu:write(0)
			end
		end, { daemon = true })
		actor("monitor", function()
			m:wait()
		end)
	end,
}
