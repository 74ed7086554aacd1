-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A client connects while COLO makes a checkpoint.  The rewriter learns the secondary's first number from its SYN/ACK,
-- and takes the primary's off when the client acknowledges that:
--
--	secondary's SYN/ACK     offset := 5000
--	checkpoint              offset := 0              the secondary has the primary's connection, and its number
--	client's ACK of 1001    offset := 0 - 1000       and should be 0
--
-- From then on what the secondary says is rewritten by what never was between the two, until the next checkpoint.  If
-- the primary dies before that, the client's connection dies with it.

return {
	name = "colo-handshake",
	title = "COLO: a checkpoint within a TCP handshake",
	evidence = {
		"QEMU 24525e93c1 (3.1), 8.2: reset_seq_offset() of all connections, handle_primary_tcp_pkt()",
	},
	params = {
		dies = { default = true, doc = "the primary dies, and the secondary goes on talking to the client" },
	},
	variants = {
		handshake_offset = { expect = "state-lost", faults = { "qemu.rewriter.handshake_offset" }, runs = 500,
				     doc = "as QEMU 8.2" },
		held = { expect = "spec-violation", faults = { "qemu.rewriter.handshake_offset" },
			 set = { dies = false }, runs = 2000, doc = "each packet differs, and asks for a checkpoint" },
		reset = { expect = "ok", runs = 4000 },
		lives = { expect = "ok", set = { dies = false }, runs = 4000 },
	},
	setup = function(p)
		local c = colo { vm = source_vm { pages = 1 } }
		local open = flag("open")

		actor("client", function()
			c:tcp_syn(1, {})
			point()
			c:tcp_established(1)
			open:set()
		end)
		actor("checkpoint", function()
			c:checkpoint()
		end)
		actor("guest", function()
			open:wait()
			if not p.dies then
				c:tcp_send("primary", 1, "abcdef", 3)
			end
		end)
		actor("guest'", function()
			open:wait()
			if p.dies then
				c:primary_dies()
				c:failover("secondary")
			end
			c:tcp_send("secondary", 1, "abcdef", 6)
		end)
	end,
}
