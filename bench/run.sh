#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ctr run --rm IMG true`, with no daemon, against bare `runc create`, `start`, `delete` of the same bundle
# and against Debian's containerd with its own ctr. bench/run.sh [ROUNDS]
. "$(dirname "$0")/functions.sh"
rounds=${1:-20}
image=docker.io/library/busybox:latest
"$BENCH_TOP/scripts/mkimage.sh" "$work/busybox.tar" $image

gantry_config gantry
"$GCTR" images import "$work/busybox.tar" >/dev/null
containerd_start containerd
$PEER images import "$work/busybox.tar" >/dev/null

# The bundle that Gantry makes, for runc alone: the same spec, on an overlay of the same layer.
"$GCTR" containers create $image spec /bin/true
mkdir -p "$FS/bundle/rootfs"
"$GCTR" containers info --spec spec >"$FS/bundle/config.json"
"$GCTR" containers delete spec
chain=$("$GCTR" snapshots ls | awk '$NF == "Committed" { print $1 }')
lower=$("$GCTR" snapshots view --mounts lower "$chain" | jq -r '.[0].Source')
bundle_mount() {
	rm -rf "$FS/upper" "$FS/work"
	mkdir "$FS/upper" "$FS/work"
	mount -t overlay -o "index=off,lowerdir=$lower,upperdir=$FS/upper,workdir=$FS/work" overlay "$FS/bundle/rootfs"
}

bare_ms() { # the three runs alone; the mount before, and the wait between, are not counted
	local a b c
	bundle_mount
	a=$(ms "$1" --root "$FS/bare" create --bundle "$FS/bundle" "b$2")
	b=$(ms "$1" --root "$FS/bare" start "b$2")
	while [ "$("$1" --root "$FS/bare" state "b$2" 2>/dev/null | jq -r .status)" = running ]; do :; done
	c=$(ms "$1" --root "$FS/bare" delete "b$2")
	umount "$FS/bundle/rootfs"
	awk "BEGIN { print $a + $b + $c }"
}
ours() { ms "$GCTR" run --rm --runc-binary "$1" $image "g$2" /bin/true; }
theirs() { ms $PEER run --rm $image "c$1" /bin/true; }

# crun refuses where a v2 hierarchy is mounted beside v1.
has_crun=1
if ! crun --root "$FS/probe" list >/dev/null 2>&1; then has_crun=; fi
[ -d /sys/fs/cgroup/unified ] && umount /sys/fs/cgroup/unified 2>/dev/null || true

b=() o=() t=() oc=() bc=()
ours runc warm >/dev/null; theirs warm >/dev/null
for i in $(seq "$rounds"); do
	b+=("$(bare_ms runc "r$i")")
	o+=("$(ours runc "$i")")
	t+=("$(theirs "$i")")
	if [ -n "$has_crun" ]; then
		bc+=("$(bare_ms crun "c$i")")
		oc+=("$(ours crun "c$i")")
	fi
done
row "run --rm true, runc: against runc create+start+delete" "$(median "${o[@]}")" "$(median "${b[@]}")" ms "<=1.25"
row "run --rm true, runc: against containerd with runc" "$(median "${o[@]}")" "$(median "${t[@]}")" ms ">=1.7"
if [ -n "$has_crun" ]; then
	echo "crun create+start+delete alone takes $(median "${bc[@]}") ms here, runc's $(median "${b[@]}") ms"
	row "run --rm true, crun: against containerd with runc" "$(median "${oc[@]}")" "$(median "${t[@]}")" ms ">=4"
fi
