#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What configure says where nothing is installed: every library with its Debian package, all at once.
. "$abs_top_srcdir/tests/functions.sh"

packages=$(sed -n 's/^GANTRY_NEED(\[[A-Z0-9_]*\], \[[^]]*\], \[\(.*\)\])$/\1/p' "$abs_top_srcdir/configure.ac")
[ ! -f "$abs_top_srcdir/config.status" ] || skip_all "the source tree is configured"
mkdir "$work/empty" "$work/build"
cd "$work/build" || exit 1
for name in $(compgen -e | grep -E '_(CFLAGS|LIBS)$'); do unset "$name"; done # they would stand for a library
try env PKG_CONFIG_LIBDIR="$work/empty" PKG_CONFIG_PATH= "$abs_top_srcdir/configure" --quiet
is "$status" 1 "configure stops where libraries are missing"
ok "there are some to look for" test "$(wc -l <<<"$packages")" -gt 10
for p in $packages; do
	like "$err" "install the Debian package $p(
|$)" "it names $p"
done
done_testing
