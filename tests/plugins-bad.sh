#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One bad plugin shows as error with its real reason in `ctr plugins ls -d`; what does not need it works.
set -u
dir=$(mktemp -d "${TMPDIR:-/tmp}/gantry-bad.XXXXXX")
cleanup() {
	mountpoint -q "$dir/root/io.containerd.snapshotter.v1.native" && umount "$dir/root/io.containerd.snapshotter.v1.native"
	rm -rf --one-file-system "$dir"
}
if [ -z "${GANTRY_TEST_NS:-}" ]; then
	rmdir "$dir"
	GANTRY_TEST_NS=1 exec unshare --mount --propagation private bash "$0"
fi
trap cleanup EXIT
ctr=$abs_top_builddir/ctr
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; shift; printf '%s\n' "$@" | sed 's/^/# /'; }
export GANTRY_CONFIG=$dir/c.conf
mkdir "$dir/plugins"
for f in "$abs_top_builddir"/modules/*.so; do cp -L "$f" "$dir/plugins/"; done
cc=${CC:-gcc}

# config SNAPSHOTTERS: as in `active`.
config() {
	cat >"$GANTRY_CONFIG" <<EOF
root = "$dir/root"; state = "$dir/state"; plugin_path = [ "$dir/plugins" ];
active: { snapshotters = [ $1 ]; };
EOF
}
# shows DESCRIPTION ID TEXT: the plugin is in error with TEXT in its reason, and other things work.
shows() {
	local list out
	list=$("$ctr" plugins ls 2>&1)
	out=$("$ctr" plugins ls -d 2>&1)
	if echo "$list" | grep -qE "^io.containerd.snapshotter.v1 +$2 .*error" && echo "$out" | grep -qF "$3" &&
		echo "$list" | grep -qE '^io.containerd.snapshotter.v1 +overlayfs .*ok' &&
		"$ctr" namespaces ls >/dev/null 2>&1 && "$ctr" snapshots ls >/dev/null 2>&1; then
		ok "$1"
	else
		not_ok "$1" "$list" "$out" "wanted: $3"
	fi
}
build() { $cc -shared -fPIC -I"$abs_top_srcdir/include" -o "$dir/plugins/$1.so" -x c - "${@:2}"; }

build snapshotter-nosymbol <<<'int nothing;'
config '"snapshotter-overlay", "snapshotter-nosymbol"'
shows "no declaration" snapshotter-nosymbol "has no symbol gt_plugin"

build snapshotter-unresolved -Wl,-z,now <<<'extern int nowhere(void); int (*p)(void); int f(void) { return nowhere(); }'
config '"snapshotter-overlay", "snapshotter-unresolved"'
shows "a symbol that nothing defines is named, not \"file not found\"" snapshotter-unresolved "undefined symbol: nowhere"

build snapshotter-abi <<'EOF'
#include <gantry/plugin.h>
GT_PLUGIN(snapshotter_abi) = { GT_PLUGIN_HEADER, .abi = 77, .kind = GT_SNAPSHOTTER, .id = "abi", .doc = "x" };
EOF
config '"snapshotter-overlay", "snapshotter-abi"'
shows "another ABI, both numbers named" snapshotter-abi "is built for ABI 77, this host has ABI 1"

build snapshotter-ops <<'EOF'
#include <gantry/snapshotter.h>
static const struct gt_snapshotter_ops ops = { .size = sizeof(ops) };
GT_PLUGIN(snapshotter_ops) = { GT_PLUGIN_HEADER, .kind = GT_SNAPSHOTTER, .id = "ops", .doc = "x", .ops.snapshotter = &ops };
EOF
config '"snapshotter-overlay", "snapshotter-ops"'
shows "a required op is missing" ops "a snapshotter must have the op open"

echo "no library" >"$dir/plugins/snapshotter-text.so"
config '"snapshotter-overlay", "snapshotter-text"'
shows "no shared object at all" snapshotter-text "file too short"

config '"snapshotter-overlay", "snapshotter-nothere"'
shows "no file" snapshotter-nothere "no file snapshotter-nothere.so in plugin_path"

config '"snapshotter-overlay", "snapshotter-native"'
chown 12345 "$dir/plugins/snapshotter-native.so"
shows "not owned by root" snapshotter-native "belongs to uid 12345, not to root"
chown 0 "$dir/plugins/snapshotter-native.so"
chmod o+w "$dir/plugins/snapshotter-native.so"
shows "writable by others" snapshotter-native "others than root may write"
chmod o-w "$dir/plugins/snapshotter-native.so"

rm -rf "$dir/root/io.containerd.snapshotter.v1.native"
mkdir -p "$dir/root/io.containerd.snapshotter.v1.native"
mount -t tmpfs -o ro,mode=700 none "$dir/root/io.containerd.snapshotter.v1.native"
shows "a root that cannot be written" native "Read-only file system"
umount "$dir/root/io.containerd.snapshotter.v1.native"

out=$("$ctr" plugins ls 2>&1)
echo "$out" | grep -qE '^io.containerd.snapshotter.v1 +native .*ok' && ok "mended, it works again" ||
	not_ok "mended, it works again" "$out"
config '"snapshotter-overlay"'
out=$("$ctr" plugins ls 2>&1)
echo "$out" | grep -qE 'native .*disabled' && ok "what is not active is listed as disabled" ||
	not_ok "what is not active is listed as disabled" "$out"
chmod 0755 "$dir/plugins/metadata-lmdb.so"
mv "$dir/plugins/metadata-lmdb.so" "$dir/plugins/metadata-lmdb.off"
out=$("$ctr" plugins ls 2>&1)
echo "$out" | grep -qE '^io.containerd.content.v1 +content .*ok' && echo "$out" | grep -qE '^io.containerd.metadata.v1 .*error' &&
	ok "plugins ls itself needs nothing" || not_ok "plugins ls itself needs nothing" "$out"
echo "1..$n"
