#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ctr run --rm IMG true`, with no daemon, against bare `runc create`, `start`, `delete` of the same bundle
# and against Debian's containerd with its own ctr. bench/run.sh [ROUNDS]
. "$(dirname "$0")/functions.sh"
rounds=${1:-20}
"$BENCH_TOP/scripts/mkimage.sh" "$work/busybox.tar" $image

gantry_config gantry
"$GCTR" images import "$work/busybox.tar" >/dev/null
containerd_start containerd
$PEER images import "$work/busybox.tar" >/dev/null

cgroups_one_version
bundle_make /bin/true
ours() { ms "$GCTR" run --rm --runc-binary "$1" $image "g$2" /bin/true; }
theirs() { ms $PEER run --rm $image "c$1" /bin/true; }

b=() o=() t=() oc=() bc=()
ours runc warm >/dev/null; theirs warm >/dev/null
for i in $(seq "$rounds"); do
	# In another order each time: what comes after what changes a figure by a fifth (cgroups that still go).
	for what in $(shuf -e bare ours theirs bare_crun ours_crun); do
		case $what in
		bare) b+=("$(bare_ms runc "r$i")") ;;
		ours) o+=("$(ours runc "$i")") ;;
		theirs) t+=("$(theirs "$i")") ;;
		bare_crun) bc+=("$(bare_ms crun "c$i")") ;;
		ours_crun) oc+=("$(ours crun "c$i")") ;;
		esac
	done
done
row "run --rm true, runc: against runc create+start+delete" "$(median "${o[@]}")" "$(median "${b[@]}")" ms "<=1.25"
row "run --rm true, runc: against containerd with runc" "$(median "${o[@]}")" "$(median "${t[@]}")" ms ">=1.7"
echo "crun create+start+delete alone takes $(median "${bc[@]}") ms here, runc's $(median "${b[@]}") ms"
row "run --rm true, crun: against containerd with runc" "$(median "${oc[@]}")" "$(median "${t[@]}")" ms ">=4"
