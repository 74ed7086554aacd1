#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Take what the linux datapath is built from out of a kernel's source, unmodified:
#
#	scripts/linux-source.sh SOURCE TO
#
# SOURCE is a kernel tree, or a tarball of one (/usr/src/linux-source-6.1.tar.xz).  TO is made anew:
#
#	TO/drivers/…  TO/include/…   copies: virtio_ring.c, vringh.c and the virtio headers
#	TO/stub/…                    for each other header they include, one that includes our shim
#	TO/stub/linux/version.h      as a kernel's build makes it, and what our code must know
#	TO/tools/…                   litmus tests of the memory model, and in TO/Documentation/…;
#	                             ring programs of tools/virtio/ringtest without their main.h
#	TO/version                   6.1.192
#
# Does nothing when TO was made from the same SOURCE as it is now, by this script as it is now:
# reading a whole tarball takes seconds.
set -eu

source=$1
to=$2
paths='Makefile drivers/virtio/virtio_ring.c drivers/vhost/vringh.c include/linux/virtio*.h
include/linux/vringh.h include/uapi/linux/virtio_*.h tools/memory-model/litmus-tests/*.litmus
Documentation/litmus-tests/*/*.litmus
tools/virtio/ringtest/*ring*.c'

# A tree is edited, a tarball is only replaced.
if [ -d "$source" ]; then
	from="$source $(cd "$source" && cat $paths 2>/dev/null | cksum) $(cksum <"$0")"
else
	from="$source $(stat -L -c %Y "$source") $(cksum <"$0")"
fi
[ "$(cat "$to/from" 2>/dev/null)" != "$from" ] || exit 0

# Builds of two configurations at a time share TO: one of them takes, the other waits.
mkdir -p "$(dirname "$to")"
exec 9>"$to.lock"
! command -v flock >/dev/null || flock 9
[ "$(cat "$to/from" 2>/dev/null)" != "$from" ] || exit 0

rm -rf "$to"
mkdir -p "$to"
# Not every kernel has all of it; what must be there is looked for below.
if [ -d "$source" ]; then
	(cd "$source" && tar -cf - $paths 2>/dev/null) | tar -xf - -C "$to"
else
	set -f
	case $source in
	*.xz) unpack='xz -T0 -d' ;;
	*.gz | *.tgz) unpack='gzip -d' ;;
	*) unpack=cat ;;
	esac
	set -- $paths
	# One component is the tarball's own folder.
	members=
	for p in "$@"; do
		members="$members */$p"
	done
	$unpack <"$source" | tar -xf - -C "$to" --strip-components=1 --wildcards \
		--no-wildcards-match-slash $members 2>/dev/null || :
	set +f
fi

for needed in Makefile drivers/virtio/virtio_ring.c drivers/vhost/vringh.c \
	include/linux/virtio.h; do
	if [ ! -f "$to/$needed" ]; then
		echo "ringside: $source has no $needed: not a kernel's source" >&2
		exit 1
	fi
done

number() {
	sed -n "s/^$1 = *\([0-9]*\).*/\1/p" "$to/Makefile" | head -n 1
}
major=$(number VERSION) minor=$(number PATCHLEVEL) sub=$(number SUBLEVEL)
echo "$major.$minor.${sub:-0}" >"$to/version"

# What is included and was not taken.
find "$to/drivers" "$to/include" -name '*.[ch]' -exec \
	sed -n 's,^# *include *<\([a-z]*/[^>]*\)>.*,\1,p' {} + | sort -u |
	while read -r header; do
		[ ! -f "$to/include/$header" ] && [ ! -f "$to/include/uapi/$header" ] || continue
		mkdir -p "$to/stub/$(dirname "$header")"
		echo '#include "datapath/linux/kernel.h"' >"$to/stub/$header"
	done

ring=$to/drivers/virtio/virtio_ring.c
has() {
	grep -q "$1" "$ring"
}
mkdir -p "$to/stub/linux"
{
	echo "#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))"
	echo "#define LINUX_VERSION_CODE KERNEL_VERSION($major, $minor, ${sub:-0})"
	echo "#define LINUX_VERSION_TEXT \"$(cat "$to/version")\""

	# The function that makes a split queue of three areas, and its last arguments.
	if has '__vring_new_virtqueue_split('; then
		echo "#define LINUX_NEW_VIRTQUEUE __vring_new_virtqueue_split"
	else
		echo "#define LINUX_NEW_VIRTQUEUE __vring_new_virtqueue"
	fi
	if has 'union virtio_map map'; then
		echo "#define LINUX_DMA_DEVICE(dev) , (union virtio_map){ .dma_dev = (dev) }"
	elif has 'struct device \*dma_dev'; then
		echo "#define LINUX_DMA_DEVICE(dev) , (dev)"
	else
		echo "#define LINUX_DMA_DEVICE(dev)"
	fi
	# Behind an indirect table, in the same allocation, an array of the driver's own.
	if has 'sizeof(\*extra) \* total_sg'; then
		echo "#define LINUX_EXTRA_IN_TABLE 1"
	fi
	if has VIRTIO_F_NOTIFICATION_DATA; then
		echo "#define LINUX_HAS_NOTIFICATION_DATA 1"
	fi
	if has VIRTIO_F_IN_ORDER; then
		echo "#define LINUX_HAS_IN_ORDER 1"
	fi
} >"$to/stub/linux/version.h"
echo "$from" >"$to/from"
