#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Events without a daemon: what other processes and the shims do, in one order, numbered, kept for who
# asks later, within bounds; lines as containerd's ctr prints them.
# crun refuses a machine where cgroup v2 is mounted beside v1: not there for this test.
if [ "$(id -u)" = 0 ] && [ -z "${GANTRY_TEST_APART:-}" ]; then
	export GANTRY_TEST_APART=1
	exec unshare -m sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec bash "$0"' "$0"
fi
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc crun containerd ctr python3
write_config 'services-local: { event_journal = "256KiB"; };'
make_image

"$ctr_program" events >"$work/all" 2>"$work/all-err" </dev/null &
all=$!
"$ctr_program" events --json "namespace==$ns,topic~=^/tasks/" >"$work/tasks" 2>&1 </dev/null &
tasks=$!
listening() { [ "$(ls -l /proc/"$all"/fd /proc/"$tasks"/fd 2>/dev/null | grep -c inotify)" -ge 2 ]; }
wait_for 20 listening || echo "Bail out! nobody listens"
try ctr images import "$image"
is "$status" 0 "import"

# --- one container, all that can be done to it -----------------------------------
do_all() { # CTR...
	"$@" ns create nn k=v a.b/c=d
	"$@" ns label nn k=w
	"$@" run -d --null-io --label l=1 "$image_name" e1 sleep 100
	"$@" tasks exec --exec-id x1 e1 sh -c 'exit 3'
	"$@" tasks pause e1
	"$@" tasks resume e1
	"$@" containers label e1 m=2
	"$@" tasks kill -s 9 e1
	sleep 1
	"$@" tasks rm e1
	"$@" containers rm e1
	"$@" images label "$image_name" x=y
	"$@" images tag "$image_name" a/b:c
	"$@" images rm --sync a/b:c
	"$@" ns rm nn
} >/dev/null 2>&1
do_all ctr
wait_for 20 grep -q '/namespaces/delete' "$work/all"
topics() { sed -nE 's/^[^/]* (\/[a-z-]+\/[a-z-]+) .*/\1/p' "$1" | grep -v '^/content/'; }
is "$(topics "$work/all" | tr '\n' ' ')" "/snapshot/prepare /snapshot/commit /images/create \
/namespaces/create /namespaces/update /snapshot/prepare /containers/create /tasks/create \
/tasks/start /tasks/exec-added /tasks/exec-started /tasks/exit /tasks/paused /tasks/resumed \
/containers/update /tasks/exit /tasks/delete /snapshot/remove /containers/delete /images/update \
/images/create /images/delete /namespaces/delete " "every topic, in order, of processes and shims"
like "$(grep /namespaces/create "$work/all")" '^20[0-9-]{8} [0-9:.]+ \+0000 UTC nn /namespaces/create \{"name":"nn","labels":\{"a.b/c":"d","k":"v"\}\}$' "the line is containerd's"

# --- the same commands on a real containerd: the same lines -----------------------
if start_containerd; then
	unset CONTAINERD_NAMESPACE
	command ctr --address "$work/cd/sock" events >"$work/theirs" 2>/dev/null &
	theirs=$!
	wait_for 20 sh -c "ls -l /proc/$theirs/fd | grep -q socket"
	sleep 0.5
	their_ctr images import "$image" >/dev/null 2>&1
	do_all their_ctr
	wait_for 20 grep -q '/namespaces/delete' "$work/theirs"
	kill "$theirs"
	stop_containerd
	export CONTAINERD_NAMESPACE=$ns
	plain() { # without times, pids, paths of this run, and what is only ours (2.x has it)
		sed -E -e 's/^[0-9-]+ [0-9:.]+ \+0000 UTC [^ ]+ //' -e 's/"pid":[0-9]+/"pid":N/' \
			-e 's/"exited_at":"20[0-9-]{8}T[0-9:.]+Z"/"exited_at":T/' \
			-e 's/extract-[0-9]+-[A-Za-z0-9_-]+/extract-N/g' \
			-e "s#$work/[a-z/]*io.containerd#P/io.containerd#g" -e "s#v2.task/[^/]*/#v2.task/NS/#" \
			-e 's#snapshots/[0-9]+/#snapshots/N/#g' "$1" | grep -v '^/content/' | grep -v '^/snapshot/'
	}
	# A digest in a spec is none in an event: all that is left must be equal.
	if d=$(diff <(plain "$work/theirs") <(plain "$work/all")); then pass "every line equals containerd's"
	else fail "every line equals containerd's" "$d"; fi
else
	skip_one "every line equals containerd's" "no containerd"
fi

