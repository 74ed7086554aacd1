#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A hang of each cause is told apart from the others, by what recovers it and by the counters.
. "$(dirname "$0")/lib.sh"
hangs=$here/../../scenarios/debug

# cause SCENARIO VARIANT WORDS: the one line that says what was lost begins so.
cause() {
	status 1 "$RINGSIDE" diagnose "$hangs/$1.lua:$2"
	[ "$(grep -c '^lost: ' out)" -eq 1 ] || fail "$1:$2: not one cause: $(grep '^lost: ' out)"
	grep -q "^lost: $3" out || fail "$1:$2: not '$3' but: $(grep '^lost: ' out)"
}

cause hung-doorbell decode_off 'blk0.vq0: the kick: .*vanished on its way'
says "kick blk0.vq0 at the doorbell: 1 of 1 go on"
says "call blk0.vq0 at the msi: no change"
cause hung-mask unregister 'blk0.vq0: the mask: vector 1'
says "call blk0.vq0 at the eventfd: no change"
says "guest notifier count 1 of 1"
cause hung-mask swap 'blk0.vq0: the mask: vector 1 .*passes it'
says "call blk0.vq0 at the eventfd: 1 of 1 go on"
cause hung-route route_gone 'blk0.vq0: the route: GSI 24'
says "call blk0.vq0 at the eventfd: no change"
says "call blk0.vq0 at the msi: 1 of 1 go on"
cause hung-interrupt no_handler 'blk0.vq0: the interrupt, after the guest notifier'
cause hung-ring behind 'blk0.vq0: no notification; the ring: the device has read 1 buffers past'
if grep -q 'go on$' out; then fail "something recovered a ring whose state is wrong"; fi
says "last_avail_idx=1"

# Looking changes nothing: the same hang, the same answer.
"$RINGSIDE" diagnose "$hangs/hung-mask.lua:swap" >first 2>err
"$RINGSIDE" diagnose "$hangs/hung-mask.lua:swap" >second 2>err
cmp -s first second || fail "two diagnoses of one hang differ"

# A failure file is diagnosed as the scenario is; what holds, and what is no hang, is not.
status 1 "$RINGSIDE" explore --db none "$hangs/hung-route.lua:route_gone"
status 1 "$RINGSIDE" diagnose hung-route-route_gone.failure
says "the route: GSI 24"
status 0 "$RINGSIDE" diagnose "$hangs/hung-mask.lua:unmasked"
says "nothing hangs"
status 77 "$RINGSIDE" diagnose "$hangs/../kvm/slot-smash.lua:no_sync"
complains "nothing to kick or call"
status 2 "$RINGSIDE" diagnose "$hangs/no-such.lua"
status 2 "$RINGSIDE" diagnose "$hangs/hung-mask.lua:no_such_variant"
complains "unregister"
finish
