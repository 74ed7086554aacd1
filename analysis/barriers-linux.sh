#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Which barriers of Linux's virtio_ring.c and vringh.c are needed: analysis/barriers-linux-6.1.tsv.
#
#	analysis/barriers-linux.sh >analysis/barriers-linux-6.1.tsv
#
# Driver and device of Linux where both exist (split), Linux's driver against the native device for
# packed rings. Two buffers; under tso all states are searched, under weak as far as ten seconds go.
# Takes some minutes. 77 where no kernel source is installed.
set -eu
cd "$(dirname "$0")/.."
ringside=${RINGSIDE:-./ringside}
scenario=scenarios/kick/smallest.lua

"$ringside" run --quiet --db none --datapath linux --set buffers=1 $scenario:holds >/dev/null ||
	exit 77

audit() {
	"$ringside" audit barriers --time 10s --set buffers=2 "$@"
	echo
}

for memory in tso weak; do
	audit $scenario:holds --memory $memory --datapath linux
	audit $scenario:holds_event_idx --memory $memory --datapath linux
	audit $scenario:holds --memory $memory --datapath linux,native --ring packed
	audit $scenario:holds_event_idx --memory $memory --datapath linux,native \
		--ring packed,event_idx
done