# --- filters, JSON, numbers ---------------------------------------------------------
wait_for 20 grep -q '/tasks/delete' "$work/tasks"
is "$(jq -r .topic "$work/tasks" | tr '\n' ' ')" "/tasks/create /tasks/start /tasks/exec-added \
/tasks/exec-started /tasks/exit /tasks/paused /tasks/resumed /tasks/exit /tasks/delete " "--json, filtered"
is "$(jq -r 'select(.topic == "/tasks/exit") | .event.exit_status' "$work/tasks" | tr '\n' ' ')" "3 137 " "--json: the payload"
numbers() { ctr events --since 0 --no-follow --sequence "$@" | cut -d' ' -f1; }
is "$(numbers)" "$(seq "$(wc -l <"$work/all")")" "sequence numbers rise by one, from 1"
is "$(numbers 'event.name==nn' | wc -l)" 3 "a filter looks into payloads"
try ctr events 'topic=x'
is "$status" 1 "a bad filter"
middle=$(ctr events --since 0 --no-follow --json 'topic==/tasks/start' | jq -r '.sequence')
is "$(ctr events --since "$middle" --no-follow --json | jq -r .sequence | head -n 1)" $((middle + 1)) "--since NUMBER: what follows it"
at=$(ctr events --since 0 --no-follow --json 'topic==/tasks/start' | jq -r '.timestamp')
is "$(ctr events --since "$at" --no-follow --json | jq -r .sequence | head -n 1)" "$middle" "--since TIME"
is "$(ctr events --since 1h --no-follow | wc -l)" "$(wc -l <"$work/all")" "--since DURATION"
is "$(ctr events --since 0s --no-follow | wc -l)" 0 "--since now"
try ctr events --since yesterday
is "$status/$err" '1/ctr: "yesterday" is no moment: want a duration ("10m") or a time ("2026-01-02T15:04:05Z")' "--since nonsense"
try ctr --timeout 300ms events
is "$status" 1 "--timeout ends it"
kill -HUP "$tasks"
wait "$tasks"
is "$?" 129 "hung up: ends with the signal's number"

# --- many at once, with both runtimes: nothing lost, nothing out of order ------------
start=$(ctr events --since 0 --no-follow --json | tail -n 1 | jq .sequence)
runs=()
for i in $(seq 24); do
	binary=runc
	[ $((i % 2)) = 0 ] && binary=crun
	ctr run --rm --null-io --runc-binary "$binary" "$image_name" "m$i" true &
	runs+=($!)
	[ $((i % 8)) = 0 ] && wait "${runs[@]}"
done
wait "${runs[@]}"
ctr events --since "$start" --no-follow --json >"$work/many"
ok "24 runs, 8 at a time: each in its order, without a gap" python3 - "$work/many" "$start" <<-'PY'
	import json, sys
	lines = [json.loads(l) for l in open(sys.argv[1])]
	first = int(sys.argv[2]) + 1
	assert [l["sequence"] for l in lines] == list(range(first, first + len(lines)))
	want = ["/snapshot/prepare", "/containers/create", "/tasks/create", "/tasks/start",
	        "/tasks/exit", "/tasks/delete", "/snapshot/remove", "/containers/delete"]
	for i in range(1, 25):
	    name = f"m{i}"
	    got = [l["topic"] for l in lines if name in (l["event"].get(k) for k in ("id", "container_id", "key"))]
	    assert got == want, (name, got)
	PY
ok "who followed has seen the same" wait_for 20 sh -c "[ \$(wc -l <'$work/all') = $((start + 24 * 8)) ]"

# --- bounds ------------------------------------------------------------------------
for i in $(seq 30); do
	ctr ns create "b$i" "big=$(head -c 4000 /dev/zero | tr '\0' x)" &&
		ctr ns label "b$i" "big=$(head -c 4000 /dev/zero | tr '\0' y)" && ctr ns rm "b$i" >/dev/null
done
for i in $(seq 31 90); do ctr ns create "b$i" "big=$(head -c 4000 /dev/zero | tr '\0' x)"; done
ok "the journal stays within its bounds" test "$(cat "$work"/state/events* | wc -c)" -le $((2 * 256 * 1024))
ok "it has been rotated" test -e "$work/state/events.1"
last=$(ctr events --since 0 --no-follow --json | tail -n 1 | jq .sequence)
is "$last" $((start + 24 * 8 + 30 * 3 + 60)) "numbers go on"
wait_for 20 sh -c "[ \$(wc -l <'$work/all') = $last ]"
is "$(wc -l <"$work/all")" "$last" "who followed has missed nothing"
try ctr events --since 5 --no-follow
like "$err" 'events were overwritten' "what is not kept any more is told of"
kill "$all"
wait "$all"
is "$?/$(cat "$work/all-err")" "143/" "terminated: by the signal's number"
done_testing
