#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Start-up and memory: `ctr plugins ls`, the whole process; PSS of the shims of 50 idle containers, with
# containerd's shims beside them. bench/small.sh [CONTAINERS]
. "$(dirname "$0")/functions.sh"
count=${1:-50}
"$BENCH_TOP/scripts/mkimage.sh" "$work/busybox.tar" $image
gantry_config gantry
"$GCTR" images import "$work/busybox.tar" >/dev/null
t=()
for i in $(seq 30); do t+=("$(ms "$GCTR" plugins ls)"); done
row "ctr plugins ls, whole process" "$(median "${t[@]}")" 10 ms "<=1"

stop_ours() { for i in $(seq "$count"); do
	"$GCTR" tasks kill -s KILL "s$i"; "$GCTR" tasks delete -f "s$i"; "$GCTR" containers delete "s$i"
done >/dev/null 2>&1 || true; }
stop_theirs() { for i in $(seq "$count"); do
	$PEER tasks kill -s KILL "s$i"; $PEER tasks delete -f "s$i"; $PEER containers delete "s$i"
done >/dev/null 2>&1 || true; }
trap 'stop_ours; stop_theirs; bench_end' EXIT
for i in $(seq "$count"); do "$GCTR" run -d --null-io $image "s$i" sleep 1000; done
containerd_start containerd
$PEER images import "$work/busybox.tar" >/dev/null
for i in $(seq "$count"); do $PEER run -d --null-io $image "s$i" sleep 1000; done
sleep 3
ours=$(pss containerd-shim-gantry "$count")
theirs=$(pss containerd-shim-runc-v2 "$count")
row "shim of an idle container, PSS, $count running: at most" "$ours" 0.6 MB "<=1"
row "the same, against containerd's shim" "$ours" "$theirs" MB ">=1"
