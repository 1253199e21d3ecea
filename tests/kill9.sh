#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of ctr at any moment loses no container and leaves nothing that the next commands cannot clean.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc python3
rounds=${KILL_ROUNDS:-40}
write_config
make_image
B=$image_name
ok "import" ctr images import "$image"

ok "a container that must outlive all this" ctr run -d --null-io "$B" keeper sleep 1000
# How long one takes here, in ms: the kills are spread over it.
took=$(python3 - "$ctr_program" "$B" <<'EOF'
import subprocess, sys, time
t = time.time()
subprocess.run([sys.argv[1], "run", "--rm", sys.argv[2], "probe", "/bin/true"], check=True)
print(int((time.time() - t) * 1000) + 20)
EOF
)
mounts_before=$(our_mounts | wc -l)
bad=
for i in $(seq "$rounds"); do
	delay=$((took * i / rounds))
	case $((i % 3)) in
	0) set -- run --rm "$B" "k$i" /bin/true ;;
	1) set -- run -d --null-io "$B" "k$i" sleep 1000 ;;
	2) set -- run --rm "$B" "k$i" sh -c 'sleep 0.05' ;;
	esac
	"$ctr_program" "$@" >/dev/null 2>&1 </dev/null &
	pid=$!
	sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	# What a user would do next: end it, whatever is there of it.
	ctr tasks kill -s KILL "k$i" >/dev/null 2>&1
	ctr tasks delete -f "k$i" >/dev/null 2>&1
	ctr containers delete "k$i" >/dev/null 2>&1
	ctr snapshots rm "k$i" >/dev/null 2>&1
	ctr run --rm "$B" "k$i" /bin/true >/dev/null 2>"$work/err" || bad="$bad k$i($(cat "$work/err"))"
done
is "$bad" "" "after each of $rounds kills the same name runs again"
try ctr tasks ls
like "$out" "keeper +[0-9]+ +RUNNING" "the other container runs on"
try ctr containers ls -q
is "$out" keeper "no container is left but that one"
try ctr tasks ls -q
is "$out" keeper "no task either"
is "$(our_mounts | wc -l)" "$mounts_before" "no mount is left"
is "$(find "$work/state" -path '*runtime.v2.task*' -name 'k[0-9]*' | head -n 3)" "" "no bundle is left"
is "$(find "$work/state/runc" -mindepth 2 -maxdepth 2 -name 'k[0-9]*' | head -n 3)" "" "runc knows of none"
is "$(find /sys/fs/cgroup -maxdepth 3 -path "*/$ns/k[0-9]*" -type d 2>/dev/null | head -n 3)" "" "no cgroup is left"
ok "the next command cleans up folders of snapshots" ctr snapshots ls
live=$(ctr snapshots ls | awk 'NR > 1 { print $1 }' | sort | paste -sd' ')
is "$(echo "$live" | tr ' ' '\n' | grep -c '^k[0-9]')" 0 "no snapshot of theirs is left"
shims=$(our_processes | while read -r p; do tr '\0' ' ' <"/proc/$p/cmdline"; echo; done | grep -c 'containerd-shim-gantry')
is "$shims" 1 "one shim is left: keeper's"

# In the middle of an import: the next import succeeds, and nothing is doubled.
for i in $(seq 10); do
	"$ctr_program" -n imp images import "$image" >/dev/null 2>&1 </dev/null &
	pid=$!
	sleep "0.0$((i - 1))"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
done
ok "import after ten that were killed" ctr -n imp images import "$image"
try ctr -n imp run --rm "$B" i1 echo whole
is "$status/$out" "0/whole" "and its image runs"
done_testing
