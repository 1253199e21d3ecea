#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The garbage collection of a store with 100,000 blobs and 20,000 snapshots, half of it garbage, while four
# writers change the metadata, two of them in processes of their own: how long a durable change takes at
# most. The same writers with no collection, before and after, show what the machine itself does to them: two
# processors, and a disk that others may use. Twice: on an ext4 whose disk is memory, where a sync costs no
# more than the calls, and on this machine's disk, where of each wait is said how much of it was the file
# system's time in writes and syncs of the metadata, and how much was not: locks, processors, our own work.
# Then how long it takes to remove 100 images with all their 1,000 blobs and 200 snapshots, beside nobody, ours
# durable, against containerd. bench/gc.sh [IMAGES [FEW]], of 10 blobs and 2 snapshots each.
#   BENCH_BUILD  the build tree (default build-gcc)
BENCH_SIZE=${BENCH_SIZE:-4G}
. "$(dirname "$0")/functions.sh"
images=${1:-10000} few=${2:-200}
build=${BENCH_BUILD:-$BENCH_TOP/build-gcc}
make -s -C "$build" plugins/services-local/gc-bench >/dev/null
program=$build/plugins/services-local/gc-bench
export abs_top_builddir=$build
get() { awk -v n="$1" '$1 == n { print $2 }' "$work/result"; }
milli() { awk "BEGIN { printf \"%.2f\", $(get "$1") / 1000 }"; }
figures() {
	echo "$2: $(get "$1_changes") changes, median $(milli "$1_median") ms, 99% $(milli "$1_p99") ms," \
		"longest $(milli "$1_longest") ms (the file system's at most $(milli "$1_in_calls") ms, the rest at most" \
		"$(milli "$1_rest") ms), over 10 ms: $(get "$1_over") ($(get "$1_rest_over") by the rest alone)"
}
collect() { # STORE
	"$program" run "$1" 10 >"$work/result"
	echo "removed $(get blobs) blobs, $(get snapshots) snapshots in $(milli took) ms, longest transaction" \
		"$(milli longest_sweep) ms"
	figures alone "writers alone, 10 s"
	figures beside "beside the collection"
	figures after "alone again"
}
echo "store: $images images, filled in $(ms "$program" fill "$FS/store" "$images") ms"

mkdir "$FS/memory" "$FS/in-memory"
mount -t tmpfs -o size=4g tmpfs "$FS/memory"
truncate -s 4G "$FS/memory/image"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$FS/memory/image"
mount -o loop "$FS/memory/image" "$FS/in-memory"
cp -a "$FS/store" "$FS/in-memory/store"
sync -f "$FS/in-memory"
echo "ext4 in memory:"
collect "$FS/in-memory/store"
row "in memory: longest wait beside a collection: at most" "$(milli beside_longest)" 10 ms "<=1"
umount "$FS/in-memory" "$FS/memory"

sync -f "$FS"
echo "ext4 on ${BENCH_DIR:-/var/tmp}:"
collect "$FS/store"
row "on disk: longest wait, without what the file system took" "$(milli beside_rest)" 10 ms "<=1"
row "on disk: longest wait beside a collection" "$(milli beside_longest)" 10 ms "<=1"
row "the same against the writers alone" "$(milli beside_longest)" "$(milli alone_longest)" ms "<=2"
rm -rf "$FS/store"

# Nothing of containerd's may collect before it is told to.
containerd_start containerd '[plugins."io.containerd.gc.v1.scheduler"]' 'mutation_threshold = 1000000000' \
	'startup_delay = "1h"'
gantry_config ours 'durability = "full";'
"$program" name "$FS/ours" "$few"
"$program" name "$FS/unused" "$few" "$FS/containerd/containerd.sock"
mapfile -t names < <(seq -f 'image-%.0f' 1 2 $((few - 1)))
count() { "$@" content ls -q | wc -l; }
sync -f "$FS"
ours=$(ms "$GCTR" images rm --sync "${names[@]}")
sync -f "$FS"
theirs=$(ms $PEER images rm --sync "${names[@]}")
[ "$(count "$GCTR")/$(count $PEER)" = "$((few * 5))/$((few * 5))" ] || { echo "not all was collected" >&2; exit 1; }
row "rm --sync of ${#names[@]} images, $((few * 5)) blobs, $few snapshots" "$ours" "$theirs" ms ">=0.5"
