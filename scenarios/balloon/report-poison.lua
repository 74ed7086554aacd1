-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Free page reporting: the host may take a page that is reported, and the guest gets it back as zeros.  A guest that
-- poisons its free pages looks at the poison when it takes one; so the device takes none unless the poison is zero.

local common = include("common.inc")

return {
	name = "report-poison",
	title = "a reported page comes back without its poison",
	evidence = {
		"VIRTIO-5.5.6.7.2-D1",
		"QEMU 91b867191d: virtio-balloon: Provide an interface for free page reporting",
	},
	params = {
		poison = { default = 0xaaaaaaaa, min = 0, max = 0xffffffff, doc = "poison_val" },
	},
	variants = {
		ignored = { expect = "spec-violation", faults = { "qemu.balloon.report_ignores_poison" }, runs = 300,
			    doc = "taken, whatever the poison" },
		kept = { expect = "ok", runs = 500, doc = "not taken" },
		zero = { expect = "ok", set = { poison = 0 }, runs = 500, doc = "taken: zeros are what it held" },
	},
	setup = function(p)
		local w = common.world { pages = 6, poison = p.poison }

		common.guest(w, function(balloon)
			balloon:report(3)
			expect(w.dev:balloon_info().discarded == (p.poison == 0 and 3 or 0), "state-lost", "balloon0",
			       "the device took other pages than it may")
			for i = 1, 3 do
				common.alloc(w, i)
			end
			expect(balloon:info().poison_errors == 0, "memory-divergence", "balloon0",
			       "a free page does not hold its poison")
		end)
	end,
}
