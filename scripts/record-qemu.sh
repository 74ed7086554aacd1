#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Record a real QEMU for `ringside import`.
#
#	scripts/record-qemu.sh WHAT [OUT]
#
#	firmware	SeaBIOS looks at virtio-scsi and virtio-net behind a bridge
#	firmware-host	a boot from virtio-blk as QEMU and the host's kernel see it: OUT and
#			OUT.ftrace.txt (needs root, KVM, tracefs)
#	linux		a Linux guest reads and writes virtio-blk and pings (busybox)
#	linux-packed	the same with packed rings
#	migrate		firmware is migrated while it boots, at a given bandwidth
#	migrate-linux	a Linux guest that rewrites memory is migrated
#
# From the environment: ACCEL=kvm|tcg (default: kvm if it is there), BANDWIDTH=64M, DOWNTIME=100
# (ms), SECONDS_MAX=60, QEMU=qemu-system-x86_64, KERNEL=vmlinuz and MODULES=folder of its modules
# (default: the newest of /boot and /lib/modules; apt-get install linux-image-cloud-amd64).
#
# How it was made stands in comments in front of the recording.  Exit status 77: something is
# missing.
set -u
what=${1:-}
out=${2:-$what.log}
qemu=${QEMU:-qemu-system-x86_64}
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d) || exit 2
instance=
trap 'kill $pids 2>/dev/null; rm -rf "$tmp"; [ -z "$instance" ] || rmdir "$instance"' EXIT
trap 'exit 130' INT TERM
pids=

skip() {
	echo "record-qemu: skipped: $*" >&2
	exit 77
}

case $what in
firmware | firmware-host | linux | linux-packed | migrate | migrate-linux) ;;
*)
	sed -n '3,/^set/p' "$0" | sed -n 's/^# \{0,1\}//p' >&2
	exit 2
	;;
esac
command -v "$qemu" >/dev/null 2>&1 || skip "no $qemu (apt-get install qemu-system-x86)"
accel=${ACCEL:-$([ -w /dev/kvm ] && echo kvm || echo tcg)}
[ "$accel" != kvm ] || [ -w /dev/kvm ] || skip "no /dev/kvm that can be opened"

# traces EVENT…: -trace options
traces() {
	for t in "$@"; do
		printf ' -trace %s' "$t"
	done
}

# origin COMMAND…: how it was made, as comments, and then the recording.
origin() {
	{
		echo "# $what: recorded by scripts/record-qemu.sh, $(date -u +%Y-%m-%d)"
		echo "# $("$qemu" --version | head -n 1), $(uname -srm), accel $accel"
		[ -z "${kernel:-}" ] || echo "# guest kernel $(basename "$kernel")"
		for line in "$@"; do
			echo "# $line"
		done
		sed '/^#/d' "$tmp/log"
	} >"$out" && echo "record-qemu: $out, $(wc -l <"$out") lines"
}

# start LOG OPTION…: QEMU in the background, its monitor on $tmp/LOG.mon; $pid
start() {
	log=$1
	shift
	# shellcheck disable=SC2086
	"$qemu" -accel "$accel" -display none -serial "file:$tmp/$log.serial" -msg timestamp=on \
		-monitor "unix:$tmp/$log.mon,server,nowait" -D "$tmp/$log" $events "$@" \
		>"$tmp/$log.err" 2>&1 &
	pid=$!
	pids="$pids $pid"
}

# wait_for SECONDS PID: until it ends, or is ended.
wait_for() {
	n=0
	while kill -0 "$2" 2>/dev/null && [ $n -lt $(($1 * 10)) ]; do
		sleep 0.1
		n=$((n + 1))
	done
	kill "$2" 2>/dev/null
	wait "$2" 2>/dev/null
}

. "$here/record-guest.sh"

queues="kvm_set_user_memory kvm_set_ioeventfd* kvm_irqchip* virtio_set_status virtio_queue_notify
	virtqueue* virtio_notify* virtio_blk_* virtio_pci_notify_write*"
moving="kvm_set_user_memory kvm_clear_dirty_log kvm_set_ioeventfd* virtio_set_status migration_*
	migrate_* ram_* savevm_state_*"

