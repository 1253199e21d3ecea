#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each fuzz target over its kept corpora: every input whole, and cut and with bits flipped for some seconds.
set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/gantry-test.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
cp -r "$abs_top_srcdir/fuzz/corpus/." "$work" && tar -C "$work" -xzf "$abs_top_srcdir/fuzz/corpora.tar.gz" ||
	{ echo "Bail out! the corpora cannot be unpacked"; exit 1; }
n=0
for target in "$abs_top_builddir"/fuzz/fuzz-*; do
	case $target in *.o) continue ;; esac
	name=${target##*/fuzz-}
	n=$((n + 1))
	if out=$(timeout 120 "$target" "$work/$name" 2>&1); then
		echo "ok $n - $name: $(echo "$out" | grep -c '^ok') inputs"
	else
		echo "not ok $n - $name"
		echo "$out" | tail -n 20 | sed 's/^/# /'
	fi
done
echo "1..$n"
