#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The litmus tests of the Linux kernel under each model. They are unpacked when the program is built.
. "$(dirname "$0")/lib.sh"
source=$here/../../build/linux-source
[ -d "$source/tools/memory-model/litmus-tests" ] || {
	echo "no kernel source: install linux-source-6.1, or name one with LINUX_SRC"
	exit 77
}
for tests in "$source/tools/memory-model/litmus-tests" "$source"/Documentation/litmus-tests/*; do
	RINGSIDE=$RINGSIDE "$here/../../scripts/litmus.sh" "$tests" >verdicts || {
		fail "$tests"
		cat verdicts
	}
done
finish
