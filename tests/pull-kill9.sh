#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at any moment of a pull, from its first request to the naming: what is listed is whole, the next pull
# goes through, and once the dead ones' leases are gone the disk holds what it held. ROUNDS (default 15).
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root python3
python3 "$abs_top_srcdir/tests/registry.py" "$work/port" 2>/dev/null &
registry=$!
wait_for 20 test -s "$work/port" || { echo "Bail out! no registry"; exit 1; }
name=127.0.0.1:$(cat "$work/port")/ok:1
write_config 'resolver-http: { use_docker_config = false; hosts_dir = ""; };'
rounds=${ROUNDS:-15}

# Names of files and folders, without the numbers that grow.
disk() {
	find "$work/root" \( -path '*content*' -o -path '*snapshotter*' \) ! -name '*.mdb' ! -name '*.lock' -printf '%y %P\n' |
		sed -E 's#snapshots/[0-9]+#snapshots/N#' | sort
}
forget() {
	local l
	for l in $(ctr leases ls -q); do ctr leases rm "$l" >/dev/null; done
	ctr images rm "$name" >/dev/null 2>&1
	ctr system gc >/dev/null
}
try ctr images pull -q "$name"
is "$status/$err" 0/ "a pull"
forget
ctr images pull -q "$name"
forget
empty=$(disk)
begin=$(date +%s%N)
ctr images pull -q "$name"
took=$((($(date +%s%N) - begin) / 1000000))
forget
bad=
for i in $(seq "$rounds"); do
	"$ctr_program" images pull -q "$name" >"$work/out" 2>"$work/err" &
	pid=$!
	sleep "$(awk "BEGIN { printf \"%.3f\", $took * $i / $rounds / 1000 }")"
	kill -KILL "$pid" 2>/dev/null
	{ wait "$pid"; } 2>/dev/null
	[ "$(ctr images ls -q)" = "$(ctr images check -q)" ] || bad+=" $i:listed-but-not-whole"
	if ! ctr images pull -q "$name" 2>"$work/err" || [ "$(ctr images check -q)" != "$name" ]; then
		bad+=" $i:$(cat "$work/err")"
	fi
	[ -z "$(ctr content active | tail -n +2)" ] || bad+=" $i:ingest-left"
	forget
done
is "$bad" "" "killed at $rounds moments within $took ms: what is listed is whole, the next pull goes through"
is "$(disk)" "$empty" "without the leases the disk holds what it held"
kill "$registry"; wait "$registry" 2>/dev/null
done_testing
