#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The garbage collection of a store with 100,000 blobs and 20,000 snapshots, half of it garbage, while four
# writers change the metadata, two of them in processes of their own: how long a durable change takes at
# most. The same writers with no collection show what the machine itself does to them: two processors, and a
# disk that others may use. Then how long it takes to remove 100 images with all their 1,000 blobs and 200
# snapshots, beside nobody, ours durable, against containerd. bench/gc.sh [IMAGES [FEW]], of 10 blobs and 2
# snapshots each.
#   BENCH_BUILD  the build tree (default build-gcc)
BENCH_SIZE=${BENCH_SIZE:-4G}
. "$(dirname "$0")/functions.sh"
images=${1:-10000} few=${2:-200}
build=${BENCH_BUILD:-$BENCH_TOP/build-gcc}
make -s -C "$build" plugins/services-local/gc-bench >/dev/null
program=$build/plugins/services-local/gc-bench
export abs_top_builddir=$build
filled=$(ms "$program" fill "$FS/store" "$images")
sync -f "$FS"
"$program" run "$FS/store" 20 >"$work/result"
get() { awk -v n="$1" '$1 == n { print $2 }' "$work/result"; }
milli() { awk "BEGIN { printf \"%.2f\", $(get "$1") / 1000 }"; }
figures() {
	echo "$2: $(get "$1_changes") changes, median $(milli "$1_median") ms, 99% $(milli "$1_p99") ms," \
		"longest $(milli "$1_longest") ms, over 10 ms: $(get "$1_over")"
}
echo "store: $images images, filled in $filled ms; removed $(get blobs) blobs, $(get snapshots) snapshots in" \
	"$(milli took) ms, longest transaction $(milli longest_sweep) ms"
figures alone "writers alone, 20 s"
figures beside "beside the collection"
row "longest wait of a writer during a collection: at most" "$(milli beside_longest)" 10 ms "<=1"
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
