#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The suite for runtimes with the shims and runtime programs of others: Debian's shim, crun, and both.
set -eu
builddir=${abs_top_builddir:-$PWD}
module=$builddir/modules/runtime-runc.so
shims=("$builddir/containerd-shim-gantry-v1" /usr/bin/containerd-shim-runc-v2)
n=0

# run NAME OPTION...: the whole suite as one line of TAP, with its failures as comments.
run() {
	local name=$1 log status=0
	shift
	n=$((n + 1))
	log=$(mktemp)
	unshare --mount --propagation private sh -c \
		'[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"' \
		sh "$builddir/gantry-plugin-test" "$@" "$module" >"$log" 2>&1 || status=$?
	if [ "$status" = 0 ]; then
		echo "ok $n - $name: $(grep -c '^ok' "$log") tests"
	else
		echo "not ok $n - $name (status $status)"
		grep -A3 '^not ok\|^Bail' "$log" | sed 's/^/# /' | cut -c1-500
	fi
	rm -f "$log"
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP only root runs containers"
	exit 0
fi
for shim in "${shims[@]}"; do
	for runtime in runc crun; do
		name="${shim##*/} with $runtime"
		[ "$shim $runtime" != "${shims[0]} runc" ] || continue # what the conformance run has
		if ! [ -x "$shim" ]; then
			skip "$name" "not installed"
		elif ! command -v "$runtime" >/dev/null; then
			skip "$name" "no $runtime"
		else
			run "$name" --option "shim=$shim" --option "runtime=$runtime"
		fi
	done
done
echo "1..$n"
