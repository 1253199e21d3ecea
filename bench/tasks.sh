#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is done to containers and tasks, with no daemon: create, start, wait and delete; exec; many at a time;
# the memory of shims; a long listing. Against bare runc and Debian's containerd with its own ctr.
# bench/tasks.sh [ROUNDS] [PARTS...]: of the parts one, exec, many and memory, all unless some are named.
. "$(dirname "$0")/functions.sh"
rounds=${1:-15}
parts=${*:2}
parts=${parts:-one exec many memory}
"$BENCH_TOP/scripts/mkimage.sh" "$work/busybox.tar" $image
gantry_config gantry
"$GCTR" images import "$work/busybox.tar" >/dev/null
containerd_start containerd
$PEER images import "$work/busybox.tar" >/dev/null
cgroups_one_version
bundle_make /bin/true

# Ends the containers of that prefix: all at once, as what is measured is not this.
ours_end() {
	seq "$2" | xargs -P 4 -I{} sh -c '"$0" tasks kill -s KILL "$1{}"; "$0" tasks delete -f "$1{}"
		"$0" containers delete "$1{}"' "$GCTR" "$1" >/dev/null 2>&1 || true
}
theirs_end() {
	seq "$2" | xargs -P 4 -I{} sh -c '$0 tasks kill -s KILL "$1{}"; $0 tasks delete -f "$1{}"
		$0 containers delete "$1{}"' "$PEER" "$1" >/dev/null 2>&1 || true
}

bench_one() {
	local i o=() b=()
	for i in $(seq "$rounds"); do
		b+=("$(bare_ms runc "o$i")")
		"$GCTR" containers create $image "o$i" /bin/true
		o+=("$(ms "$GCTR" tasks start "o$i")")
		"$GCTR" containers delete "o$i"
	done
	row "create, start, wait, delete: against runc alone" "$(median "${o[@]}")" "$(median "${b[@]}")" ms "<=1.25"
}

bench_exec() {
	local i o=() b=() t=()
	bundle_mount
	jq '.process.args = ["/bin/sleep", "1000"]' "$FS/bundle/config.json" >"$work/config.json"
	cp "$work/config.json" "$FS/bundle/config.json"
	runc --root "$FS/bare" run -d --bundle "$FS/bundle" exec </dev/null >/dev/null 2>&1
	"$GCTR" run -d --null-io $image e1 sleep 1000
	$PEER run -d --null-io $image e1 sleep 1000
	for i in $(seq "$rounds"); do
		b+=("$(ms runc --root "$FS/bare" exec exec /bin/true)")
		o+=("$(ms "$GCTR" tasks exec --exec-id "x$i" e1 /bin/true)")
		t+=("$(ms $PEER tasks exec --exec-id "x$i" e1 /bin/true)")
	done
	runc --root "$FS/bare" delete --force exec
	umount "$FS/bundle/rootfs"
	ours_end e 1
	theirs_end e 1
	row "exec true: against runc exec" "$(median "${o[@]}")" "$(median "${b[@]}")" ms "<=1.25"
	row "exec true: against containerd's ctr" "$(median "${o[@]}")" "$(median "${t[@]}")" ms ">=1.7"
}

# 100 containers, 8 at a time: COMMAND... is given PREFIX and a number.
many() {
	seq 100 | xargs -P 8 -I{} "${@:2}" "$1{}" sleep 1000
}
ours_many() { many "$1" "$GCTR" run -d --null-io --runc-binary "$1" $image; }
theirs_many() { many many $PEER run -d --null-io $image; }
# Bundles of their own, with a cgroup each, for a runtime program alone.
bare_bundles() {
	local i
	for i in $(seq 100); do
		mkdir -p "$FS/bare$i"
		jq --arg root "$FS/bundle/rootfs" --arg cgroup "/default/bare$i" '.root.path = $root |
			.linux.cgroupsPath = $cgroup | .process.args = ["/bin/sleep", "1000"]' \
			"$FS/bundle/config.json" >"$FS/bare$i/config.json"
	done
}
bare_many() {
	seq 100 | xargs -P 8 -I{} sh -c '"$0" --root "$1/bare" create --bundle "$1/bare$2" "bare$2" </dev/null \
		>/dev/null 2>&1 && "$0" --root "$1/bare" start "bare$2"' "$1" "$FS" {}
}
bare_end() { seq 100 | xargs -P 4 -I{} "$1" --root "$FS/bare" delete --force "bare{}" >"$work/out" 2>&1 || true; }

bench_many() {
	local i o=() oc=() t=() b=() bc=()
	bundle_mount
	bare_bundles
	for i in 1 2 3; do
		o+=("$(ms ours_many runc)"); ours_end runc 100
		t+=("$(ms theirs_many)"); theirs_end many 100
		oc+=("$(ms ours_many crun)"); ours_end crun 100
		b+=("$(ms bare_many runc)"); bare_end runc
		bc+=("$(ms bare_many crun)"); bare_end crun
	done
	umount "$FS/bundle/rootfs"
	echo "bare create and start: runc $(median "${b[@]}") ms, crun $(median "${bc[@]}") ms"
	row "100 containers, 8 at a time, runc: against containerd" "$(median "${o[@]}")" "$(median "${t[@]}")" ms ">=2"
	row "100 containers, 8 at a time, crun: against containerd" "$(median "${oc[@]}")" "$(median "${t[@]}")" ms ">=3"
}

bench_memory() {
	local i t=()
	seq 200 | xargs -P 4 -I{} "$GCTR" run -d --null-io --runc-binary crun $image "m{}" sleep 1000
	sleep 3 # as idle containers are
	row "shim, PSS per container, 200 running: at most" "$(pss containerd-shim-gantry 200)" 0.5 MB "<=1"
	for i in $(seq 15); do t+=("$(ms "$GCTR" tasks ls)"); done
	[ "$("$GCTR" tasks ls -q | wc -l)" = 200 ]
	row "ctr tasks ls, 200 running, no daemon: at most" "$(median "${t[@]}")" 40 ms "<=1"
	ours_end m 200
	for i in $(seq 10); do
		"$GCTR" run -d --null-io --annotation io.containerd.runc.v2.group=pod $image "p$i" sleep 1000
	done
	sleep 3 # as idle containers are
	row "shim, PSS per container, 10 share one: at most" "$(pss containerd-shim-gantry 10)" 0.1 MB "<=1"
	ours_end p 10
}

for part in $parts; do "bench_$part"; done
