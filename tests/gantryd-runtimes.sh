#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What stands behind gantryd: Debian's containerd-shim-runc-v2 (plugins/runtime-shim), and gVisor's runsc
# as the runtime program of Gantry's shim. In front is containerd's ctr, and ours.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc runsc containerd containerd-shim-runc-v2 python3 jq
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
make_image
B=$image_name
clients="g_ctr ctr"
status_is() { [ "$(g_ctr tasks ls | awk -v id="$1" '$1 == id { print $3 }')" = "$2" ]; }
pid_of() { g_ctr tasks ls | awk -v id="$1" '$1 == id { print $2 }'; }
# containerd's ctr tells the end of its input to a task that it may not have made yet
slowly() { printf "a\nb\n"; sleep 2; }
gone() { [ ! -e "/proc/$1" ]; }
tty_of() { # CLIENT: the same as a program, for a terminal
	if [ "$1" = ctr ]; then echo "$ctr_program"; else echo "/usr/bin/ctr --address $gantryd_socket"; fi
}

# --- containerd-shim-runc-v2 -----------------------------------------------------------
write_config 'active: { runtimes = [ "runtime-shim" ]; };'
bundles=$work/state/io.containerd.runtime.v2.shim/$ns
start_gantryd || { tail "$work/gantryd.log"; echo "Bail out! gantryd does not serve"; exit 1; }
ok "import" g_ctr images import "$image"
shim_of() { # PID: the program behind a container's shim
	basename "$(readlink "/proc/$(awk '/^PPid/ { print $2 }' "/proc/$1/status")/exe")"
}
for c in $clients; do
	try $c run --rm $B c1 sh -c 'echo out; echo err >&2; exit 7'
	is "$status/$out/$err" "7/out/err" "$c run: both outputs and the exit status"
	is "$(slowly | $c run --rm $B c1 cat)" "a
b" "$c run: standard input"
	tty_run 'sleep 1; stty size\nexit 5\n' $(tty_of $c) run --rm -t $B c1 sh
	like "$status/$out" "^5/.*33 99" "$c run -t: a terminal, resized"
	try $c run --rm $B c1 /no/such/program
	like "$status $err" "^1 .*no such file" "$c run: no such program"
	try $c run -d --null-io $B d1 sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	is "$status" 0 "$c run -d"
	ok "it runs" wait_for 10 status_is d1 RUNNING
	pid=$(pid_of d1)
	is "$(shim_of "$pid")" containerd-shim-runc-v2 "in Debian's shim"
	try $c tasks exec --exec-id e1 d1 sh -c 'echo in; echo er >&2; exit 4'
	is "$status/$out/$err" "4/in/er" "$c exec"
	is "$({ echo piped; sleep 1; } | $c tasks exec --exec-id e2 d1 cat)" piped "$c exec: standard input"
	tty_run 'sleep 1; stty size; exit 6\n' $(tty_of $c) tasks exec -t --exec-id e3 d1 sh
	like "$status $out" "^6 .*33 99" "$c exec -t: a terminal, resized"
	like "$($c tasks ps d1)" "PID +INFO.*$pid" "$c ps"
	like "$($c tasks metrics d1)" "memory.usage_in_bytes +[0-9]+|memory\.usage +[0-9]+" "$c metrics"
	ok "$c pause" $c tasks pause d1
	ok "it is paused" status_is d1 PAUSED
	ok "$c resume" $c tasks resume d1
	ok "it runs on" status_is d1 RUNNING
	# waited for by several clients at once, of both kinds
	waits=
	for i in 1 2 3; do
		g_ctr tasks attach d1 >/dev/null 2>&1 </dev/null &
		waits+=" $!"
		"$ctr_program" tasks attach d1 >/dev/null 2>&1 </dev/null &
		waits+=" $!"
	done
	sleep 1
	ok "$c kill" $c tasks kill -s TERM d1
	n_3=0
	for w in $waits; do
		wait "$w"
		[ $? = 3 ] && n_3=$((n_3 + 1))
	done
	is "$n_3" 6 "each of six clients that wait has the exit status"
	ok "who attaches deletes the task at its end" wait_for 10 status_is d1 ""
	try $c containers rm d1
	is "$status/$(ls "$bundles" 2>/dev/null)" "0/" "$c containers rm: no bundle is left"
done

