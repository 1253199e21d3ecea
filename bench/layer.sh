#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The layer worker alone: decompression with digest against `gzip -dc`, and 65,000 files, 1.3 GB, 4 gzip
# layers written to a fresh ext4 against GNU tar with gzip, one after the other on one processor; then two
# at a time on all, with and without reading ahead. bench/layer.sh [ROUNDS]
# GANTRY_LAYER: the worker (default: the installed one).
. "$(dirname "$0")/functions.sh"
rounds=${1:-3}
cache=${BENCH_CACHE:-/var/tmp/gantry-bench-big.tar}
worker=${GANTRY_LAYER:-$BENCH_PREFIX/libexec/gantry/gantry-layer}
[ -f "$cache" ] || python3 "$BENCH_TOP/bench/mkbig.py" "$cache"
mkdir "$work/imaged"
tar -C "$work/imaged" -xf "$cache"
mapfile -t blobs < <(find "$work/imaged/blobs/sha256" -size +1M | sort)
cpu=$(taskset -pc $$ | sed 's/.*[:, -]//')

layers() { # MODE PARALLEL OPTIONS...: prints wall, processor seconds, bytes
	local mode=$1 parallel=$2
	shift 2
	mkdir -p "$FS/ours"
	python3 "$BENCH_TOP/bench/layer.py" "$worker" "$mode" "$FS/ours" "$parallel" "${blobs[@]}" -- \
		overlay=1 "$@"
}
one_layers() { (taskset -pc "$cpu" $BASHPID >/dev/null && layers "$@"); }
gunzip_all() { local b; for b in "${blobs[@]}"; do gzip -dc "$b" >/dev/null; done; }
untar_all() {
	local b
	for b in "${blobs[@]}"; do mkdir -p "$FS/theirs/${b##*/}" && tar -C "$FS/theirs/${b##*/}" -xzf "$b"; done
}
# Runs it on an idle disk with the blobs in memory, and sets w, c, n to what it prints.
figures() {
	rm -rf "$FS/ours" "$FS/theirs"
	settle
	"$@" >"$work/figures"
	read -r w c n <"$work/figures" || true
}
settle() { sync -f "$FS"; cat "${blobs[@]}" >/dev/null; }
# The processor seconds and the wall seconds of a shell function, on one processor.
cost() {
	local TIMEFORMAT='%R %U %S'
	{ time (taskset -pc "$cpu" $BASHPID >/dev/null && "$@"); } 2>&1 | awk '{ print $1, $2 + $3 }'
}

mw=() gw=() aw=() ac=() tw=() tc=() pw=() rw=()
for i in $(seq "$rounds"); do
	figures one_layers measure 1; mw+=("$c") bytes=$n
	figures cost gunzip_all; gw+=("$c")
	figures one_layers apply 1; aw+=("$w") ac+=("$c")
	figures cost untar_all; tw+=("$w") tc+=("$c")
	figures layers apply 2 thread=0; pw+=("$w")
	figures layers apply 2 thread=1; rw+=("$w")
done
m=$(median "${mw[@]}") g=$(median "${gw[@]}")
awk "BEGIN { printf \"inflate and digest: %.0f MB/s out; gzip -dc: %.0f MB/s\n\", $bytes / $m / 1e6, $bytes / $g / 1e6 }"
# Either will do: the speed, or the ratio.
allowed=$(awk "BEGIN { a = $g / 2.5; b = $bytes / 500e6; print (a > b ? a : b) }")
row "inflate and digest: at most gzip -dc / 2.5 or 500 MB/s" "$m" "$allowed" s "<=1"
row "4 layers on one processor, processor time: against tar xzf" "$(median "${ac[@]}")" "$(median "${tc[@]}")" s ">=2"
row "the same, wall time" "$(median "${aw[@]}")" "$(median "${tw[@]}")" s ">=2"
row "2 layers at a time, reading ahead: against not" "$(median "${rw[@]}")" "$(median "${pw[@]}")" s ">=0.9"
