#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes ./configure. Needs autoconf, automake, libtool and libltdl-dev.
set -e
cd "$(dirname "$0")"
for tool in autoreconf:autoconf automake:automake libtoolize:libtool; do
	command -v "${tool%%:*}" >/dev/null 2>&1 || {
		echo "autogen.sh: ${tool%%:*} not found; install the package ${tool##*:}" >&2
		exit 1
	}
done
autoreconf --install --force --warnings=all,no-portability,no-obsolete
# autoconf's checks delete a file named "core"; ours is a folder, and rm would say so each time.
sed 's/rm -f core \*\.core/rm -f *.core/; s/rm -f core conftest/rm -f conftest/' configure >configure.tmp
cat configure.tmp >configure
rm -f configure.tmp
