-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A source sends device state that the destination cannot take: a newer version, or a subsection that it does not
-- know.  The load must fail and the guest go on at the source; a destination that left the subsection out would run
-- a device in another state.

return {
	name = "vmstate",
	title = "device state of a newer version is refused, and the source goes on",
	evidence = { "QEMU docs/devel/migration: a subsection that is not known fails the migration" },
	params = {
		newer = { default = "nothing", values = { "nothing", "version", "subsection" },
			  doc = "what the source has that the destination has not" },
		goes_on = { default = true, doc = "whether the source's guest must go on" },
	},
	variants = {
		same = { expect = "ok", runs = 500 },
		version = { expect = "state-lost", set = { newer = "version" }, runs = 100,
			    doc = "version 3 to one that knows 2" },
		subsection = { expect = "state-lost", set = { newer = "subsection" }, runs = 100,
			       doc = "a subsection that it does not know" },
	},
	setup = function(p)
		local vm = source_vm { pages = 2 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m = migrate {
			vm = vm,
			destination = vm:destination(),
			announce_rounds = 0,
			devices = {
				{
					name = "virtio-blk0",
					source = {
						version = p.newer == "version" and 3 or 2,
						subsections = p.newer == "subsection" and { "virtio/started" } or nil,
					},
					destination = { version = 2, minimum_version = 1 },
				},
			},
		}
		actor("vcpu0", function()
			vcpu:write(0)
		end, { daemon = true })
		actor("monitor", function()
			local state = m:wait()

			if state == "failed" then
				expect(vm:running(), "hang", "vm", "the guest runs nowhere")
			end
			expect(state == "completed", "state-lost", "virtio-blk0", "the destination refused its state")
		end)
	end,
}
