#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Import and unpack of an image of 65,000 files and 1.3 GB in 4 layers: durable against containerd plus
# `sync -f`, and with durability = "fast" against containerd alone. bench/import.sh [ROUNDS]
BENCH_SIZE=${BENCH_SIZE:-16G}
. "$(dirname "$0")/functions.sh"
rounds=${1:-3}
cache=${BENCH_CACHE:-/var/tmp/gantry-bench-big.tar}
[ -f "$cache" ] || python3 "$BENCH_TOP/bench/mkbig.py" "$cache"
containerd_start containerd

settle() { sync -f "$FS"; cat "$cache" >/dev/null; }
theirs() { $PEER images import --snapshotter overlayfs "$cache"; }
theirs_durable() { theirs && sync -f "$FS"; }
theirs_forget() {
	$PEER images rm --sync docker.io/library/big:latest >/dev/null
	$PEER content prune references >/dev/null
}
ours() { "$GCTR" images import "$cache"; }
ours_forget() { rm -rf "${FS:?}/$1"; mkdir -p "$FS/$1"; }

od=() of=() td=() tf=()
for i in $(seq "$rounds"); do
	gantry_config full 'durability = "full";'
	settle; od+=("$(ms ours)"); ours_forget full
	settle; td+=("$(ms theirs_durable)"); theirs_forget
	gantry_config fast 'durability = "fast";'
	settle; of+=("$(ms ours)"); ours_forget fast
	settle; tf+=("$(ms theirs)"); theirs_forget
done
row "import and unpack, durable: against containerd + sync -f" "$(median "${od[@]}")" "$(median "${td[@]}")" ms ">=2.5"
row "import and unpack, fast: against containerd alone" "$(median "${of[@]}")" "$(median "${tf[@]}")" ms ">=4"
