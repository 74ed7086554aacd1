#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Exit status and first words of each command, on the smallest scenario.
. "$(dirname "$0")/lib.sh"
s=$data/lost-wakeup.lua

status 0 "$RINGSIDE" --version
says "ringside "
status 0 "$RINGSIDE" --help
says "explore"
status 2 "$RINGSIDE"
status 2 "$RINGSIDE" explroe
complains "did you mean: explore"
status 2 "$RINGSIDE" run
complains "usage: ringside run"
status 2 "$RINGSIDE" run --no-such-option "$s"
complains "--no-such-option"
status 2 "$RINGSIDE" explore --runs ten "$s"
complains "--runs ten"
status 2 "$RINGSIDE" explore --time 0s "$s"
status 2 "$RINGSIDE" explore --shard 2/2 "$s"
status 2 "$RINGSIDE" explore --strategy none "$s"
complains "random"
for c in run explore replay show test diagnose litmus import merge plot report shell faults oracles scenarios api \
	man; do
	status 0 "$RINGSIDE" "$c" --help
	says "usage: ringside $c"
done

status 0 "$RINGSIDE" run "$s"
says "verdict: ok"
status 1 "$RINGSIDE" explore "$s"
says "verdict: hang"
says "replay: ringside replay lost-wakeup-fails.failure"
status 0 "$RINGSIDE" explore "$s:holds"
says "ok after 2000 schedules"
status 1 "$RINGSIDE" replay lost-wakeup-fails.failure
says "verdict: hang"
status 1 "$RINGSIDE" replay "ringside.db#latest"
status 0 "$RINGSIDE" replay --until 3 lost-wakeup-fails.failure
says "step: 3"
status 0 "$RINGSIDE" replay --to-event 1 lost-wakeup-fails.failure
status 2 "$RINGSIDE" replay --to-event 1000 lost-wakeup-fails.failure
complains "the run has"
status 0 "$RINGSIDE" show lost-wakeup-fails.failure
says "waits for the wake-up"
status 2 "$RINGSIDE" show --format picture lost-wakeup-fails.failure
complains "perfetto"
status 2 "$RINGSIDE" replay no-such.failure
status 2 "$RINGSIDE" explore "$s:nothing"
complains "it has: fails holds"
status 2 "$RINGSIDE" explore --set rounds=9 "$s"
complains "from 1 to 8"
status 2 "$RINGSIDE" explore --set round=1 "$s"
complains "it has: recheck rounds"
status 0 "$RINGSIDE" bisect -- "$RINGSIDE" test --quiet --db none "$s"
status 1 "$RINGSIDE" bisect -- "$RINGSIDE" replay --quiet lost-wakeup-fails.failure
status 125 "$RINGSIDE" bisect -- "$RINGSIDE" explore "$s:nothing"
status 77 "$RINGSIDE" diagnose "$s"
complains "no machine"

# Nothing printed in colour, or as progress, on a pipe.
if grep -q "$(printf '\033')" out err; then fail "an escape on a pipe"; fi
# The picture fits a mail.
"$RINGSIDE" show lost-wakeup-fails.failure >picture
[ "$(wc -l <picture)" -le 48 ] || fail "more lines than a mail takes"
awk 'length($0) > 100 { exit 1 }' picture || fail "more than 100 columns"
finish
