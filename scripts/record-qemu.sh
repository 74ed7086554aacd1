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
#	migrate-hint	the same guest, or an idle one, with free page hints or without
#
# From the environment: ACCEL=kvm|tcg (default: kvm if it is there), BANDWIDTH=64M, DOWNTIME=100
# (ms), SECONDS_MAX=60, QEMU=qemu-system-x86_64, KERNEL=vmlinuz and MODULES=folder of its modules
# (default: the newest of /boot and /lib/modules; apt-get install linux-image-cloud-amd64).
#
# For migrate-linux and migrate-hint also:
#
#	MEMORY=512	MiB of the guest
#	FILE=64, REWRITE=16, PAUSE=0
#			MiB of a file in memory, how many of them are rewritten, and seconds after
#			each time
#	LOAD=dirty|idle	whether it does that, or nothing (the default of migrate-hint)
#	HINT=on|off	whether QEMU has free page hints (migrate-hint; default: on)
#	APPEND=...	more for the guest's kernel.  Debian's zeroes what it allocates, also a page
#			that it hints; migrate-hint has init_on_alloc=0 unless said otherwise
#	DELAY=3		seconds from the guest's being ready to the migration
#	CANCEL=8	cancel after so many seconds what does not converge (default: fail after
#			SECONDS_MAX)
#	REALTIME=10	SCHED_RR of that priority for source and destination while the guest is
#			migrated, an iothread one above it; the vCPU on the first processor, all
#			others on the second (root, 2 processors)
#	THP=off		the destination without huge pages: each of its pages is a fault of its own
#			(needs python3)
#	COMPACT=1	one line for pages that were sent one after the other, in place of one each
#			(record-compact.lua)
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
firmware | firmware-host | linux | linux-packed | migrate | migrate-linux | migrate-hint) ;;
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
			[ -z "$line" ] || echo "# $line"
		done
		if [ -n "${COMPACT:-}" ]; then
			sed '/^#/d' "$tmp/log" | lua5.4 "$here/record-compact.lua"
		else
			sed '/^#/d' "$tmp/log"
		fi
	} >"$out" && echo "record-qemu: $out, $(wc -l <"$out") lines"
}

# start LOG OPTION…: QEMU in the background, its monitor on $tmp/LOG.mon; $pid
start() {
	log=$1
	shift
	set -- "$qemu" "$@"
	# PR_SET_THP_DISABLE, which the program that is executed keeps.
	[ "$log${THP:-}" != dstoff ] || set -- python3 -c 'import ctypes, os, sys
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
	# shellcheck disable=SC2086
	"$@" -accel "$accel" -display none -name guest,debug-threads=on \
		-serial "file:$tmp/$log.serial" -msg timestamp=on \
		-monitor "unix:$tmp/$log.mon,server,nowait" -D "$tmp/$log" $events \
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

# guest_ready: the guest of `start log` has said that it is.
guest_ready() {
	n=0
	until grep -q ringside-ready "$tmp/log.serial" 2>/dev/null; do
		kill -0 "$pid" 2>/dev/null && [ $n -lt 1200 ] || return 1
		sleep 0.1
		n=$((n + 1))
	done
}

# realtime: threads yet to be made inherit it from those that make them.
realtime() {
	set +f
	for p in $pids; do
		if ! taskset -a -c -p 1 "$p" || ! chrt -a -r -p "$REALTIME" "$p"; then
			skip "no SCHED_RR"
		fi
	done >/dev/null
	for t in /proc/"$pid"/task/*; do
		case $(cat "$t/comm") in
		"CPU "*) taskset -c -p 0 "${t##*/}" >/dev/null ;;
		"IO "*) chrt -r -p $((REALTIME + 1)) "${t##*/}" ;;
		esac
	done
	set -f
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
migrate | migrate-linux | migrate-hint)
	command -v python3 >/dev/null 2>&1 || skip "no python3 to speak to the monitor"
	set -f
	# shellcheck disable=SC2046,SC2086
	events=$(traces $moving)
	guest=
	if [ "$what" = migrate ]; then
		set -- -machine pc -m 512 -net none
		delay=0.05
	else
		guest=${LOAD:-$([ "$what" = migrate-hint ] && echo idle || echo dirty)}
		append=${APPEND:-}
		set +f
		guest_image "$tmp/initrd" "$guest"
		set -f
		set -- -machine pc -m "${MEMORY:-512}" -net none -kernel "$kernel" \
			-initrd "$tmp/initrd"
		if [ "$what" = migrate-hint ]; then
			append=${APPEND:-init_on_alloc=0}
			set -- "$@" -object iothread,id=io0 -device \
				"virtio-balloon-pci,free-page-hint=${HINT:-on},iothread=io0"
		fi
		set -- "$@" -append "console=ttyS0 quiet $append"
		delay=${DELAY:-3}
	fi
	end="wait ${SECONDS_MAX:-60}"
	[ -z "${CANCEL:-}" ] || end="cancel $CANCEL"
	start dst "$@" -incoming "unix:$tmp/migrate"
	start log "$@"
	if [ -n "$guest" ]; then
		guest_ready || { tail "$tmp/log.serial" "$tmp/log.err" >&2; exit 1; }
		[ -z "${REALTIME:-}" ] || realtime
	fi
	"$here/record-monitor.py" "$tmp/log.mon" "$delay" \
		"migrate_set_parameter max-bandwidth ${BANDWIDTH:-64M}" \
		"migrate_set_parameter downtime-limit ${DOWNTIME:-100}" \
		"migrate -d unix:$tmp/migrate" \
		"$end" "info migrate" quit \
		>"$tmp/info" || { cat "$tmp/info" "$tmp/log.err" >&2; exit 1; }
	wait_for 10 "$pid"
	if [ -z "$guest" ]; then
		set -- "-m 512"
		since="QEMU"
	else
		since="the guest was ready"
		set -- "-m ${MEMORY:-512}, guest $guest" "$append"
		[ "$guest" = idle ] || set -- "$1: rewrites ${REWRITE:-16} of ${FILE:-64} MiB \
in memory, pause ${PAUSE:-0} s" "$append"
		[ "$what" != migrate-hint ] || set -- "$1" "free-page-hint=${HINT:-on} $append"
		[ -z "${REALTIME:-}" ] || set -- "$@" "SCHED_RR $REALTIME, vCPU on the first \
processor, the rest of source and destination on the second"
		[ "${THP:-}" != off ] || set -- "$@" "destination without huge pages"
		[ "$guest" = idle ] || set -- "$@" "before: $(grep rewritten "$tmp/log.serial" |
			tail -n 1 | tr -d '\r')"
	fi
	origin "$@" "max-bandwidth ${BANDWIDTH:-64M}, downtime-limit ${DOWNTIME:-100}" \
		"started $delay s after $since" \
		"$(tr -d '\r' <"$tmp/info" | tr '\n' ';' |
			sed 's/.*\(Migration status:\)/\1/; s/(qemu).*//')"
	;;
esac
