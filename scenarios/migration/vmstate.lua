-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Device state of two versions.  A destination refuses what it can tell from the stream: a newer version, a subsection
-- whose name it does not know, more or fewer bytes than it expects; then the guest goes on at the source.
--
-- It cannot tell two fields of one size that changed places, nor a subsection that is not there: whether it is needed
-- only the source is asked.  Then the guest runs on with a device in another state.

local function fields(list)
	local all = {}
	for i, name in ipairs(list) do
		all[i] = { name = name, bytes = name == "queue_sel" and 2 or 1 }
	end
	return all
end

-- What source and destination have, beyond what is the same for both.
local differ = {
	nothing = {},
	version = { source = { version = 3 } },
	older = { source = { version = 1, fields = fields { "status", "isr" } } },
	subsection = { source = { subsections = { "virtio/started" } } },
	field = { source = { fields = fields { "status", "isr", "queue_sel", "queue_sel" } } },
	swapped = { destination = { fields = fields { "isr", "status", "queue_sel" } } },
	forgotten = { source = { subsections = { { name = "virtio/started", needed = false, in_use = true } } },
		      destination = { subsections = { "virtio/started" } } },
	not_sent = { destination = { subsections = { "virtio/started" } } },
}

return {
	name = "vmstate",
	title = "device state of another version is refused, and the source goes on; or is not, and should have been",
	evidence = {
		"QEMU 8.2 vmstate_load_state(), vmstate_subsection_load(), check_section_footer()",
		"QEMU 33a0c404fb (6.2): takes back a version that 18f6290a6a had raised, which 6.1 refused",
	},
	params = {
		newer = { default = "nothing",
			  values = { "nothing", "version", "older", "subsection", "field", "swapped", "forgotten", "not_sent" },
			  doc = "in what the two sides differ" },
	},
	variants = {
		same = { expect = "ok", runs = 500 },
		version = { expect = "state-lost", set = { newer = "version" }, runs = 100,
			    doc = "version 3 to one that knows 2" },
		older = { expect = "ok", set = { newer = "older" }, runs = 100,
			  doc = "version 1, which lacks a field, to one that takes 1 and 2" },
		subsection = { expect = "state-lost", set = { newer = "subsection" }, runs = 100,
			       doc = "a subsection that it does not know" },
		field = { expect = "state-lost", set = { newer = "field" }, runs = 100,
			  doc = "a field more, and the same version: the footer is not where it should be" },
		swapped = { expect = "state-lost", set = { newer = "swapped" }, runs = 100,
			    doc = "two fields in another order: accepted" },
		forgotten = { expect = "state-lost", set = { newer = "forgotten" }, runs = 100,
			      doc = "needed() of a subsection says no, wrongly: accepted" },
		not_sent = { expect = "ok", set = { newer = "not_sent" }, runs = 100,
			     doc = "needed() says no, rightly" },
	},
	setup = function(p)
		local vm = source_vm { pages = 2 }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local function side(name)
			local s = { version = 2, minimum_version = 1, fields = fields { "status", "isr", "queue_sel" } }
			s.fields[3].version = 2
			for key, value in pairs(differ[p.newer][name] or {}) do
				s[key] = value
			end
			return s
		end
		local m = migrate {
			vm = vm,
			destination = vm:destination(),
			announce_rounds = 0,
			devices = { { name = "virtio-blk0", source = side("source"), destination = side("destination") } },
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
