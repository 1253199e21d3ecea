#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The garbage collection of a store with 100,000 blobs and 20,000 snapshots, half of it garbage, while four
# writers change the metadata, two of them in processes of their own: how long a durable change takes at
# most. bench/gc.sh [IMAGES], of 10 blobs and 2 snapshots each.
#   BENCH_BUILD  the build tree (default build-gcc)
. "$(dirname "$0")/functions.sh"
images=${1:-10000}
build=${BENCH_BUILD:-$BENCH_TOP/build-gcc}
make -s -C "$build" plugins/services-local/gc-bench >/dev/null
program=$build/plugins/services-local/gc-bench
export abs_top_builddir=$build
filled=$(ms "$program" fill "$FS/store" "$images")
sync -f "$FS"
"$program" run "$FS/store" 3 >"$work/result"
get() { awk -v n="$1" '$1 == n { print $2 }' "$work/result"; }
milli() { awk "BEGIN { printf \"%.2f\", $(get "$1") / 1000 }"; }
echo "store: $images images, filled in $filled ms; removed $(get blobs) blobs, $(get snapshots) snapshots in $(milli took) ms"
echo "changes: alone $(get alone_changes), median $(milli alone_median) ms, 99% $(milli alone_p99) ms, longest $(milli alone_longest) ms;" \
	"beside $(get beside_changes), median $(milli beside_median) ms, 99% $(milli beside_p99) ms"
grep -E "longest_sweep|took" "$work/result"
row "longest wait of a writer during a collection: at most" "$(milli beside_longest)" 10 ms "<=1"
