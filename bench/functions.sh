# SPDX-License-Identifier: Apache-2.0
# What the benches share. Source it first: the script runs again in a mount namespace of its own, with a
# fresh ext4 in a loop device at $FS, and everything it started and mounted is gone at its end.
#   BENCH_PREFIX  where Gantry is installed (default: build-gcc/prefix, built by scripts/test.sh)
#   BENCH_SIZE    of the file system (default 8G)    BENCH_DIR  where its file lies (default /var/tmp)
set -euo pipefail
BENCH_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BENCH_PREFIX=${BENCH_PREFIX:-$BENCH_TOP/build-gcc/prefix}
GCTR=$BENCH_PREFIX/bin/ctr
image=docker.io/library/busybox:latest
if [ -z "${BENCH_INSIDE:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "${0##*/}: must run as root" >&2; exit 1; }
	[ -x "$GCTR" ] || { echo "${0##*/}: no $GCTR: set BENCH_PREFIX" >&2; exit 1; }
	export BENCH_INSIDE=1 BENCH_PREFIX
	exec unshare --mount --propagation private bash "$0" "$@"
fi
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/gantry-bench.XXXXXX")
pids=()
bench_end() {
	local status=$? p
	set +e
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done
	umount -R "$work/fs" 2>/dev/null || umount -R -l "$work/fs" 2>/dev/null
	rm -rf --one-file-system "$work"
	exit $status
}
trap bench_end EXIT
trap 'exit 130' INT TERM
FS=$work/fs
truncate -s "${BENCH_SIZE:-8G}" "$work/image"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$work/image"
mkdir "$FS"
mount -o loop "$work/image" "$FS"

# gantry_config NAME [SETTINGS...]: a root of its own; sets GANTRY_CONFIG.
gantry_config() {
	local name=$1
	shift
	export GANTRY_CONFIG=$work/$name.conf
	{
		printf 'root = "%s/%s/root";\nstate = "%s/%s/state";\n' "$FS" "$name" "$FS" "$name"
		printf '%s\n' "$@"
	} >"$GANTRY_CONFIG"
	mkdir -p "$FS/$name"
}

# containerd_start NAME [LINES...]: Debian's containerd with a root of its own and these lines in its
# configuration; sets PEER, the command of its ctr.
containerd_start() {
	local name=$1 i
	shift
	cat >"$work/$name.toml" <<EOF
version = 2
root = "$FS/$name/root"
state = "$FS/$name/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$FS/$name/containerd.sock"
EOF
	printf '%s\n' "$@" >>"$work/$name.toml"
	mkdir -p "$FS/$name"
	containerd --config "$work/$name.toml" >"$work/$name.log" 2>&1 &
	pids+=($!)
	PEER="/usr/bin/ctr --address $FS/$name/containerd.sock"
	for i in $(seq 100); do
		$PEER version >/dev/null 2>&1 && return
		sleep 0.1
	done
	tail -n 5 "$work/$name.log" >&2
	return 1
}

# registry_start: a docker-registry that serves as docker.io where $work/hosts is the folder of hosts.
registry_start() {
	local port
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	cat >"$work/registry.yml" <<EOF
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $work/registry } }
http: { addr: 127.0.0.1:$port }
EOF
	docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
	pids+=($!)
	mkdir -p "$work/hosts/docker.io"
	# containerd 1.6 wants a table of a host
	printf 'server = "http://127.0.0.1:%s"\n[host."http://127.0.0.1:%s"]\n  capabilities = ["pull", "resolve", "push"]\n' \
		"$port" "$port" >"$work/hosts/docker.io/hosts.toml"
}

# ms COMMAND...: its wall time in milliseconds; output goes to $work/out, a failure ends the bench. No program
# is started between the two looks at the clock but the command.
ms() {
	local begin=${EPOCHREALTIME/./} end
	"$@" >"$work/out" 2>&1 || { echo "${0##*/}: $* failed:" >&2; tail -n 5 "$work/out" >&2; exit 1; }
	end=${EPOCHREALTIME/./}
	printf '%d.%03d' $(((end - begin) / 1000)) $(((end - begin) % 1000))
}

# median NUMBER...
median() {
	printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# row NAME OURS THEIRS UNIT REACH: prints "theirs / ours" and whether it reaches. REACH is ">=N" or "<=N".
row() {
	awk -v n="$1" -v o="$2" -v t="$3" -v u="$4" -v r="$5" 'BEGIN {
		want = substr(r, 3) + 0
		# ">=": so many times faster than the peer; "<=": at most so many times the reference.
		ratio = substr(r, 1, 2) == ">=" ? t / o : o / t
		good = substr(r, 1, 2) == ">=" ? ratio >= want : ratio <= want
		printf "%-58s ours %9.2f %s  reference %9.2f %s  ratio %5.2f  reach %s  %s\n",
			n, o, u, t, u, ratio, r, good ? "yes" : "NO"
	}'
}

# Has one version of cgroups in this mount namespace: crun refuses where v2 is mounted beside v1.
cgroups_one_version() {
	[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified 2>/dev/null || true
}

# bundle_make COMMAND: the bundle that Gantry makes, for a runtime program alone: the same spec, on an overlay
# of the same layer.
bundle_make() {
	local chain
	"$GCTR" containers create $image spec "$@"
	mkdir -p "$FS/bundle/rootfs"
	"$GCTR" containers info --spec spec >"$FS/bundle/config.json"
	"$GCTR" containers delete spec
	chain=$("$GCTR" snapshots ls | awk '$NF == "Committed" { print $1 }')
	lower=$("$GCTR" snapshots view --mounts lower "$chain" | jq -r '.[0].Source')
}
bundle_mount() {
	rm -rf "$FS/upper" "$FS/work"
	mkdir "$FS/upper" "$FS/work"
	mount -t overlay -o "index=off,lowerdir=$lower,upperdir=$FS/upper,workdir=$FS/work" overlay "$FS/bundle/rootfs"
}

# bare_ms RUNTIME NAME: create, start, delete alone; the mount before, and the wait between, are not counted.
bare_ms() {
	local a b c pid state
	bundle_mount
	a=$(ms "$1" --root "$FS/bare" create --bundle "$FS/bundle" --pid-file "$work/pid" "b$2")
	b=$(ms "$1" --root "$FS/bare" start "b$2")
	pid=$(cat "$work/pid")
	while read -r _ _ state _ 2>/dev/null <"/proc/$pid/stat" && [ "$state" != Z ]; do :; done
	c=$(ms "$1" --root "$FS/bare" delete "b$2")
	umount "$FS/bundle/rootfs"
	awk "BEGIN { print $a + $b + $c }"
}

# pss PROGRAM CONTAINERS: megabytes of PSS of all its processes whose working folder lies below $FS, by
# container.
pss() {
	local p sum=0 kb
	for p in $(pgrep -f "$1"); do
		case $(readlink "/proc/$p/cwd") in "$FS"/*) ;; *) continue ;; esac
		kb=$(awk '/^Pss:/ { print $2 }' "/proc/$p/smaps_rollup")
		sum=$((sum + kb))
	done
	[ "$sum" -gt 0 ] || { echo "no process $1" >&2; return 1; }
	awk "BEGIN { printf \"%.3f\", $sum / $2 / 1024 }"
}
