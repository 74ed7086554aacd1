#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each barrier of the split ring that is left out is named again, at its place, by what explains the failure.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)

scenario mb.lua <<'END'
return {
	name = "no-mb", title = "a full barrier of the split ring is left out",
	evidence = { "virtio 1.3, 2.7.13.4.1 and 2.7.7.2" },
	buffers = "n",
	params = { n = { default = 2, min = 1, max = 8, doc = "buffers" } },
	variants = {
		kick = { expect = "lost-kick", faults = { "driver.kick.skip_mb" }, runs = 20000 },
		callbacks = { expect = "lost-interrupt", faults = { "driver.enable.skip_mb" }, runs = 20000 },
		publish = { expect = "lost-interrupt", faults = { "device.publish.skip_mb" }, runs = 20000 },
		notification = { expect = "lost-kick", faults = { "device.enable.skip_mb" }, runs = 20000 },
		rechecks = { expect = "lost-interrupt", faults = { "driver.enable.no_recheck" }, runs = 4000 },
		holds = { expect = "ok", runs = 2000 },
	},
	setup = function(p) raw { buffers = p.n, size = 4 } end,
}
END

# variant, memory model, what is loaded too early, in which function
named() {
	status 1 "$RINGSIDE" explore --db none --memory "$2" --out x.failure "mb.lua:$1"
	tr -s '\n ' '  ' <out >line
	grep -qF "barrier: mb before the load of vq0.$3 ($4 ring_split_" line || {
		fail "$1 under $2"
		grep ^barrier out
	}
	grep -q 'removes it: ok in [0-9]* schedules' line || fail "$1 under $2: not tried"
	grep -qF 'critical pair: ' line || fail "$1 under $2: no critical pair"
}
for model in tso weak; do
	named kick $model used.flags split_driver_kick_prepare
	named callbacks $model used.idx split_driver_poll
	named publish $model avail.flags split_device_should_notify
	named notification $model avail.idx look_at_idx
done

# What is no matter of memory order has no barrier.
status 1 "$RINGSIDE" explore --db none --memory tso --out x.failure mb.lua:rechecks
grep -q '^barrier:' out && fail "a barrier for a missing check"

# A read barrier that is missing in a plugin: an old element behind a new index.
cc=$(command -v gcc || command -v clang) || finish
sed -e 's/^\tdp_rmb();/\t;/' \
	-e '/^lossy_enable_cb(struct dp_driver/,/^}/s/return true;/return !lossy_poll(d, d->last_used_idx);/' \
	"$root/scenarios/plugin/lossy_ring.c" >ring.c
cmp -s ring.c "$root/scenarios/plugin/lossy_ring.c" && fail "the plugin is as it was"
"$cc" -O2 -g -fPIC -shared -fsanitize=thread -nodefaultlibs -I"$root/sim" -o ring.so ring.c || fail "$cc"
line=$(grep -n 'head = from->id' ring.c | cut -d: -f1)
status 1 "$RINGSIDE" explore --db none --memory weak --datapath ./ring.so,native --set n=5 --runs 20000 \
	--out x.failure mb.lua:holds
tr -s '\n ' '  ' <out >text
grep -q "barrier: rmb before the load of vq0.used.ring\[[0-9]\].id (lossy_get ring.c:$line) removes it" text ||
	{ fail "no read barrier at line $line"; grep -A1 ^barrier out; }
grep -qF "order: needs loads that come out of order" text || fail "no word about dependencies"
finish