# Resources of a running task: the API's Update, as dockerd and the kubelet send it.
g_ctr run -d --null-io --memory-limit 67108864 $B u1 sleep 1000
limit() { cat /sys/fs/cgroup/memory/"$ns"/u1/memory.limit_in_bytes /sys/fs/cgroup/"$ns"/u1/memory.max 2>/dev/null; }
is "$(limit)" 67108864 "the limit that it was made with"
update() { # ID LIMIT
	PYTHONPATH=$abs_top_srcdir/tests python3 - "$gantryd_socket" "$ns" "$@" <<'EOT'
import sys
from grpc_client import Client, proto
path, ns, task, limit = sys.argv[1:]
resources = proto((1, b"types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"),
                  (2, b'{"memory":{"limit":%s,"swap":%s}}' % (limit.encode(), limit.encode())))
answer = Client(path, ns.encode()).call(b"/containerd.services.tasks.v1.Tasks/Update",
                                        proto((1, task.encode()), (2, resources)))
sys.exit(answer is None)
EOT
}
ok "update" update u1 33554432
is "$(limit)" 33554432 "the limit is in force"

# The daemon is killed, and ends well, under it.
for signal in KILL TERM; do
	pid=$(pid_of u1)
	end_gantryd $signal
	ok "SIG$signal: the task runs on" test -e "/proc/$pid"
	start_gantryd
	is "$(pid_of u1) $(g_ctr tasks ls | awk '$1 == "u1" { print $3 }')" "$pid RUNNING" "the next daemon has it"
	is "$(ctr tasks exec --exec-id e1 u1 echo back </dev/null)" back "and can exec in it"
	tty_run 'exit 6\n' $(tty_of g_ctr) tasks exec -t --exec-id e3 u1 sh
	is "$status" 6 "with a terminal, too"
done
g_ctr events >"$work/events" 2>&1 &
events_pid=$!
sleep 1
g_ctr tasks kill -s KILL u1
ok "its end is told" wait_for 10 grep -q '/tasks/exit.*"u1"' "$work/events"
kill $events_pid
wait $events_pid 2>/dev/null
g_ctr tasks rm u1 2>/dev/null
g_ctr containers rm u1
is "$(ls "$bundles")" "" "no bundle is left"
end_gantryd
is "$status" 0 "gantryd ends"

# --- runsc -----------------------------------------------------------------------------------
printf '#!/bin/sh\nexec runsc --platform=ptrace --network=none --ignore-cgroups "$@"\n' >"$work/runsc"
chmod +x "$work/runsc"
write_config
start_gantryd
for c in $clients; do
	R="run --runc-binary $work/runsc"
	try $c $R --rm $B v1 sh -c 'echo out; echo err >&2; exit 7'
	is "$status/$out/$err" "7/out/err" "$c: runsc run: both outputs and the exit status"
	like "$($c $R --rm $B v1 dmesg </dev/null)" "gVisor" "$c: it is gVisor's kernel"
	is "$(slowly | $c $R --rm $B v1 cat)" "a
b" "$c: runsc run: standard input"
	try $c $R -d --null-io $B v2 sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	is "$status" 0 "$c: runsc run -d"
	ok "it runs" wait_for 20 status_is v2 RUNNING
	pid=$(pid_of v2)
	try $c tasks exec --exec-id e1 v2 sh -c 'echo in; echo er >&2; exit 4'
	is "$status/$out/$err" "4/in/er" "$c: runsc exec"
	is "$({ echo piped; sleep 1; } | $c tasks exec --exec-id e2 v2 cat)" piped "$c: runsc exec: standard input"
	tty_run 'exit 6\n' $(tty_of $c) tasks exec -t --exec-id e3 v2 sh
	is "$status" 6 "$c: runsc exec -t"
	$c tasks kill -s TERM v2
	ok "$c: kill" wait_for 20 status_is v2 STOPPED
	try $c tasks rm v2
	like "$err" "exit with non-zero exit code 3" "$c: its exit status"
	ok "its sandbox is gone" wait_for 20 gone "$pid"
	try $c containers rm v2
	is "$status" 0 "$c: containers rm"
done
g_ctr run --runc-binary "$work/runsc" -d --null-io $B v3 sleep 1000
pid=$(pid_of v3)
end_gantryd KILL
start_gantryd
is "$(pid_of v3)" "$pid" "runsc: found again after the daemon's death"
is "$(g_ctr tasks exec --exec-id e1 v3 echo back </dev/null)" back "and can exec in it"
g_ctr tasks rm -f v3 >/dev/null 2>&1
g_ctr containers rm v3
ok "its sandbox is gone" wait_for 20 gone "$pid"
is "$(g_ctr tasks ls -q)$(g_ctr containers ls -q)" "" "nothing is left"
end_gantryd
# the configuration may say so, too
write_config
sed -i "s|^runtime-runc: {|& runtime = \"$work/runsc\";|" "$GANTRY_CONFIG"
like "$(ctr run --rm $B v4 dmesg </dev/null)" "gVisor" "runsc by configuration"
is "$(our_mounts)" "" "no mount is left"
is "$(find "$work/state" -mindepth 3 -maxdepth 3 -path '*runtime.v2*')" "" "no bundle is left"
done_testing