case $what in
firmware)
	set -f
	# shellcheck disable=SC2046,SC2086
	events=$(traces $queues 'pci_update_mappings*')
	start log -machine pc -m 512 -vga std -net none \
		-drive if=none,id=d0,file=null-co://,format=raw,read-only=on \
		-device virtio-scsi-pci,id=s0 -device scsi-hd,drive=d0 \
		-device pci-bridge,id=br0,chassis_nr=1 \
		-netdev user,id=n1 -device virtio-net-pci,bus=br0,netdev=n1
	wait_for "${SECONDS_MAX:-12}" "$pid"
	[ -s "$tmp/log" ] || { cat "$tmp/log.err" >&2; exit 1; }
	origin "-machine pc -m 512, virtio-scsi, virtio-net behind a pci-bridge"
	;;
firmware-host)
	[ "$accel" = kvm ] || skip "the host's kernel sees nothing of TCG"
	tracing=/sys/kernel/tracing
	[ -w "$tracing/events/kvm/enable" ] || skip "no events of KVM in $tracing (root, tracefs)"
	instance=$tracing/instances/ringside
	mkdir "$instance" || skip "$instance cannot be made"
	for event in mmio pio fast_mmio set_irq msi_set_irq ioapic_set_irq apic_accept_irq \
		inj_virq eoi userspace_exit; do
		echo 1 >"$instance/events/kvm/kvm_$event/enable"
	done
	set -f
	# shellcheck disable=SC2046,SC2086
	events=$(traces $queues)
	start log -machine pc -m 256 -net none -device virtio-blk-pci,drive=d0 \
		-drive if=none,id=d0,file=null-co://,format=raw,read-only=on
	wait_for "${SECONDS_MAX:-6}" "$pid"
	origin "-machine pc -m 256, virtio-blk; with $out.ftrace.txt"
	{
		echo "# $what: recorded by scripts/record-qemu.sh, $(date -u +%Y-%m-%d); with $out"
		cat "$instance/trace"
	} >"$out.ftrace.txt"
	;;
linux | linux-packed)
	guest_image "$tmp/initrd" blk-net
	set -f
	# shellcheck disable=SC2046,SC2086
	events=$(traces $queues 'balloon*' 'virtio_balloon*')
	packed=
	[ "$what" = linux ] || packed=,packed=on
	truncate -s 64M "$tmp/disk"
	start log -machine pc -m 512 -smp 2 -no-reboot -kernel "$kernel" \
		-initrd "$tmp/initrd" -append "console=ttyS0 quiet panic=-1" \
		-drive "if=none,id=d0,file=$tmp/disk,format=raw,cache=none,aio=threads" \
		-device "virtio-blk-pci,drive=d0,num-queues=2$packed" \
		-netdev user,id=n0 -device "virtio-net-pci,netdev=n0$packed" \
		-device virtio-balloon-pci
	wait_for "${SECONDS_MAX:-60}" "$pid"
	grep -q ringside-done "$tmp/log.serial" || {
		tail "$tmp/log.serial" "$tmp/log.err" >&2
		exit 1
	}
	origin "-m 512 -smp 2, virtio-blk-pci num-queues=2$packed" \
		"virtio-net-pci$packed, virtio-balloon-pci" \
		"in the guest: dd reads 64 KiB and writes 4 KiB blocks, ping"
	;;
migrate | migrate-linux)
	command -v python3 >/dev/null 2>&1 || skip "no python3 to speak to the monitor"
	set -f
	# shellcheck disable=SC2046,SC2086
	events=$(traces $moving)
	if [ "$what" = migrate ]; then
		set -- -machine pc -m 512 -net none
		delay=0.05
	else
		set +f
		guest_image "$tmp/initrd" dirty
		set -f
		set -- -machine pc -m 512 -net none -kernel "$kernel" -initrd "$tmp/initrd" \
			-append "console=ttyS0 quiet"
		delay=${DELAY:-15}
	fi
	start dst "$@" -incoming "unix:$tmp/migrate"
	start log "$@"
	"$here/record-monitor.py" "$tmp/log.mon" "$delay" \
		"migrate_set_parameter max-bandwidth ${BANDWIDTH:-64M}" \
		"migrate_set_parameter downtime-limit ${DOWNTIME:-100}" \
		"migrate -d unix:$tmp/migrate" "wait ${SECONDS_MAX:-60}" "info migrate" quit \
		>"$tmp/info" || { cat "$tmp/info" "$tmp/log.err" >&2; exit 1; }
	wait_for 10 "$pid"
	origin "-m 512, max-bandwidth ${BANDWIDTH:-64M}, downtime-limit ${DOWNTIME:-100}" \
		"started $delay s after QEMU" \
		"$(tr -d '\r' <"$tmp/info" | tr '\n' ';' |
			sed 's/.*\(total time:\)/\1/; s/(qemu).*//')"
	;;
esac
