#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at any moment of a pull, from its first request to the naming: what is listed is whole, the next pull
# goes through, and once the dead ones' leases are gone the disk holds what it held; the same in the middle of
# unpacking, of a collection, and where the dead one's lease runs out by itself. ROUNDS (default 15).
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

# --- in the middle of a collection
bad=
for i in $(seq "$rounds"); do
	ctr images pull -q "$name"
	ctr images rm "$name" >/dev/null
	"$ctr_program" system gc >"$work/out" 2>&1 &
	pid=$!
	sleep "$(awk "BEGIN { printf \"%.3f\", 0.03 * $i / $rounds }")"
	kill -KILL "$pid" 2>/dev/null
	{ wait "$pid"; } 2>/dev/null
	if ! ctr images pull -q "$name" 2>"$work/err" || [ "$(ctr images check -q)" != "$name" ]; then
		bad+=" $i:$(cat "$work/err")"
	fi
	for d in $(ctr content ls -q); do
		[ "sha256:$(ctr content get "$d" | sha256sum | cut -d' ' -f1)" = "$d" ] || bad+=" $i:$d"
	done
	forget
done
is "$bad" "" "a collection is killed at $rounds moments: every blob re-hashes right, the next pull goes through"
is "$(disk)" "$empty" "the next collection brings the disk to what it held"

# --- in the middle of unpacking: the worker has begun, and waits
cat >"$work/worker" <<END
#!/bin/sh
touch "$work/unpacking"
while [ ! -e "$work/go" ] && kill -0 \$PPID 2>/dev/null; do sleep 0.05; done
exec "$(built gantry-layer)" "\$@"
END
chmod 755 "$work/worker"
sed "s#^differ-archive: .*#differ-archive: { worker = \"$work/worker\"; };#" "$GANTRY_CONFIG" >"$work/slow.conf"
GANTRY_CONFIG=$work/slow.conf "$ctr_program" images pull -q "$name" >"$work/out" 2>"$work/err" &
pid=$!
ok "a pull that unpacks" wait_for 30 test -e "$work/unpacking"
kill -KILL "$pid"
{ wait "$pid"; } 2>/dev/null
touch "$work/go"
is "$(ctr images ls -q)" "" "killed there: no image"
like "$(ctr snapshots ls)" "extract-" "the snapshot that it has begun is left"
like "$(ctr leases ls)" "containerd.io/gc.expire=" "to its lease"

# --- and when that runs out: the disk use is what it was before
cat >"$work/later.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
	int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(id, t);
	if (id == CLOCK_REALTIME)
		t->tv_sec += 25 * 3600;
	return r;
}
time_t time(time_t *t)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}
END
if cc -shared -fPIC -o "$work/later.so" "$work/later.c" -ldl 2>"$work/err"; then
	try ctr system gc
	like "$status/$(ctr snapshots ls)" "^0/.*extract-" "a collection leaves that until then"
	LD_PRELOAD=$work/later.so "$ctr_program" system gc >"$work/out" 2>"$work/err"
	is "$?/$(cat "$work/err")" "0/" "a day later"
	is "$(ctr leases ls -q)$(ctr content ls -q)$(ctr snapshots ls | tail -n +2)" "" "all of it goes"
	is "$(disk)" "$empty" "and the disk holds what it held"
else
	skip_one "a day later" "no C compiler here"
fi
ok "the next pull goes through" ctr images pull -q "$name"
forget
kill "$registry"; wait "$registry" 2>/dev/null
done_testing
