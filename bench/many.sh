#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a daemon with much to do keeps to, by the long forms of tests that count: syncs of 64 writers of
# metadata, a restart under 300 containers, kills under churn.
#   many.sh [CONTAINERS [KILLS]]     BENCH_BUILD: the build tree (build-gcc)
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export abs_top_srcdir=$top abs_top_builddir=${BENCH_BUILD:-$top/build-gcc}
containers=${1:-300} kills=${2:-500}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# row NAME OURS UNIT MOST
row() {
	awk -v n="$1" -v o="$2" -v u="$3" -v m="$4" 'BEGIN {
		printf "%-58s ours %9.2f %s  reach <=%s  %s\n", n, o, u, m, o <= m ? "yes" : "NO" }'
}
run() { # TEST: into $out; what fails is shown
	bash "$top/tests/$1" >"$out" || true
	sed -n '/^not ok/p' "$out"
}

run metadata-commits.sh
# a commit syncs twice: its pages, and the page that makes them count
row "64 writers of metadata, syncs for an update" \
	"$(awk '/^# [0-9]+ syncs/ { print 2 * $2 / $5 }' "$out")" "" 0.25

MANY=$containers ANSWER_MS=200 ALL_MS=1000 run gantryd-many.sh
while read -r how answered has; do
	row "$containers containers, gantryd after $how: first call" "$answered" ms 200
	row "the same: all of them there" "$has" ms 1000
done < <(sed -nE 's/^# after (SIG[A-Z]+): .* answered after ([0-9]+) ms, .* after ([0-9]+) ms$/\1 \2 \3/p' "$out")

[ "$kills" = 0 ] || {
	ROUNDS=$kills WITHIN=1000 run daemon-kills.sh
	row "$kills kills under churn, longest until all are managed" \
		"$(sed -nE 's/^# the longest .*: ([0-9]+) ms;.*/\1/p' "$out")" ms 1000
}
