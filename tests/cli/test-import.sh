#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# import: formats are recognised, what was understood and skipped is printed and recorded, damage is refused by line.
. "$(dirname "$0")/lib.sh"
traces=$here/../../traces

status 0 "$RINGSIDE" import --db t.db "$traces/qemu-migrate-kvm-firmware.src.log"
says "format qemu, 329 lines, 329 records, 0 lines skipped"
says "1795167931.505421000 29710 page_sent block=pc.ram offset=0xd2000"
if command -v sqlite3 >/dev/null; then
	n=$(sqlite3 t.db "select value from metric where name = 'memslot_update'")
	[ "$n" = 25 ] || fail "$n memslot updates recorded"
fi
status 0 "$RINGSIDE" import --quiet --db none "$traces/kvm-firmware.ftrace.txt"
says "format ftrace, 4300 lines, 4288 records, 12 lines skipped"

# The same run at other addresses is the same recording.
t=$traces/qemu-linux61-split-blk-net.log
status 0 "$RINGSIDE" import --db none "$t"
mv out one
sed 's/0x7f/0x7e/g; s/0x55/0x56/g' "$t" >moved.log
status 0 "$RINGSIDE" import --db none moved.log
tail -n +3 one >a
tail -n +3 out >b
cmp -s a b || fail "addresses are in the recording"

# Without time stamps: the order alone.
sed 's/^[^:]*://' "$t" >order.log
status 0 "$RINGSIDE" import --quiet --db none order.log
says "no line has a time stamp"

head -c 100000 "$t" >cut.log
status 2 "$RINGSIDE" import --db none cut.log
complains "cut.log:$(($(wc -l <cut.log) + 1)):"
sed '7s/val /wal /' "$t" >damaged.log
status 2 "$RINGSIDE" import --db none damaged.log
complains "damaged.log:7:"

# The user's own events and patterns.
echo 'vhost_dev_start(void *dev, const char *name) "dev %p:%s"' >events
echo '1@2.5:vhost_dev_start dev 0x7f00:tap0' >vhost.log
status 2 "$RINGSIDE" import --db none --format none vhost.log
complains "'qemu', 'simpletrace', 'ftrace', 'tracedat', 'syslog', 'pattern'"
status 0 "$RINGSIDE" import --db none --events events vhost.log
says "2.500000000 1 vhost_dev_start dev=dev0 name=tap0"
echo 'x(int a) %d' >bad-events
status 2 "$RINGSIDE" import --db none --events bad-events vhost.log
complains "bad-events:1:10: must have a format in quotes"
echo 'return { { match = "kick of (%d+)", record = "kick", args = { "n" } } }' >p.lua
echo 'a kick of 3' >free.log
status 0 "$RINGSIDE" import --db none --pattern p.lua free.log
says "#1 log kick vdev=vdev0 n=3 vq=vq0"

# Two recordings of one run: the kernel's clock is laid on QEMU's.
status 0 "$RINGSIDE" import --db none "$traces/kvm-firmware.qemu.log" "$traces/kvm-firmware.ftrace.txt"
says "4372 lines, 4360 records"
line=$(grep -n 'status_write vdev=vdev0 val=15$' out | head -n 1 | cut -d: -f1)
head -n "$line" out | tail -n 4 | grep -q 'ftrace/.* kvm_mmio op=write len=1 gpa=0xfebf8014 val=0xf$' ||
	fail "the write of status 15 does not stand right before QEMU's"
cp out two
status 0 "$RINGSIDE" import --db none "$traces/kvm-firmware.ftrace.txt" "$traces/kvm-firmware.qemu.log"
a=$(sed -n 's/.*clock is \(-*[0-9]*\) ns behind.*/\1/p' two)
b=$(sed -n 's/.*clock is \(-*[0-9]*\) ns behind.*/\1/p' out)
[ "$((a + b))" -le 1000000 ] && [ "$((a + b))" -ge -1000000 ] || fail "aligned otherwise the other way round"
status 2 "$RINGSIDE" import --db none "$traces/kvm-firmware.qemu.log" "$traces/colo-memslot-2015.syslog"
complains "cannot be aligned with"
status 2 "$RINGSIDE" import --db none "$traces/kvm-firmware.qemu.log" order.log
complains "order.log: has no time stamps"

finish
