#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The image of 65,000 files and 1.3 GB in 4 layers: pull and unpack from a docker-registry on loopback,
# durable against containerd plus `sync -f`, and with durability = "fast" against containerd alone; export;
# import without unpacking. bench/pull.sh [ROUNDS [pull|archive]]
BENCH_SIZE=${BENCH_SIZE:-16G}
. "$(dirname "$0")/functions.sh"
rounds=${1:-3} what=${2:-all}
cache=${BENCH_CACHE:-/var/tmp/gantry-bench-big.tar}
[ -f "$cache" ] || python3 "$BENCH_TOP/bench/mkbig.py" "$cache"
image=docker.io/library/big:latest
containerd_start containerd

settle() { sync -f "$FS"; cat "$cache" >/dev/null; }
theirs_forget() {
	$PEER images rm --sync "$image" >/dev/null
	$PEER content prune references >/dev/null
}
ours_forget() { rm -rf "${FS:?}/$1"; mkdir -p "$FS/$1"; }

bench_pull() {
	local i od=() of=() td=() tf=()
	registry_start
	gantry_config push 'durability = "fast";' "resolver-http: { hosts_dir = \"$work/hosts\"; };"
	"$GCTR" images import --no-unpack "$cache"
	"$GCTR" images push -q "$image"
	ours_forget push
	theirs() { $PEER images pull --hosts-dir "$work/hosts" --snapshotter overlayfs "$image"; }
	theirs_durable() { theirs && sync -f "$FS"; }
	ours() { "$GCTR" images pull "$image"; }
	for i in $(seq "$rounds"); do
		gantry_config full 'durability = "full";' "resolver-http: { hosts_dir = \"$work/hosts\"; };"
		settle; od+=("$(ms ours)"); ours_forget full
		settle; td+=("$(ms theirs_durable)"); theirs_forget
		gantry_config fast 'durability = "fast";' "resolver-http: { hosts_dir = \"$work/hosts\"; };"
		settle; of+=("$(ms ours)"); ours_forget fast
		settle; tf+=("$(ms theirs)"); theirs_forget
	done
	row "pull and unpack, durable: against containerd + sync -f" "$(median "${od[@]}")" "$(median "${td[@]}")" ms ">=2.5"
	row "pull and unpack, fast: against containerd alone" "$(median "${of[@]}")" "$(median "${tf[@]}")" ms ">=4"
}

bench_archive() {
	local i oi=() ti=() oe=() te=()
	theirs_import() { $PEER images import --no-unpack "$cache"; }
	theirs_export() { $PEER images export "$FS/theirs.tar" "$image"; }
	ours_import() { "$GCTR" images import --no-unpack "$cache"; }
	ours_export() { "$GCTR" images export "$FS/ours.tar" "$image"; }
	for i in $(seq "$rounds"); do
		gantry_config full 'durability = "full";'
		settle; oi+=("$(ms ours_import)")
		settle; oe+=("$(ms ours_export)"); ours_forget full
		settle; ti+=("$(ms theirs_import)")
		settle; te+=("$(ms theirs_export)"); theirs_forget
		cmp "$FS/ours.tar" "$FS/theirs.tar"
		rm "$FS/ours.tar" "$FS/theirs.tar"
	done
	row "import without unpacking (ours durable)" "$(median "${oi[@]}")" "$(median "${ti[@]}")" ms ">=2"
	row "export" "$(median "${oe[@]}")" "$(median "${te[@]}")" ms ">=2"
}

case $what in
pull) bench_pull ;;
archive) bench_archive ;;
*) bench_pull; bench_archive ;;
esac
