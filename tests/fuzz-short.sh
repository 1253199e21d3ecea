#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each fuzz target over its kept corpus: every input whole, cut at each place, and with bits flipped.
set -u
n=0
for target in "$abs_top_builddir"/fuzz/fuzz-*; do
	case $target in *.o) continue ;; esac
	name=${target##*/fuzz-}
	n=$((n + 1))
	if out=$(timeout 120 "$target" "$abs_top_srcdir/fuzz/corpus/$name" 2>&1); then
		echo "ok $n - $name: $(echo "$out" | grep -c '^ok') inputs"
	else
		echo "not ok $n - $name"
		echo "$out" | tail -n 20 | sed 's/^/# /'
	fi
done
echo "1..$n"
