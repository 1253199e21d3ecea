#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Peak of the resident memory while an image of 6 GiB, one of whose layers has 100,000 entries, is imported, and
# while it is pulled from a docker-registry: ctr, the largest of its workers, and all of them at once.
# bench/memory.sh [GIB [ENTRIES]], of the large file and the other layer.
BENCH_SIZE=${BENCH_SIZE:-40G}
. "$(dirname "$0")/functions.sh"
gib=${1:-4} entries=${2:-100000}
image=docker.io/library/huge:latest
python3 "$BENCH_TOP/bench/mkhuge.py" "$FS/huge.tar" "$gib" "$entries"
echo "archive: $(stat -c %s "$FS/huge.tar") bytes"
measure() { # WHAT COMMAND...
	local what=$1 own other together
	shift
	read -r own other together < <(python3 "$BENCH_TOP/bench/rss.py" "$@")
	[ "$("$GCTR" images check -q)" = "$image" ] || { echo "$what: not whole" >&2; exit 1; }
	row "$what: peak of ctr" "$own" 64 MB "<=1"
	row "$what: peak of its largest worker" "$other" 64 MB "<=1"
	row "$what: peak of all at once" "$together" 64 MB "<=3"
}
registry_start
for durability in full fast; do
	gantry_config import "durability = \"$durability\";" "resolver-http: { hosts_dir = \"$work/hosts\"; };"
	measure "import, $durability" "$GCTR" images import "$FS/huge.tar"
	[ $durability = full ] && "$GCTR" images push -q "$image"
	rm -rf "${FS:?}/import"
	gantry_config pull "durability = \"$durability\";" "resolver-http: { hosts_dir = \"$work/hosts\"; };"
	measure "pull, $durability" "$GCTR" images pull "$image"
	rm -rf "${FS:?}/pull"
done
