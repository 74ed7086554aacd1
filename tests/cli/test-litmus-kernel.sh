#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The litmus tests of the Linux kernel under each model. They are unpacked when the program is built.
. "$(dirname "$0")/lib.sh"
tests=$here/../../build/linux-source/tools/memory-model/litmus-tests
[ -d "$tests" ] || {
	echo "no kernel source: install linux-source-6.1, or name one with LINUX_SRC"
	exit 77
}
RINGSIDE=$RINGSIDE "$here/../../scripts/litmus.sh" "$tests" >verdicts
status=$?
[ $status -eq 0 ] || cat verdicts
exit $status
