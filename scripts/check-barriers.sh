#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: scripts/check-barriers.sh OBJECT…
#
# Barriers that Ringside cannot see, in objects that were compiled with -fsanitize=thread: inline
# assembly orders the processor and no memory model.  One line each, with file and line, and status
# 1; objects that are not instrumented are passed over.  A plugin is looked through in the same way
# when it is loaded (sim/datapath/plugin_barriers.c, ORDER BARRIERS).
export LC_ALL=C

command -v objdump >/dev/null && command -v nm >/dev/null || {
	echo "check-barriers: WARNING: no binutils: nobody looked for barriers" >&2
	exit 0
}

# "dir/x.o:                 U __tsan_func_entry"
instrumented=$(nm -A "$@" 2>/dev/null | sed -n 's/^\(.*\): *U __tsan_[a-z].*/\1/p' | sort -u)
[ -n "$instrumented" ] || exit 0

# shellcheck disable=SC2086
objdump -d -l -w --no-show-raw-insn $instrumented | awk -F '\t' '
	/^[^ ].*: +file format / { object = $0; sub(/: +file format .*/, "", object); next }
	/^[0-9a-f]+ <.*>:$/ {
		name = $0
		gsub(/^[0-9a-f]+ <|>:$/, "", name)
		place = ""
		next
	}
	/^[^ ].*\(\):$/ { name = $0; sub(/\(\):$/, "", name); next }
	/^[^ ].*:[0-9]+( \(discriminator [0-9]+\))?$/ {
		place = $0
		sub(/ \(disc.*/, "", place)
		next
	}
	/^ +[0-9a-f]+:\t/ {
		split($2, word, " ")
		if (word[1] ~ /^([mls]fence|lock|xacquire|xrelease|dmb|dsb)$/ ||
		    $2 ~ /^xchg.*\(/) {
			printf "%s: %s in %s() is a barrier that Ringside cannot see (%s)\n",
				place == "" ? object : place, word[1], name, object
			found++
		}
	}
	END { exit found > 0 }
' >&2
