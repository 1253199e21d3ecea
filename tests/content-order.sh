#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Durability of the content store, seen from the kernel: a blob's bytes are on disk before it gets its
# name, and its name before commit answers; fast durability syncs nothing.
set -u
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; sed 's/^/# /' "$log" | cut -c -160 | tail -n 25; }
check() { if eval "$2"; then ok "$1"; else not_ok "$1"; fi; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }

module=$abs_top_builddir/modules/content-local.so
[ -e "$module" ] || module=$abs_top_builddir/.libs/content-local.so
command -v strace >/dev/null || skip_all "strace is not installed"
strace -o /dev/null true 2>/dev/null || skip_all "strace may not trace here"
dir=$(mktemp -d "${TMPDIR:-/tmp}/gantry-order.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
log=$dir/log

# Stores one blob of 20 MiB in another process of the runner.
trace() {
	mkdir -p "$dir/$1"
	strace -f -y -s 80 -e write=none -o "$log" \
		-e trace=openat,mkdirat,write,pwrite64,fdatasync,fsync,sync_file_range,renameat2,linkat \
		"$abs_top_builddir/gantry-plugin-test" --child=one --child-root="$dir/$1" "${@:2}" "$module"
}
# The number of the first (or last) line of the trace that matches.
first() { grep -nE -- "$1" "$log" | head -n 1 | cut -d: -f1; }
last() { grep -nE -- "$1" "$log" | tail -n 1 | cut -d: -f1; }

check "a blob is stored" 'trace full'
write=$(last 'pwrite64\([0-9]+<.*/ingest/[0-9a-f]{64}/data>')
data=$(first 'fdatasync\([0-9]+<.*/ingest/[0-9a-f]{64}/data>\) = 0')
name=$(first 'renameat2\([0-9]+<.*/ingest/[0-9a-f]{64}>, "data", .*"sha256/[0-9a-f]{64}", RENAME_NOREPLACE\) = 0')
folder=$(last 'fsync\([0-9]+<.*/blobs/sha256>\) = 0')
early=$(first 'sync_file_range\([0-9]+<.*/data>.*SYNC_FILE_RANGE_WRITE\) = 0')
check "it is written in its ingest" '[ -n "$write" ]'
check "the bytes go to the disk after the last write" '[ -n "$data" ] && [ "$data" -gt "$write" ]'
check "and before the blob gets its name" '[ -n "$name" ] && [ "$name" -gt "$data" ]'
check "the name goes to the disk last" '[ -n "$folder" ] && [ "$folder" -gt "$name" ]'
check "writing back begins before the end" '[ -n "$early" ] && [ "$early" -lt "$write" ]'
made=$(first 'mkdirat\(.*"ingest"')
above=$(first 'fsync\([0-9]+<.*/blobs>\) = 0')
check "a new store's folders are on disk before they are relied on" \
	'[ -n "$above" ] && [ -n "$made" ] && [ "$above" -lt "$made" ]'

check "a blob is stored with fast durability" 'trace fast --fast'
check "nothing is synced" '! grep -qE "^[0-9]+ +(fdatasync|fsync|sync_file_range)\(" "$log"'
check "the blob is there all the same" '[ -n "$(find "$dir/fast" -path "*/blobs/sha256/*" -size 20M)" ]'
echo "1..$n"
