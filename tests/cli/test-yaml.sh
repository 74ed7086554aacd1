#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Machines and sweeps in YAML: what is built, errors with their place, and hostile files.
. "$(dirname "$0")/lib.sh"
cat >two.yaml <<'END'
# two disks, one behind a bridge
ram: 32MiB
vcpus: 2
devices:
  - name: disk0
    type: virtio-blk
    backend: iothread
    queues: 2
    features: [VIRTIO_RING_F_EVENT_IDX, VIRTIO_BLK_F_MQ]
  - name: disk1
    type: virtio-blk
    bridge: br0
bridges:
  - name: br0
END
scenario s.lua <<'END'
return {
	name = "s", title = "t", evidence = { "e" },
	params = {
		n = { default = 1, min = 1, max = 4 },
		how = { default = "a", values = { "a", "b" } },
	},
	variants = { a = { expect = "hang" }, b = { expect = "ok" } },
	setup = function(p)
		local vm = machine{}
		local disk = vm:device("disk0")
		local blk = disk:driver{}
		vm:actor("task", function()
			assert(blk:probe())
			note("status " .. blk:write(1) .. " queues " .. disk:info().queues)
			local other = vm:device("disk1"):info()
			note("n " .. p.n .. " " .. p.how .. " " .. other.backend)
		end, { cpu = 1 })
	end,
}
END
status 0 "$RINGSIDE" run --db none --machine two.yaml --trace note s.lua
says "status 0 queues 2"
says "n 1 a main-loop"
status 2 "$RINGSIDE" run --db none s.lua
complains "there is no 'disk0'"
sed 's/title = "t"/title = "t", machine = "two.yaml"/' s.lua >with.lua
status 0 "$RINGSIDE" run --db none with.lua

# bad TEXT…: the machine on standard input is refused.
bad() {
	cat >bad.yaml
	status 2 timeout 20 "$RINGSIDE" run --db none --machine bad.yaml s.lua
	for text in "$@"; do
		complains "$text"
	done
}
sed 's/iothread/iothreat/' two.yaml | bad "bad.yaml:7:5: backend: must be one of:" "iothread"
sed 's/queues: 2/queues: two/' two.yaml | bad "bad.yaml:8:5: queues: must be an integer from 1 to"
sed 's/queues: 2/quues: 2/' two.yaml |
	bad "bad.yaml:8:5: unknown key 'quues'; allowed here:" "queue_size"
sed 's/MQ\]/MQX]/' two.yaml | bad "bad.yaml:9:" "a list of:" "VIRTIO_BLK_F_MQ"
sed 's/32MiB/32MB/' two.yaml | bad "bad.yaml:2:1: ram: must be"
sed 's/32MiB/99999999999GiB/' two.yaml | bad "bad.yaml:2:1: ram: must be"
sed 's/bridge: br0/bridge: br1/' two.yaml | bad "bad.yaml:12:5: there is no bridge 'br1'"
sed 's/disk1/disk0/' two.yaml | bad "a second device 'disk0'"
printf 'ram: 1MiB\nram: 2MiB\n' | bad "bad.yaml:2:1: 'ram' stands twice (first in line 1)"
printf 'vcpus: [1\n' | bad "bad.yaml:2:1:"
printf 'vcpus: "2"\n' | bad "bad.yaml:1:1: vcpus: must be an integer"
printf -- '- a\n' | bad "a machine: must be a map, not a list"
printf '' | bad "bad.yaml: is empty"
printf 'a: &x [1]\nb: [*x,*x]\n' | bad "bad.yaml:1:4: anchors and tags are not taken here"
printf 'ram: !!int 3\n' | bad "anchors and tags"
printf 'b: *x\n' | bad "bad.yaml:1:4:"
printf 'ram: 1MiB\n---\nram: 2MiB\n' | bad "a second document"
printf '? [a]\n: 1\n' | bad "a key must be a single value"
printf 'vcpus: 1\0\n' | bad "bad.yaml:1:"
printf 'vcpus: \377\376\n' | bad "bad.yaml:"
awk 'BEGIN { printf "a: "; for (i = 0; i < 5000; i++) printf "["; }' |
	bad "nested more than 16 deep"
awk 'BEGIN { printf "a: "; for (i = 0; i < 3000; i++) printf "x"; print "" }' |
	bad "more than 1024 bytes"
awk 'BEGIN { print "a:"; for (i = 0; i < 30000; i++) print "- 1" }' | bad "more than 20000 values"
head -c 400000 /dev/zero | tr '\0' '#' | bad "is larger than 256 KiB"

printf 'n: [1, 3]\nhow: [a, b]\n' >sweep.yaml
status 0 "$RINGSIDE" run --db sweep.db --machine two.yaml --sweep sweep.yaml s.lua
[ "$(grep -c '^sweep: ' out)" -eq 4 ] || fail "not four points"
says "sweep: n=3 how=b"
printf 'n: [1, 7]\n' >sweep.yaml
status 2 "$RINGSIDE" run --db none --machine two.yaml --sweep sweep.yaml s.lua
complains "sweep.yaml:1:8: n=7: must be an integer from 1 to 4"
printf 'm: [1]\n' >sweep.yaml
status 2 "$RINGSIDE" run --db none --machine two.yaml --sweep sweep.yaml s.lua
complains "sweep.yaml:1:5: there is no parameter 'm'; it has: how n"
if command -v sqlite3 >/dev/null; then
	n=$(sqlite3 sweep.db "select count(distinct value) from param where name = 'n'")
	[ "$n" = 2 ] || fail "parameters of the points are not recorded: $n"
fi
finish
