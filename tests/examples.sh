#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A vendor's view: what make install puts in place is enough to build the examples by a plain make, they
# pass the conformance suite of their kind, and one line of configuration loads them.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox make pkg-config runc

dest=$work/dest
try make -C "$abs_top_builddir" install "DESTDIR=$dest"
is "$status" 0 "make install honours DESTDIR"
pc=$(find "$dest" -name gantry-plugin.pc)
like "$pc" "^$dest/.*/pkgconfig/gantry-plugin.pc$" "gantry-plugin.pc is installed"
prefix=$(sed -n 's/^prefix=//p' "$pc")
missing=
for f in bin/ctr bin/gantryd bin/gantry-plugin-test bin/containerd-shim-gantry-v1 libexec/gantry/gantry-layer \
	include/gantry/plugin.h lib/gantry/plugins/snapshotter-overlay.so lib/libgantry.so \
	share/man/man1/ctr.1 share/man/man8/gantryd.8 share/man/man5/gantry.conf.5 \
	share/man/man7/gantry-snapshotter-overlay.7; do
	[ -e "$dest$prefix/$f" ] || missing="$missing $f"
done
is "$missing" "" "programs, plugins, worker, SDK and manuals are there"
is "$(find "$dest" -name '*.la')" "" "and no files of libtool's"
while read -r page; do man -l --warnings "$page" 2>&1 >/dev/null | head -n 3; done \
	< <(find "$dest$prefix/share/man" -type f 2>/dev/null) >"$work/man" 2>/dev/null
is "$(grep -v 'command not found' "$work/man")" "" "manual pages have no errors"

export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$dest
is "$(pkg-config --variable=abi gantry-plugin)" "$(sed -n 's/^#define GT_ABI //p' "$abs_top_srcdir/include/gantry/plugin.h")" \
	"pkg-config tells the ABI"
plugin_test=$(built gantry-plugin-test)
mkdir -p "$work/plugins"
for m in "$(plugin_folder)"/*.so; do cp -L "$m" "$work/plugins/"; done
for example in "$abs_top_srcdir"/examples/*/; do
	name=$(basename "$example")
	cp -r "$example" "$work/$name"
	try make -C "$work/$name"
	is "$status" 0 "$name: builds by a plain make against the installed SDK"
	lines=$(wc -l <"$work/$name/$name.c")
	ok "$name: under 300 lines" test "$lines" -lt 300
	cp "$work/$name/$name.so" "$work/plugins/"
	# The runtime leaves out much of its contract, as its README says: running containers is its test.
	[ "$name" != runtime-shell ] || continue
	unshare --mount --propagation private "$plugin_test" "$work/plugins/$name.so" >"$work/suite" 2>&1
	is "$?/$(grep -c '^not ok' "$work/suite")" "0/0" "$name: passes the conformance suite of its kind"
	grep '^not ok' -A3 "$work/suite" | head -n 20 | sed 's/^/# /'
done

make_image
write_config "plugin_path = [ \"$work/plugins\" ];"
sed -i '0,/^plugin_path = /{/^plugin_path = /d}' "$GANTRY_CONFIG"
echo 'active: { snapshotters = [ "snapshotter-overlay", "snapshotter-plain" ]; runtimes = [ "runtime-runc", "runtime-shell" ]; };' >>"$GANTRY_CONFIG"
echo 'runtime-shell: { program = "runc"; };' >>"$GANTRY_CONFIG"
try ctr plugins ls
like "$out" "io\.containerd\.snapshotter\.v1 +plain +[^ ]+ +ok" "one line loads the snapshotter"
like "$out" "io\.containerd\.runtime\.v2 +shell +[^ ]+ +ok" "and one the runtime"
try ctr images import --snapshotter plain "$image"
is "$status" 0 "import and unpack into it"
try ctr run --rm --snapshotter plain "$image_name" v1 echo from plain
is "$status/$out" "0/from plain" "run a container on it"
try ctr images import "$image"
try ctr run --rm --runtime example.shell.v1 "$image_name" v2 sh -c 'echo from shell; exit 4'
is "$status/$out" "4/from shell" "run a container with the runtime"
done_testing
