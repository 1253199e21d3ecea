#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What gantryd has grown by after 1,000 pulls, runs and deletes by containerd's ctr, and Debian's containerd after
# as many beside it; and what an installation takes on disk. bench/growth.sh [CYCLES [WARM-UP]]
. "$(dirname "$0")/functions.sh"
cycles=${1:-1000} warm=${2:-100}
image=docker.io/library/busybox:latest

# All that is installed but what only a builder needs, stripped; the manual pages apart.
size_of() { # FOLDER: KiB, stripped
	local copy=$work/copy f
	rm -rf "$copy"
	cp -a "$1" "$copy"
	find "$copy" -type f \( -name '*.so*' -o -perm -100 \) | while read -r f; do strip --strip-unneeded "$f" 2>/dev/null || true; done
	find "$copy" -type f ! -name '*.h' ! -name '*.la' ! -name '*.a' ! -name '*.pc' ! -path '*/man/*' ! -path '*/doc/*' -printf '%s\n' |
		awk '{ s += $1 } END { printf "%.2f ", s / 1048576 }'
	find "$copy" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.2f\n", s / 1048576 }'
}
read -r programs everything < <(size_of "$BENCH_PREFIX")
row "installed, stripped: programs, plugins, libraries" "$programs" 4 MB "<=1"
row "the same with headers, manual pages, all of it" "$everything" 4 MB "<=2"

"$BENCH_TOP/scripts/mkimage.sh" "$work/busybox.tar" $image
registry_start
gantry_config push "resolver-http: { hosts_dir = \"$work/hosts\"; };"
"$GCTR" images import --no-unpack "$work/busybox.tar"
"$GCTR" images push -q $image
gantry_config gantry "resolver-http: { hosts_dir = \"$work/hosts\"; };"
"$BENCH_PREFIX/bin/gantryd" >"$work/gantryd.log" 2>&1 &
gantryd_pid=$!
pids+=($gantryd_pid)
OURS="/usr/bin/ctr --address $FS/gantry/state/gantry.sock"
for i in $(seq 100); do $OURS version >/dev/null 2>&1 && break; sleep 0.1; done
containerd_start containerd
containerd_pid=${pids[-1]}

cycle() { # CTR...: the image comes, a container runs, all of it goes
	"$@" images pull --hosts-dir "$work/hosts" $image
	"$@" run --rm $image c /bin/true
	"$@" images rm --sync $image
}
# Private memory: pages of files, which come as code is used, are no growth.
private() { awk '/^(RssAnon|RssShmem)/ { s += $2 } END { printf "%d", s }' "/proc/$1/status"; }
kept() { awk '/^Rss(Anon|File|Shmem)/ { s += $2 } END { printf "%d", s }' "/proc/$1/status"; }
grown() { # PID CTR...: sets $g (private) and $r (all), KiB
	local pid=$1 i a b
	shift
	for i in $(seq "$warm"); do cycle "$@" >/dev/null 2>&1; done
	sleep 12 # what idle threads hold is given back
	a=$(private "$pid") b=$(kept "$pid")
	for i in $(seq "$cycles"); do cycle "$@" >/dev/null 2>&1 || { echo "cycle $i" >&2; return 1; }; done
	sleep 12
	g=$(($(private "$pid") - a)) r=$(($(kept "$pid") - b))
}
grown $gantryd_pid $OURS
og=$g or=$r
if [ "${PEER_TOO:-1}" = 1 ]; then grown "$containerd_pid" $PEER; else g=none r=none; fi
row "growth after $cycles pulls, runs and deletes, private" "$og" 1024 KiB "<=1"
row "the same, RSS" "$or" 1024 KiB "<=1"
[ "$g" = none ] || echo "containerd's in this run: $g KiB private, $r KiB RSS"
echo "threads, descriptors of gantryd: $(ls /proc/$gantryd_pid/task | wc -l), $(ls /proc/$gantryd_pid/fd | wc -l)"
