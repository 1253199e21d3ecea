#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Listing 10,000 images, the whole process: names of one target, and images each with a manifest and a
# configuration of its own, of which a listing shows size and platform; against containerd's ctr for the
# latter. bench/images.sh [ROUNDS]
BENCH_SIZE=${BENCH_SIZE:-2G}
. "$(dirname "$0")/functions.sh"
rounds=${1:-5}
"$BENCH_TOP/scripts/mkimage.sh" "$work/busybox.tar" docker.io/library/busybox:latest
for i in 0 2500 5000 7500; do python3 "$BENCH_TOP/bench/mkmany.py" "$work/many.$i.tar" "$i" 2500; done
containerd_start containerd
theirs() { $PEER images ls; }
ours() { "$GCTR" images ls; }
# measure WHAT: ours, after one that is not counted, and the same with -q
measure() {
	local i all=() quiet=()
	[ "$("$GCTR" images ls -q | wc -l)" = 10000 ]
	ours >"$work/ours"
	for i in $(seq "$rounds"); do
		all+=("$(ms "$GCTR" images ls)")
		quiet+=("$(ms "$GCTR" images ls -q)")
	done
	row "images ls of 10,000 $1" "$(median "${all[@]}")" 50 ms "<=1"
	row "images ls -q of 10,000 $1" "$(median "${quiet[@]}")" 50 ms "<=1"
	listed=$(median "${all[@]}")
}

gantry_config names 'durability = "fast";'
"$GCTR" images import --no-unpack "$work/busybox.tar"
mapfile -t names < <(seq -f 'docker.io/library/image-%05.0f:latest' 9999)
"$GCTR" images tag docker.io/library/busybox:latest "${names[@]}" >/dev/null
measure "names of one image"

gantry_config many 'durability = "fast";'
for i in "$work"/many.*.tar; do
	"$GCTR" images import --no-unpack "$i" >/dev/null
	$PEER images import --no-unpack "$i" >/dev/null
done
measure "images"
theirs >"$work/theirs"
cmp <(awk '{ print $1, $3, $4, $6 }' "$work/ours") <(awk '{ print $1, $3, $4, $6 }' "$work/theirs")
row "the same against containerd's ctr" "$listed" "$(ms theirs)" ms ">=1"
