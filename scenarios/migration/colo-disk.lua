-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- COLO's replicated disk.  What the primary writes reaches the secondary disk at once, and what was there goes into
-- the hidden disk first, so that the secondary's guest sees the disk of the last checkpoint until there is another:
--
--	primary's write ──▶ backup job: old content ──▶ hidden disk      read: active, else hidden, else secondary disk
--	                └─▶ secondary disk                               checkpoint: empty active and hidden
--
-- The checkpoint of the disk belongs to the moment in which memory and devices are the new ones, and no write may be
-- on its way then.  Anything else leaves a guest with the memory of one state and the disk of another.

return {
	name = "colo-disk",
	title = "COLO: after a failover the guest has the memory of one state and the disk of another",
	evidence = {
		"QEMU 8e48ac9586 (2018): block replication in COLO's process",
		"QEMU 49d3e828f8 (2016): a block checkpoint clears the backup job's bitmap",
		"QEMU 08ddb4eb6d (2019): a promoted secondary ignores what the next COLO asks of its disk",
		"QEMU docs/COLO-FT.txt: secondary failover",
		"QEMU 8.2 migration/colo.c: who calls replication_get_error_all()",
	},
	params = {
		writes = { default = 2, min = 1, max = 8, doc = "of the primary's guest, a checkpoint behind each" },
		sectors = { default = 2, min = 1, max = 16 },
		secondary = { default = 1, min = 0, max = 4, doc = "writes of the secondary's guest" },
		background = { default = false, doc = "the primary's writes by an actor of their own" },
		link_fails = { default = false, doc = "the NBD connection fails at some time" },
		dies = { default = true, doc = "the primary dies at some time, else at the end" },
		again = { default = false, doc = "the promoted secondary begins another COLO while it commits" },
		commit_fails = { default = 0, min = 0, max = 4, doc = "the commit fails at so many-th sector; 0: not" },
	},
	variants = {
		checkpoint_early = { expect = "state-lost", faults = { "qemu.colo.disk_checkpoint_early" }, runs = 4000,
				     doc = "when memory has come: the old disk is gone" },
		checkpoint_late = { expect = "state-lost", faults = { "qemu.colo.disk_checkpoint_late" }, runs = 4000,
				    doc = "behind VMSTATE_LOADED: the primary writes again already" },
		no_drain = { expect = "state-lost", faults = { "qemu.colo.no_drain" }, set = { background = true },
			     runs = 8000, doc = "a write of before the checkpoint is copied away after it" },
		cow_bitmap_kept = { expect = "state-lost", faults = { "qemu.replication.cow_bitmap_kept" },
				    set = { sectors = 1 }, runs = 4000, doc = "a sector's second write is not undone" },
		nbd_not_stopped = { expect = "state-lost", faults = { "manager.colo.nbd_not_stopped" },
				    set = { background = true }, runs = 4000,
				    doc = "what the dead primary sent is written behind the backup job" },
		error_unseen = { expect = "state-lost", faults = { "qemu.colo.disk_error_unseen" },
				 set = { link_fails = true }, runs = 4000,
				 doc = "as QEMU 8.2: checkpoints go on without the disk" },
		checkpoint_promoted = { expect = "state-lost", faults = { "qemu.replication.checkpoint_promoted" },
					set = { again = true }, runs = 4000,
					doc = "before QEMU 5.0: what is not committed is gone" },
		disk = { expect = "ok", runs = 6000, doc = "drained, and the checkpoint where it belongs" },
		in_flight = { expect = "ok", set = { background = true }, runs = 6000 },
		link_fails = { expect = "ok", set = { link_fails = true }, runs = 4000, doc = "an error ends COLO" },
		again = { expect = "ok", set = { again = true }, runs = 4000 },
		commit_fails = { expect = "ok", set = { commit_fails = 1, dies = false, secondary = 3 }, runs = 3000,
				 doc = "the secondary goes on with its overlays" },
	},
	setup = function(p)
		local vm = source_vm { pages = 2 }
		local c

		vm:fill(0, 2)
		c = colo { vm = vm, disk_sectors = p.sectors, commit_fails_at = p.commit_fails }
		actor("guest", function()
			for i = 1, p.writes do
				if p.background then
					c:step("primary", 0, 0)
				else
					c:disk_write("primary", i % p.sectors)
				end
				if not c:checkpoint() then
					break
				end
			end
			if not p.dies then
				c:primary_dies()
				c:failover()
				c:disk_wait_commit()
			end
			c:stats()
		end)
		if p.background then
			actor("disk", function()
				for i = 1, p.writes do
					c:disk_write("primary", i % p.sectors)
				end
			end, { daemon = true })
		end
		actor("guest'", function()
			for i = 1, p.secondary do
				c:disk_write("secondary", i % p.sectors)
			end
		end, { daemon = true })
		if p.link_fails then
			actor("link", function()
				point()
				c:disk_link_fails()
			end)
		end
		if p.dies then
			actor("fate", function()
				for _ = 1, 6 do
					point()
				end
				c:primary_dies()
				c:failover()
				if p.again then
					c:disk_checkpoint_promoted()
				end
				c:disk_wait_commit()
			end)
		end
	end,
}
