#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Live migration: variants that hold do so in every order, a loss is told at the step that makes it
# inevitable, figures are recorded, pages have histories, bad options are named.
. "$(dirname "$0")/lib.sh"
dir=$here/../../scenarios/migration

for v in clear-after-read:clear_first log-async:reply_ack device-after-sync:devices_first \
	second-destination:filled slot-replaced:sync_first; do
	status 0 "$RINGSIDE" explore --db none --strategy states "$dir/${v%%:*}.lua:${v##*:}"
	says ", complete"
done

# The loss is inevitable when the clear has taken the note away: before the page is loaded, and long
# before switch-over.
status 1 "$RINGSIDE" explore --db none "$dir/clear-after-read.lua:clear_after_read"
says "nothing is left to send version 3 (clear)"
says "[C-O1]"
grep -q "migration switchover" out && fail "the run went on to switch-over"
status 1 "$RINGSIDE" explore --db none "$dir/device-after-sync.lua:devices_last"
says "[C-O6]"

# Figures, as others.
status 0 "$RINGSIDE" run --db m.db "$dir/converge.lua:converges"
for m in rounds total_time_ns downtime_ns pages_sent zero_pages dirty_rate throttle; do
	[ "$(sqlite3 m.db "SELECT count(*) FROM metric WHERE name = '$m'")" = 1 ] || fail "no metric $m"
done
[ "$(sqlite3 m.db "SELECT value BETWEEN 1 AND 400000000 FROM metric WHERE name = 'downtime_ns'")" = 1 ] ||
	fail "the downtime is not within its limit, or nothing"

# Both sides have the same digest in the end and not before; a page has its story.
scenario two-sides.lua <<'E2'
return {
	name = "two-sides",
	title = "digests and histories",
	evidence = { "none: a test" },
	variants = {
		fails = { expect = "state-lost", runs = 1, doc = "says what it sees" },
		holds = { expect = "ok", runs = 1 },
	},
	setup = function()
		local vm = source_vm { blocks = { { name = "pc.ram", pages = 3 }, { name = "vga.vram", pages = 1 } } }
		local to, vcpu = vm:destination(), vm:writer("vcpu", "vcpu0")
		vm:fill(0, 2)
		actor("vcpu0", function()
			vcpu:write(3)
			vcpu:store(2, 4000, "kvm-tpr-opt")
			expect(vm:digest(2) ~= to:digest(2), "hang", "vga.vram", "equal before it was sent")
			expect(#vm:difference(to) == 4, "hang", "pc.ram", "not four pages differ")
			local m = migrate { vm = vm, destination = to, announce_rounds = 0 }
			m:wait()
			for block = 1, 2 do
				expect(vm:digest(block) == to:digest(block), "hang", "block", "differs")
			end
			expect(to:load(2, 3999, 12) == "\0kvm-tpr-opt", "hang", "pc.ram", "other bytes")
			expect(vm:md5(1) == to:md5(1) and vm:md5(2) == to:md5(2), "hang", "pc.ram", "other MD5")
			note(vm:md5(1))
			note(vm:digest(2))
			for _, line in ipairs(vm:history(3)) do
				note(line)
			end
		end)
	end,
}
E2
status 0 "$RINGSIDE" run --db t.db two-sides.lua:holds
sqlite3 t.db "SELECT detail FROM event WHERE kind = 'note'" >notes
grep -q '^md5 : pc.ram: [0-9a-f]\{32\}$' notes || fail "no MD5"
grep -q '^xxh3 : vga.vram: [0-9a-f]\{16\}$' notes || fail "no digest"
for what in "written by vcpu0, version 2" "read by migration, version 2" "loaded by migration, version 2"; do
	grep -q "$what" notes || { fail "the history lacks: $what"; cat notes; }
done

# What cannot be is refused with what can.
for bad in 'migrate {}' 'source_vm { pages = 0 }' 'source_vm { blocks = {} }' \
	'local v = source_vm {}; v:writer("dpu")' 'local v = source_vm {}; v:fill(1024, 1)' \
	'local v = source_vm {}; migrate { vm = v, destination = v:destination(), xbzrle = true, multifd_channels = 2 }' \
	'local v = source_vm {}; migrate { vm = v, destination = v:destination(), xbzrle = true, xbzrle_cache_pages = 3 }' \
	'local v = source_vm {}; migrate { vm = v, destination = v:destination(), max_cpu_throttle = 19 }' \
	'local v = source_vm { dirty_ring_size = 4096 }; migrate { vm = v, destination = v:destination(), vcpu_dirty_limit = 9 }' \
	'local v = source_vm {}; migrate { vm = v, destination = v:destination(), auto_converge = true, vcpu_dirty_limit = 1 << 20 }' \
	'local v = source_vm {}; migrate { vm = v, destination = source_vm { pages = 2 }:destination() }' \
	'local v = source_vm {}; migrate { vm = v, destination = v:destination(), clear_chunk_pages = 65 }' \
	'local v = source_vm {}; v:dirtier { pages = 1 }' \
	'source_vm { layout = "q35" }' 'source_vm { layout = {} }' 'source_vm { layout = "pc", pages = 255 }' \
	'source_vm { layout = "pc", blocks = { { pages = 1024 } } }' \
	'source_vm { layout = { { name = "a", block = "x" } } }' 'source_vm { layout = { { block = "pc.ram" } } }' \
	'source_vm { layout = { { name = "a", block = "pc.ram" }, { name = "a", block = "pc.ram" } } }' \
	'source_vm { layout = { { name = "a", block = "pc.ram", offset = 4, pages = 1021 } } }' \
	'source_vm { version = "0.9" }' 'source_vm { host = "riscv" }' 'source_vm { dirty_ring_size = 100 }' \
	'source_vm { version = "5.0", dirty_ring_size = 4096 }' 'source_vm { host = "3.19", dirty_ring_size = 4096 }' \
	'local v = source_vm {}; migrate { vm = v, destination = v:destination(), vcpu_dirty_limit = 1 }' \
	'local v = source_vm {}; v:writer("vcpu"):tables(0, 1)' 'source_vm {}:writer("its"):tables(0, 2000)'; do
	cat >bad.lua <<E2
return { name = "bad", title = "bad", evidence = { "none" },
	variants = { f = { expect = "hang", runs = 1 }, h = { expect = "ok", runs = 1 } },
	setup = function()
		$bad
	end }
E2
	status 2 "$RINGSIDE" run --db none bad.lua:h
	complains "bad.lua:4"
done
# Nobody spins: under an unfair schedule postcopy's threads wait for each other, and all of it ends.
scenarios=$here/../../scenarios
for what in postcopy.lua:discard postcopy-recover.lua:recv_bitmap postcopy-resync.lua:no_sync; do
	status 0 "$RINGSIDE" explore --db none --strategy pct --depth 4 --runs 300 --seed 91 "$scenarios/migration/$what"
done
finish
