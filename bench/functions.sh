# SPDX-License-Identifier: Apache-2.0
# What the benches share. Source it first: the script runs again in a mount namespace of its own, with a
# fresh ext4 in a loop device at $FS, and everything it started and mounted is gone at its end.
#   BENCH_PREFIX  where Gantry is installed (default: build-gcc/prefix, built by scripts/test.sh)
#   BENCH_SIZE    of the file system (default 8G)    BENCH_DIR  where its file lies (default /var/tmp)
set -euo pipefail
BENCH_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BENCH_PREFIX=${BENCH_PREFIX:-$BENCH_TOP/build-gcc/prefix}
GCTR=$BENCH_PREFIX/bin/ctr
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

# containerd_start NAME: Debian's containerd with a root of its own; sets PEER, the command of its ctr.
containerd_start() {
	local name=$1 i
	cat >"$work/$name.toml" <<EOF
version = 2
root = "$FS/$name/root"
state = "$FS/$name/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$FS/$name/containerd.sock"
EOF
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

# ms COMMAND...: its wall time in milliseconds; output goes to $work/out, a failure ends the bench.
ms() {
	local begin end
	begin=$(date +%s%N)
	"$@" >"$work/out" 2>&1 || { echo "${0##*/}: $* failed:" >&2; tail -n 5 "$work/out" >&2; exit 1; }
	end=$(date +%s%N)
	awk "BEGIN { printf \"%.2f\", ($end - $begin) / 1e6 }"
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
