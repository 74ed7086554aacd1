#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Line and branch coverage of sim/, after `make coverage` has built and run the suite in the folder
# named.
set -eu
build=${1:-build/coverage}
if ! command -v gcovr >/dev/null 2>&1; then
	echo "coverage: gcovr is not installed (Debian package gcovr)"
	exit 77
fi
mkdir -p "$build/html"
exec gcovr --root . --filter 'sim/' --object-directory "$build" --txt --print-summary \
	--html-details "$build/html/index.html"
