-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- In the pause, and in the recovery: the link fails again, the user pauses or cancels, the answer is no good.
--
--	source        paused ── recover: ask for block 1 ──╳           paused ── recover ── push
--	destination   paused             RECV_BITMAP ◀── the link fails again
--
-- From a pause the only ways on are another recovery, and the loss of the guest: nothing but that may come of a
-- failure, a cancel would start a guest that runs at the destination, and the source has to have what it is asked for.

return {
	name = "postcopy-pause",
	title = "what goes wrong in a pause, or while postcopy is recovered",
	evidence = {
		"QEMU f8c543e808 (8.2): the network may fail during recovery",
		"QEMU 646119088f (10.0): migrate_cancel is refused once the guest has left",
		"QEMU 97ca211c62 (3.0): no recovery with release-ram",
		"QEMU 898ba906cc (6.1): blocks that are resized during postcopy",
		"QEMU 8.2 ramblock_recv_bitmap_send(): little endian, padded, with an end mark",
	},
	params = {
		again = { default = "none", values = { "none", "link", "pause", "cancel", "nothing" },
			  doc = "what comes upon the first failure; nothing: there is none" },
		release_ram = { default = false, doc = "the source drops what it handed to the socket" },
		big_endian = { default = false, doc = "the destination's host" },
		resize = { default = 0, min = 0, max = 64, doc = "of the first block, by the destination's firmware" },
		tries = { default = 4, min = 1, max = 8, doc = "to recover" },
	},
	variants = {
		stuck = { expect = "hang", faults = { "qemu.postcopy.recover_stuck" }, set = { again = "link" },
			  runs = 8000, doc = "the source waits in postcopy-recover for an answer" },
		cancelled = { expect = "state-lost", faults = { "qemu.postcopy.cancel" }, set = { again = "cancel" },
			      runs = 4000, doc = "the source's guest runs on, or the pause has no end" },
		native = { expect = "state-lost", faults = { "qemu.postcopy.bitmap_native" },
			   set = { big_endian = true }, runs = 8000,
			   doc = "other pages count as received: some come twice, some never" },
		rejected = { expect = "state-lost", faults = { "qemu.postcopy.used_length" },
			     set = { resize = 64, again = "nothing" }, runs = 4000,
			     doc = "pages 64 and 65 are beyond a block that got smaller, so they are not taken" },
		used_length = { expect = "hang", faults = { "qemu.postcopy.used_length" }, set = { resize = 64 },
				runs = 4000, doc = "the bitmap is of another size, each time" },
		released = { expect = "memory-divergence", faults = { "qemu.postcopy.release_ram_recovers" },
			     set = { release_ram = true }, runs = 8000, doc = "what was on the wire is zeros" },
		again = { expect = "ok", set = { again = "link" }, runs = 4000, doc = "both pause again" },
		by_user = { expect = "ok", set = { again = "pause" }, runs = 4000, doc = "migrate_pause" },
		refused = { expect = "ok", set = { again = "cancel" }, runs = 4000, doc = "it has no effect" },
		converted = { expect = "ok", set = { big_endian = true }, runs = 4000 },
		resized = { expect = "ok", set = { resize = 64 }, runs = 4000, doc = "the size at the switch counts" },
		no_release = { expect = "hang", set = { release_ram = true }, runs = 4000,
			       doc = "the recovery is refused: the guest stands, and nothing in it is wrong" },
	},
	setup = function(p)
		local vm = source_vm { blocks = { { name = "pc.rom", pages = 66 }, { name = "pc.ram", pages = 2 } } }
		local vcpu = vm:writer("vcpu", "vcpu0")
		local m, there

		vm:fill(64, 4)
		m = migrate { vm = vm, destination = vm:destination(), threshold_bytes = 4096, announce_rounds = 0 }
		m:postcopy_ram { release_ram = p.release_ram, big_endian = p.big_endian }
		there = m:vcpu("vcpu0")
		actor("vcpu0 there", function()
			there:write(66)
			there:read(65)
		end)
		actor("network", function()
			m:wait_for("postcopy-active")
			point()
			if p.resize > 0 then
				m:resize_block(1, p.resize)
			end
			if p.again ~= "nothing" and m:break_link() then
				if p.again == "cancel" then
					m:cancel()
				end
				for _ = 1, p.tries do
					if m:recover() then
						break
					end
				end
			elseif p.again == "cancel" then
				m:cancel()
			end
		end)
		if p.again == "link" or p.again == "pause" then
			actor("again", function()
				m:wait_for("postcopy-recover")
				if p.again == "pause" then
					m:pause()
				else
					m:break_link()
				end
			end, { daemon = true })
		end
		actor("vcpu0", function()
			vcpu:write(67)
			m:start_postcopy()
		end, { daemon = true })
		actor("monitor", function()
			expect(m:wait() == "completed", "state-lost", "migration", "it ended as " .. m:state())
			expect(not vm:running(), "state-lost", "vcpu0", "the guest runs on both sides")
		end)
	end,
}
