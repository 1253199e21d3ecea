#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gantryd against Debian's containerd, each with containerd's own ctr or h2load in front: memory at rest,
# small calls, content through gRPC, and `ctr run --rm true`. bench/daemon.sh [ROUNDS [PARTS...]], of calls,
# content and run; all without PARTS.
. "$(dirname "$0")/functions.sh"
rounds=${1:-15}
parts=" ${*:2} "
wanted() { [ "$parts" = "  " ] || [[ $parts == *" $1 "* ]]; }
image=docker.io/library/busybox:latest
"$BENCH_TOP/scripts/mkimage.sh" "$work/busybox.tar" $image

gantry_config gantry 'services-local: { startup_delay = "1h"; };' # nothing refers to the blob that is written
"$BENCH_PREFIX/bin/gantryd" >"$work/gantryd.log" 2>&1 &
gantryd_pid=$!
pids+=($gantryd_pid)
OURS_SOCK=$FS/gantry/state/gantry.sock
OURS="/usr/bin/ctr --address $OURS_SOCK"
for i in $(seq 100); do $OURS version >/dev/null 2>&1 && break; sleep 0.1; done
containerd_start containerd
containerd_pid=${pids[-1]}
THEIRS_SOCK=$FS/containerd/containerd.sock

rss() { awk '/^VmRSS/ { printf "%.2f", $2 / 1024 }' "/proc/$1/status"; }
sleep 2
row "daemon, idle, default plugins, RSS" "$(rss $gantryd_pid)" 8 MB "<=1"
row "the same, against containerd without CRI" "$(rss $gantryd_pid)" "$(rss "$containerd_pid")" MB ">=3"

$OURS images import "$work/busybox.tar" >/dev/null
$PEER images import "$work/busybox.tar" >/dev/null

measure_calls() {
	# Requests as they go over the wire: a byte, a length of four, a message.
	printf '\0\0\0\0\0' >"$work/version"
	printf '\0\0\0\0\42\12\40%s' $image >"$work/get"
	calls() { # SOCKET BODY METHOD CLIENTS: microseconds a call where there is one client, else calls a second
		h2load -B "unix:$1" -H content-type:application/grpc -H te:trailers -H containerd-namespace:default \
			-d "$work/$2" -c "$4" -m 1 -n "${5:-40000}" "http://localhost/containerd.services.$3" >"$work/h2load" 2>&1
		grep -q ' 0 failed, 0 errored' "$work/h2load" || { cat "$work/h2load" >&2; exit 1; }
		awk -v c="$4" '/^finished/ { gsub(/[^0-9.]/, "", $4); print c == 1 ? 1e6 / $4 : $4 }' "$work/h2load"
	}
	for what in "version version.v1.Version/Version" "get images.v1.Images/Get"; do
		set -- $what
		calls "$OURS_SOCK" "$1" "$2" 1 5000 >/dev/null
		calls "$THEIRS_SOCK" "$1" "$2" 1 5000 >/dev/null
		o=() t=() os=() ts=()
		for i in 1 2 3 4 5; do
			o+=("$(calls "$OURS_SOCK" "$1" "$2" 1 20000)")
			t+=("$(calls "$THEIRS_SOCK" "$1" "$2" 1 20000)")
			os+=("$(calls "$OURS_SOCK" "$1" "$2" 32)")
			ts+=("$(calls "$THEIRS_SOCK" "$1" "$2" 32)")
		done
		row "${2##*.v1.}, 1 client" "$(median "${o[@]}")" "$(median "${t[@]}")" us ">=2"
		# calls a second: the time of a thousand, so that less is better
		row "${2##*.v1.}, 32 clients, a thousand calls" \
			"$(awk "BEGIN { print 1e6 / $(median "${os[@]}") }")" \
			"$(awk "BEGIN { print 1e6 / $(median "${ts[@]}") }")" ms ">=2"
	done
}
measure_content() {
	# 256 MB of content, in and out, through the same client.
	head -c 256M /dev/urandom >"$work/blob"
	digest=sha256:$(sha256sum <"$work/blob" | cut -d' ' -f1)
	ingest() { $1 content ingest --expected-digest "$digest" "$2" <"$work/blob"; }
	fetch() { $1 content get "$digest" >/dev/null; }
	gone() { $1 content rm "$digest"; }
	wo=() wt=() ro=() rt=()
	for i in 1 2 3; do
		wo+=("$(ms ingest "$OURS" "ref$i")")
		wt+=("$(ms ingest "$PEER" "ref$i")")
		# nothing refers to it: it shall not be collected meanwhile
		$OURS content label "$digest" containerd.io/gc.root=now >/dev/null
		$PEER content label "$digest" containerd.io/gc.root=now >/dev/null
		ro+=("$(ms fetch "$OURS")")
		rt+=("$(ms fetch "$PEER")")
		gone "$OURS" >/dev/null
		gone "$PEER" >/dev/null
	done
	row "content write, 256 MB, by ctr" "$(median "${wo[@]}")" "$(median "${wt[@]}")" ms ">=2"
	row "content read, 256 MB, by ctr" "$(median "${ro[@]}")" "$(median "${rt[@]}")" ms ">=2"
}
measure_run() {
	cgroups_one_version
	# What no daemon can take away: the programs alone. For the bundle a root that has the image, no daemon on it.
	gantry_config alone
	"$GCTR" images import "$work/busybox.tar" >/dev/null
	bundle_make /bin/true
	o=() t=() oc=() br=() bc=() cl=()
	for i in $(seq 0 "$rounds"); do
		a=$(ms $OURS run --rm $image "o$i" /bin/true)
		b=$(ms $PEER run --rm $image "t$i" /bin/true)
		c=$(ms $OURS run --rm --runc-binary crun $image "c$i" /bin/true)
		d=$(bare_ms runc "r$i")
		e=$(bare_ms crun "n$i")
		f=$(ms $OURS version)
		[ "$i" = 0 ] || { o+=("$a"); t+=("$b"); oc+=("$c"); br+=("$d"); bc+=("$e"); cl+=("$f"); }
	done
	row "run --rm true, runc in both" "$(median "${o[@]}")" "$(median "${t[@]}")" ms ">=1.7"
	row "run --rm true, crun in ours" "$(median "${oc[@]}")" "$(median "${t[@]}")" ms ">=3"
	echo "of these: create+start+delete by runc alone $(median "${br[@]}") ms, by crun alone $(median "${bc[@]}") ms," \
		"containerd's ctr with one call $(median "${cl[@]}") ms"
}
for part in calls content run; do
	! wanted $part || measure_$part
done
row "daemon after all that, RSS" "$(rss $gantryd_pid)" "$(rss "$containerd_pid")" MB ">=3"
