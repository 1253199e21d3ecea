#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Durability of the metadata store, seen from the kernel: an update is on disk when it answers, many
# updates at the same time share their syncs, and fast durability syncs nothing.
set -u
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; }
check() { if eval "$2"; then ok "$1"; else not_ok "$1"; fi; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }

module=$abs_top_builddir/modules/metadata-lmdb.so
[ -e "$module" ] || module=$abs_top_builddir/.libs/metadata-lmdb.so
command -v strace >/dev/null || skip_all "strace is not installed"
strace -o /dev/null true 2>/dev/null || skip_all "strace may not trace here"
dir=$(mktemp -d "${TMPDIR:-/tmp}/gantry-commits.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
log=$dir/log

trace() { # NAME-OF-CHILD CALLS ARGUMENTS...
	mkdir -p "$dir/$1"
	strace -f -y -o "$log" -e trace="$2" "$abs_top_builddir/gantry-plugin-test" --child="$1" \
		--child-root="$dir/$1" "${@:3}" "$module" 3>/dev/null
}

check "one update" 'trace put openat,write,pwrite64,fdatasync,fsync'
sync=$(grep -nE 'fdatasync\([0-9]+<.*/meta.mdb>\) = 0' "$log" | tail -n 1 | cut -d: -f1)
direct=$(grep -E 'openat\(.*meta.mdb", [A-Z_|]*O_DSYNC' "$log" | sed -n 's/.*= \([0-9]*\)<.*/\1/p' | head -n 1)
meta=$(grep -nE "pwrite64\\($direct<" "$log" | tail -n 1 | cut -d: -f1)
pages=$(grep -nE 'p?write(64)?\([0-9]+<.*/meta.mdb>' "$log" | grep -vE "pwrite64\\($direct<" | tail -n 1 | cut -d: -f1)
check "its pages are written, then synced" '[ -n "$pages" ] && [ -n "$sync" ] && [ "$sync" -gt "$pages" ]'
check "then the page that makes them count, through a descriptor that syncs" \
	'[ -n "$direct" ] && [ -n "$meta" ] && [ "$meta" -gt "$sync" ]'
check "a new store's name is on disk" 'grep -qE "fsync\(.*metadata.*\) = 0" "$log"'

updates=6400
check "64 writers with 100 updates each" 'trace crowd fdatasync'
syncs=$(grep -cE 'fdatasync\([0-9]+<.*/meta.mdb' "$log")
echo "# $syncs syncs for $updates updates"
check "they share their syncs: fewer than one for four updates" \
	'[ "$syncs" -gt 0 ] && [ $((syncs * 4)) -lt $updates ]'

rm -rf "$dir/crowd"
check "the same with fast durability" 'trace crowd fdatasync,fsync --fast'
check "nothing is synced" '! grep -qE "(fdatasync|fsync)\(" "$log"'
echo "1..$n"
