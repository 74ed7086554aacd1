-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- QEMU's dirty memory is a word for 64 pages, and threads share it: an iothread and a vCPU set bits, the migration
-- takes them out.
--
--	iothread	load word ─────────────────── store word | bit of A
--	vCPU			   word |= bit of B				the bit of B is gone
--
--	migration	load word ─────────────────── store 0
--	vCPU			   word |= bit of B				so is it here
--
-- Each of the two has to be one atomic operation.

return {
	name = "bitmap-nonatomic",
	title = "two threads change one word of QEMU's dirty memory, each by a load and a store",
	evidence = {
		"QEMU d114875b9a (2014): use atomic ops for setting dirty memory bits",
		"QEMU 5f2cb94688 (2014): make cpu_physical_memory_sync_dirty_bitmap() fully atomic",
	},
	params = {
		atomic_set = { default = true, doc = "setting a bit is one operation" },
		atomic_fetch = { default = true, doc = "taking a word is one operation" },
		writes = { default = 2, min = 1, max = 8, doc = "of each writer" },
	},
	buffers = "writes",
	variants = {
		plain_set = { expect = "dirty-page-lost", set = { atomic_set = false }, runs = 2000,
			      doc = "two writers of neighbouring pages" },
		get_then_reset = { expect = "dirty-page-lost", set = { atomic_fetch = false }, runs = 2000,
				   doc = "a writer between the two" },
		atomic = { expect = "ok", runs = 6000 },
	},
	setup = function(p)
		local word = 0
		local source, destination = { 0, 0 }, { 0, 0 }

		local function write(page)
			source[page] = source[page] + 1
			point()
			local old = word
			if not p.atomic_set then
				point()
			end
			word = old | 1 << page
			note(string.format("page %d has version %d, the word is %#x", page, source[page], word))
			point()
		end
		local function fetch()
			local bits = word
			if not p.atomic_fetch then
				point()
			end
			word = 0
			note(string.format("fetches %#x", bits))
			return bits
		end
		local function send(bits)
			for page = 1, 2 do
				if bits & 1 << page ~= 0 then
					point()
					destination[page] = source[page]
				end
			end
		end
		local writers = {}
		for page, name in ipairs { "iothread", "vcpu" } do
			writers[page] = actor(name, function()
				for _ = 1, p.writes do
					write(page)
				end
			end)
		end
		actor("migration", function()
			send(fetch())
			point()
			writers[1]:join()
			writers[2]:join()
			send(fetch())
			for page = 1, 2 do
				expect(destination[page] == source[page], "dirty-page-lost", "page=" .. page,
				       string.format("the destination has version %d, the guest %d",
						     destination[page], source[page]))
			end
		end)
	end,
}
