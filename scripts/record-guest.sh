# SPDX-License-Identifier: GPL-2.0-or-later
# For scripts/record-qemu.sh: a guest of Debian's kernel and busybox.  Sourced.

# In the order in which they are loaded.
guest_modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
	virtio_blk failover net_failover virtio_net virtio_balloon"

# guest_image FILE LOAD: an initramfs in FILE with the load in it; sets $kernel.
guest_image() {
	command -v busybox >/dev/null 2>&1 || skip "no busybox (apt-get install busybox-static)"
	command -v cpio >/dev/null 2>&1 || skip "no cpio"
	kernel=${KERNEL:-$(ls /boot/vmlinuz-* 2>/dev/null | sort -V | tail -n 1)}
	[ -r "$kernel" ] || skip "no kernel (apt-get install linux-image-cloud-amd64)"
	modules=$(basename "$kernel" | sed 's/^vmlinuz-//')
	modules=${MODULES:-/lib/modules/$modules}
	[ -d "$modules" ] || skip "no modules of that kernel in $modules"
	root=$tmp/root
	mkdir -p "$root/bin" "$root/lib" "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
	cp "$(command -v busybox)" "$root/bin/busybox"
	for name in $guest_modules; do
		find "$modules" -name "$name.ko*" | while read -r m; do
			case $m in
			*.xz) xz -dc "$m" >"$root/lib/$name.ko" ;;
			*.zst) zstd -qdc "$m" >"$root/lib/$name.ko" ;;
			*) cp "$m" "$root/lib/$name.ko" ;;
			esac
		done
	done
	guest_init "$2" >"$root/init"
	chmod +x "$root/init"
	(cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$1"
}

# guest_init LOAD: its first process.  FILE, REWRITE (MiB) and PAUSE (seconds) say what `dirty`
# does.
guest_init() {
	cat <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		mount -t tmpfs tmp /tmp
	END
	for name in $guest_modules; do
		echo "[ ! -f /lib/$name.ko ] || insmod /lib/$name.ko"
	done
	echo sleep 1
	case $1 in
	blk-net)
		cat <<-'END'
			ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
			dd if=/dev/vda of=/dev/null bs=64k count=768 iflag=direct
			dd if=/dev/zero of=/dev/vda bs=4k count=384 oflag=direct
			ping -c 5 -i 0.2 10.0.2.2
			[ ! -b /dev/vda ] || [ ! -d /sys/class/net/eth0 ] || echo ringside-done
			sync
			reboot -f
		END
		;;
	dirty)
		cat <<-END
			dd if=/dev/urandom of=/tmp/file bs=1M count=${FILE:-64}
			echo ringside-ready
			while :; do
				read from rest </proc/uptime
				for i in 1 2 3 4 5 6 7 8; do
					dd if=/dev/urandom of=/tmp/file bs=1M \
						count=${REWRITE:-16} conv=notrunc 2>/dev/null
					[ ${PAUSE:-0} = 0 ] || sleep ${PAUSE:-0}
				done
				read to rest </proc/uptime
				echo ringside-rewritten 8 times, uptime \$from to \$to s
			done
		END
		;;
	idle)
		cat <<-'END'
			echo ringside-ready
			while :; do
				sleep 3600
			done
		END
		;;
	esac
}
