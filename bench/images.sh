#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Listing 10,000 images, the whole process. bench/images.sh [ROUNDS]
BENCH_SIZE=${BENCH_SIZE:-2G}
. "$(dirname "$0")/functions.sh"
rounds=${1:-5}
gantry_config images 'durability = "fast";'
"$BENCH_TOP/scripts/mkimage.sh" "$work/busybox.tar" docker.io/library/busybox:latest
"$GCTR" images import --no-unpack "$work/busybox.tar"
mapfile -t names < <(seq -f 'docker.io/library/image-%05.0f:latest' 9999)
"$GCTR" images tag docker.io/library/busybox:latest "${names[@]}" >/dev/null
[ "$("$GCTR" images ls -q | wc -l)" = 10000 ]
ls_all=() ls_quiet=()
for i in $(seq "$rounds"); do
	ls_all+=("$(ms "$GCTR" images ls)")
	ls_quiet+=("$(ms "$GCTR" images ls -q)")
done
row "images ls of 10,000 names" "$(median "${ls_all[@]}")" 50 ms "<=1"
row "images ls -q of 10,000 names" "$(median "${ls_quiet[@]}")" 50 ms "<=1"
