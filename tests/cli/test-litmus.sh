#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ringside litmus: what it prints, its options and statuses; our litmus tests under each model.
. "$(dirname "$0")/lib.sh"
ours=$here/../litmus
command -v "${RINGSIDE_CC:-cc}" >/dev/null || {
	echo "no C compiler to build litmus tests with"
	exit 77
}

status 0 "$RINGSIDE" litmus "$ours/n6.litmus"
says "Test n6 Allowed"
says "States 5"
says "Condition exists (0:r0=1 /\\ 0:r1=0 /\\ x=1)"
grep -q '^[0-9]* *\*>0:r0=1; 0:r1=0; x=1;$' out || fail "no state that satisfies the condition"
says "Observation n6 Sometimes 1 4"
cp out first
status 0 "$RINGSIDE" litmus "$ours/n6.litmus"
cmp -s out first || fail "two runs differ"
! grep -q '^Time' out || fail "the time, on a pipe"
status 0 "$RINGSIDE" litmus --memory sc --quiet "$ours/n6.litmus" "$ours/n5.litmus"
grep -q '^Observation n6 Never 0 [0-9]*$' out || fail "n6 under sc"
[ "$(wc -l <out)" -eq 2 ] || fail "--quiet prints more than Observation lines"
status 0 "$RINGSIDE" litmus "$ours/SB+store_mb.litmus"
says "Test SB+store_mb Forbidden"
says "Ok"
status 0 "$RINGSIDE" litmus --memory weak "$ours/MP+wmb+addr.litmus"
says "1:r0=x; 1:r1=0;"
says "(broken dependency)"
status 0 "$RINGSIDE" litmus --memory weak "$ours/MP+wmb+ctrl.litmus"
! grep -q "broken dependency" out || fail "a condition does not order loads"

# What is compared with the comment.
sed 's/Result: Sometimes/Result: Never/' "$ours/n6.litmus" >never.litmus
status 0 "$RINGSIDE" litmus never.litmus
status 0 "$RINGSIDE" litmus --memory sc --expect never.litmus
status 1 "$RINGSIDE" litmus --expect never.litmus
complains "never.litmus: Sometimes under tso, but the memory model says Never"
status 0 "$RINGSIDE" litmus --memory weak --expect "$ours/MP+wmb+addr.litmus"

# Budgets, and what cannot be run.
status 124 "$RINGSIDE" litmus --runs 2 "$ours/n6.litmus"
says "(incomplete)"
status 0 "$RINGSIDE" litmus --strategy all "$ours/n6.litmus"
says "Observation n6 Sometimes 4 96"
status 124 "$RINGSIDE" litmus --strategy random --runs 50 "$ours/n6.litmus"
status 2 "$RINGSIDE" litmus --strategy random "$ours/n6.litmus"
complains "never ends"
status 0 "$RINGSIDE" litmus --strategy bounded --bound 99 "$ours/n5.litmus"
status 2 "$RINGSIDE" litmus --memory power "$ours/n6.litmus"
complains "sc tso weak"
status 2 "$RINGSIDE" litmus none.litmus
status 77 env RINGSIDE_CC=no-such-compiler "$RINGSIDE" litmus "$ours/n6.litmus"
complains "there is no no-such-compiler"
printf 'C srcu\n{}\nP0(int *s) { int r0; r0 = srcu_read_lock(s); }\nexists (0:r0=0)\n' >srcu.litmus
status 77 "$RINGSIDE" litmus srcu.litmus
complains "srcu_read_lock() is not modelled"
printf 'C wild\n{}\nP0(int **p) { int *r0; r0 = *p; *r0 = 1; }\nexists (p=0)\n' >wild.litmus
status 2 "$RINGSIDE" litmus wild.litmus
complains "P0 uses a pointer to none of the test's variables"
printf 'C loop\n{}\nP0(int *x) { while (1) ; }\nexists (x=0)\n' >loop.litmus
status 2 "$RINGSIDE" litmus loop.litmus
complains "loop.litmus:3:14: expected a declaration"
status 2 "$RINGSIDE" litmus loop.litmus "$ours/n5.litmus"
says "Observation n5 Never"

# Each of ours, under each model.
RINGSIDE=$RINGSIDE "$here/../../scripts/litmus.sh" "$ours" >verdicts || {
	fail "verdicts"
	cat verdicts
}
finish
