-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What COLO takes for the same.  Both guests answer a client; how they cut what they say into packets, and where their
-- sequence numbers begin, is each one's own:
--
--	primary    1001 ├ abc ┤├ def ┤          secondary    5001 ├ abcd ┤├ ef ┤   rewritten: - 4000
--
-- A compare that takes what differs for the same lets a packet go that the secondary never sent: if the primary dies
-- then, the client has heard what nobody said.  And one that takes the same for different only costs: each packet
-- becomes a checkpoint, and "ftp get" has one percent of its speed (QEMU f449c9e549).

return {
	name = "colo-compare",
	title = "COLO: packets that count as the same and are not, or are and do not",
	evidence = {
		"QEMU f449c9e549 (2.12), 1e907a32b7 (4.2): TCP by sequence numbers, and its condition",
		"QEMU 862ee1e07e, 5a2d9929ac, fb5eca4a57: compare_seq, header size, acknowledgements that wrap",
		"QEMU 626bba988a (2.11), a5f038e2c5 (7.0): which packet is compared first",
		"QEMU 24525e93c1 (3.1): filter-rewriter hears of checkpoints and failover",
	},
	params = {
		protocol = { default = "tcp", values = { "tcp", "udp", "icmp", "other" } },
		differ = { default = false, doc = "the guests say something else" },
		segment = { default = 4, min = 1, max = 6, doc = "bytes of the secondary's packets; the primary's are 3" },
		client = { default = 1, min = 0, max = 4294967295, doc = "the client's initial sequence number" },
		iss = { default = 5000, min = 0, max = 4294967295, doc = "the secondary's; the primary's is 1000" },
		before = { default = 0, min = 0, max = 4294967295, doc = "a connection before, with numbers from here; 0: none" },
		differ_at = { default = 0, min = 0, max = 4, doc = "they say something else in this message" },
		queue = { default = 1024, min = 1, max = 1024, doc = "max_queue_size" },
		messages = { default = 2, min = 1, max = 4 },
		checkpoint = { default = false, doc = "one between two messages" },
		dies = { default = false, doc = "the primary dies at some time, and the secondary says more" },
	},
	variants = {
		inverted = { expect = "state-lost", faults = { "qemu.compare.inverted" }, set = { differ = true },
			     runs = 500, doc = "before QEMU 4.2: what differs is let go" },
		compare_seq_garbage = { expect = "state-lost", faults = { "qemu.compare.compare_seq_garbage" },
					set = { before = 100000, differ = true }, runs = 500,
					doc = "before QEMU 5.2: all of a new connection was compared" },
		passthrough = { expect = "state-lost", faults = { "qemu.rewriter.passthrough" }, set = { dies = true },
				runs = 2000, doc = "the client gets numbers that it does not know" },
		unaligned = { expect = "state-lost", faults = { "qemu.compare.unaligned" },
			      set = { queue = 1, segment = 3, messages = 3, differ_at = 2 }, runs = 6000,
			      doc = "as QEMU 8.2: bytes of two places are the same, as a packet between is lost" },
		flush_takes_new = { expect = "spec-violation", faults = { "qemu.compare.flush_takes_new" },
				    set = { iss = 900, checkpoint = true }, runs = 6000,
				    doc = "the secondary has loaded before the primary's compare is told" },
		by_packet = { expect = "spec-violation", faults = { "qemu.compare.by_packet" }, runs = 500,
			      doc = "before QEMU 2.12: packet by packet" },
		header_size = { expect = "spec-violation", faults = { "qemu.compare.header_size" }, set = { segment = 3 },
				runs = 500, doc = "before QEMU 6.1: with a vnet header" },
		ack_wrap = { expect = "spec-violation", faults = { "qemu.compare.ack_wrap" }, set = { client = 4294967290 },
			     runs = 500, doc = "before QEMU 6.2: 4 GiB from the client" },
		newest_first = { expect = "spec-violation", faults = { "qemu.compare.newest_first" },
				 set = { protocol = "udp" }, runs = 500,
				 doc = "as QEMU 8.2: a secondary that is one packet behind" },
		offset_kept = { expect = "spec-violation", faults = { "qemu.rewriter.offset_kept" },
				set = { iss = 900, checkpoint = true }, runs = 2000, doc = "before QEMU 3.1" },
		tcp = { expect = "ok", runs = 2000 },
		short_queue = { expect = "ok", set = { queue = 1, segment = 3, messages = 3, differ_at = 2 }, runs = 6000,
				doc = "what has no place in compare is lost to it" },
		wrap = { expect = "ok", set = { client = 4294967290, iss = 4294967295, segment = 6 }, runs = 2000 },
		tcp_differs = { expect = "ok", set = { differ = true, dies = true }, runs = 4000 },
		checkpoint = { expect = "ok", set = { iss = 900, checkpoint = true, dies = true }, runs = 6000 },
		another = { expect = "ok", set = { before = 100000, differ = true, dies = true }, runs = 3000 },
		udp = { expect = "ok", set = { protocol = "udp", dies = true }, runs = 3000 },
		icmp_differs = { expect = "ok", set = { protocol = "icmp", differ = true, dies = true }, runs = 3000 },
		other = { expect = "ok", set = { protocol = "other", checkpoint = true }, runs = 2000 },
	},
	setup = function(p)
		local vm = source_vm { pages = 1 }
		local c = colo { vm = vm, max_queue_size = p.queue }

		if p.protocol == "tcp" then
			if p.before > 0 then
				c:tcp_open(2, { primary = p.before, secondary = p.before })
			else
				c:tcp_open(1, { secondary = p.iss, client = p.client })
			end
		end
		local function say(side, i)
			local differs = side == "secondary" and (p.differ or i == p.differ_at)
			local text = differs and "uvwxyz" or "abcdef"

			if p.protocol ~= "tcp" then
				return c:send(side, p.protocol, 1, i .. text)
			end
			c:tcp_acknowledge(side, 1, 10)
			return c:tcp_send(side, 1, text, side == "primary" and 3 or p.segment)
		end
		local opened = flag("opened")
		actor("guest", function()
			if p.protocol == "tcp" and p.before > 0 then
				c:tcp_send("primary", 2, "hello")
				c:tcp_send("secondary", 2, "hello")
				c:tcp_open(1, { secondary = p.iss, client = p.client })
			end
			opened:set()
			for i = 1, p.messages do
				if not say("primary", i) then
					break
				end
				if p.checkpoint then
					c:checkpoint()
				end
			end
		end, { daemon = p.dies })
		actor("guest'", function()
			opened:wait()
			for i = 1, p.messages + 1 do
				say("secondary", i)
			end
		end, { daemon = not p.dies })
		if p.dies then
			actor("fate", function()
				for _ = 1, 4 do
					point()
				end
				c:primary_dies()
				c:failover()
			end)
		end
	end,
}
