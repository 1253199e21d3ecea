#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Durability of the snapshotters, seen from the kernel: files are on disk before a record says that they
# are, and a record before the op answers; fast durability syncs nothing.
set -u
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; sed 's/^/# /' "$log" | cut -c -160 | tail -n 25; }
check() { if eval "$2"; then ok "$1"; else not_ok "$1"; fi; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }

command -v strace >/dev/null || skip_all "strace is not installed"
strace -o /dev/null true 2>/dev/null || skip_all "strace may not trace here"
[ "$(id -u)" = 0 ] || skip_all "not root"
dir=$(mktemp -d "${TMPDIR:-/tmp}/gantry-order.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
log=$dir/log

# Another process of the runner prepares and commits a layer, and prepares a child of it.
trace() {
	local module=$abs_top_builddir/modules/$1.so
	[ -e "$module" ] || module=$abs_top_builddir/.libs/$1.so
	mkdir -p "$dir/$2"
	strace -f -y -s 80 -o "$log" -e trace=mkdirat,pwrite64,fdatasync,fsync,syncfs,renameat2 \
		"$abs_top_builddir/gantry-plugin-test" --child=make --child-root="$dir/$2" "${@:3}" "$module" 2>"$dir/err"
	local status=$?
	[ $status = 0 ] || cat "$dir/err" >>"$log"
	return $status
}
# The number of the K-th line after line FROM that matches.
after() { awk -v from="$2" -v k="${3:-1}" -v re="$1" 'NR > from && $0 ~ re && ++n == k { print NR; exit }' "$log"; }

# LMDB makes a change valid by one small write of 120 bytes to one of its first two pages.
meta='pwrite64\\([0-9]+<.*/metadata[.]mdb>, .* = 120$'
data='fdatasync\\([0-9]+<.*/metadata[.]mdb>\\) = 0'
sync='syncfs\\([0-9]+<.*/snapshots>\\) = 0'
place() { echo "renameat2\\\\([0-9]+<.*/snapshots>, \"new-.*\", [0-9]+<.*/snapshots>, \"$1\", RENAME_NOREPLACE\\\\) = 0"; }

check "overlayfs: a layer and a child are made" 'trace snapshotter-overlay overlay'
first=$(after "$(place 1)" 0); first=${first:-0}
made=$(after "$meta" "$first")
synced=$(after "$sync" "${made:-0}")
records=$(after "$data" "${synced:-0}")
committed=$(after "$meta" "${records:-0}")
check "the directory is in its place before the record is" '[ "$first" -gt 0 ] && [ -n "$made" ]'
check "the layer's files go to the disk before it is committed" \
	'[ -n "$synced" ] && [ -n "$records" ] && [ -n "$committed" ] &&
	 ! sed -n "${made},${synced}p" "$log" | tail -n +2 | grep -qE "metadata.mdb>.* = 120$"'
check "the records' pages go to the disk before they count" \
	'[ -n "$committed" ] && [ "$committed" -gt "$records" ]'
check "making the child syncs the records only" \
	'! sed -n "${committed:-1},\$p" "$log" | grep -qE "syncfs|fsync\("'

check "native: a layer and a child are made" 'trace snapshotter-native native'
second=$(after "$(place 2)" 0); second=${second:-0}
copied=$(grep -nE 'mkdirat\(.*/snapshots>, "new-' "$log" | tail -n 1 | cut -d: -f1); copied=${copied:-0}
synced=$(after "$sync" "$copied"); synced=${synced:-0}
named=$(after 'fsync\\([0-9]+<.*/snapshots>\\) = 0' "$second"); named=${named:-0}
record=$(after "$meta" "$second"); record=${record:-0}
check "the copy goes to the disk before it gets its name" \
	'[ "$copied" -gt 0 ] && [ "$synced" -gt "$copied" ] && [ "$second" -gt "$synced" ]'
check "and the name before the record" '[ "$named" -gt "$second" ] && [ "$record" -gt "$named" ]'

for name in overlay native; do
	check "$name: a layer and a child are made with fast durability" \
		'trace snapshotter-$name fast-$name --fast'
	check "$name: nothing is synced" '! grep -qE "^[0-9]+ +(fdatasync|fsync|syncfs)\(" "$log"'
done
echo "1..$n"
