#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The 99th percentile of small calls beside a stopped shim, a proxy plugin that hangs, a silent registry and
# clients that do not read, and how many times that of a quiet daemon it is: tests/wedged.sh with more calls.
#   wedged.sh [CALLS]     BENCH_BUILD: the build tree (build-gcc)
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export abs_top_srcdir=$top abs_top_builddir=${BENCH_BUILD:-$top/build-gcc} WEDGED_CALLS=${1:-2000}
echo "method, median and 99th percentile in microseconds, times quiet"
bash "$top/tests/wedged.sh" | sed -n '/^not ok/p; s/^# //p'
