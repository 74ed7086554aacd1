#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Install what is missing to build, test and draw, from Debian's packages.  Does nothing, quickly,
# when all is there.  Without root or sudo it says what to install and fails.
#
#	scripts/deps.sh          what `make demo` and `make check` need
#	scripts/deps.sh --list   only print the packages
set -eu

build="gcc make pkg-config libc6-dev libsqlite3-dev libyaml-dev liblua5.4-dev libxxhash-dev"
build="$build libdw-dev"
run="sqlite3 gnuplot-nox lua5.4 git"
check="libcmocka-dev lua-check clang libclang-rt-14-dev xz-utils"
# Linux's ring code, for the linux datapath, and trace-cmd's library, for trace.dat; a test asks
# trace-cmd itself what is in one.  Without them those are not built and their tests skip.
linux="linux-source-6.1"
# And libedit, for the prompt of `ringside shell`.
optional="$linux libtracecmd-dev libtraceevent-dev trace-cmd libedit-dev"

if [ "${1:-}" = --list ]; then
	echo "$build $run $check $optional" | tr ' ' '\n'
	exit 0
fi

have() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -q '^installed$'
}

missing=
for p in $build $run $check; do
	have "$p" || missing="$missing $p"
done
# gnuplot-x11 and gnuplot-qt bring the same program.
if command -v gnuplot >/dev/null 2>&1; then
	missing=$(echo "$missing" | sed 's/ gnuplot-nox//')
fi
# Any kernel's source will do.
if [ -n "${LINUX_SRC:-}" ] || ls /usr/src/linux-source-*.tar.xz >/dev/null 2>&1; then
	optional=${optional#"$linux"}
fi
# What apt does not know of need not be tried.
wanted=
for p in $optional; do
	have "$p" || ! apt-cache show "$p" >/dev/null 2>&1 || wanted="$wanted $p"
done
optional=${wanted# }
[ -n "$missing$optional" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		[ -n "$missing" ] || exit 0
		echo "ringside: please install:$missing" >&2
		exit 1
	fi
	sudo=sudo
fi
if [ -z "$missing" ]; then
	echo "ringside: installing $optional (optional)" >&2
	${sudo:+sudo -n} env DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends $optional \
		>/dev/null 2>&1 || echo "ringside: $optional could not be installed; going on" >&2
	exit 0
fi
echo "ringside: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! $sudo apt-get update >"$log" 2>&1 ||
	! $sudo apt-get install -y --no-install-recommends $missing >>"$log" 2>&1; then
	cat "$log" >&2
	rm -f "$log"
	exit 1
fi
rm -f "$log"
# Once what is needed is there; apt knows more after the update, too.
[ -z "$optional" ] || exec "$0"
