#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shim under a real containerd: containerd's own ctr runs containers with it.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc containerd python3
type -P ctr >/dev/null || skip_all "needs ctr"
make_image

export CONTAINERD_NAMESPACE=gantry-$$ # runc's state and the cgroups are named by it
export GANTRY_SHIM_SOCKET_DIR=$work/s
mkdir "$work/bin" "$work/fifo"
ln -s "$abs_top_builddir/containerd-shim-gantry-v1" "$work/bin/"
export PATH=$work/bin:$PATH
R="--runtime io.containerd.gantry.v1 --fifo-dir $work/fifo"
bundles=$work/cd/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE

# Whatever happens: what runc and the kernel keep outside of the test's folder.
end_all() {
	local id dir
	for id in $(their_ctr tasks ls -q 2>/dev/null); do
		timeout 20 "$(type -P ctr)" --address "$work/cd/sock" tasks rm -f "$id"
	done
	for id in $(runc --root "/run/containerd/runc/$CONTAINERD_NAMESPACE" list -q 2>/dev/null); do
		runc --root "/run/containerd/runc/$CONTAINERD_NAMESPACE" delete --force "$id"
	done
	rmdir "/run/containerd/runc/$CONTAINERD_NAMESPACE"
	find /sys/fs/cgroup -depth -type d -path "*/$CONTAINERD_NAMESPACE*" -exec rmdir {} +
} >/dev/null 2>&1
trap 'end_all; clean_up' EXIT

(write_config && mv "$GANTRY_CONFIG" "$work/ours.conf") # for our ctr, as a client
start_containerd || { echo "Bail out! no containerd"; exit 1; }
their_ctr images import "$image" >/dev/null || { echo "Bail out! no image"; exit 1; }
B=$image_name

# t ARGUMENTS...: containerd's ctr, with an end.
t() { timeout 60 "$(type -P ctr)" --address "$work/cd/sock" "$@"; }
status_is() { [ "$(t tasks ls | awk -v id="$1" '$1 == id { print $3 }')" = "$2" ]; }
shim_of() { # the process that serves the container whose bundle this is
	python3 -c 'import socket,struct,sys
s=socket.socket(socket.AF_UNIX); s.connect(open(sys.argv[1]).read()[7:])
print(struct.unpack("iii",s.getsockopt(socket.SOL_SOCKET,socket.SO_PEERCRED,12))[0])' "$bundles/$1/address"
}
call() { # ID METHOD FIELDS...: straight to the shim
	local id=$1
	shift
	timeout 60 python3 "$abs_top_srcdir/tests/shim_client.py" "$(sed 's|^unix://||' "$bundles/$id/address")" "$@"
}
removed() { # ID...: and nothing stays
	local id
	for id; do t tasks rm -f "$id" >/dev/null 2>&1; t containers rm "$id" >/dev/null 2>&1; done
}

# --- the program by itself -----------------------------------------------------
try "$work/bin/containerd-shim-gantry-v1" -v
like "$out" "^containerd-shim-gantry-v1:.*Version: +[0-9]" "-v"
try "$work/bin/containerd-shim-gantry-v1" --id=x start
is "$status/$err" "1/containerd-shim-gantry-v1: shim namespace cannot be empty" "no namespace"
try "$work/bin/containerd-shim-gantry-v1" --nope
is "$status/$err" "1/containerd-shim-gantry-v1: flag provided but not defined: -nope" "unknown flag"
try "$work/bin/containerd-shim-gantry-v1" -namespace "$CONTAINERD_NAMESPACE" -id nothing -bundle "$work/none" delete
is "$status" 0 "delete where nothing is left"
"$work/bin/containerd-shim-gantry-v1" -info </dev/null >"$work/out" 2>/dev/null
ok "-info names the runtime" grep -qa io.containerd.gantry.v1 "$work/out"

# --- run -----------------------------------------------------------------------
try t run --rm $R $B c1 echo hello
is "$status/$out" "0/hello" "run: output"
try t run --rm $R $B c1 sh -c 'echo out; echo err >&2; exit 7'
is "$status/$out" "7/out" "run: exit status"
like "$err" "err" "run: standard error"
t run --rm $R $B c1 sleep 1000 </dev/null &
run=$!
wait_for 10 status_is c1 RUNNING
t tasks kill -s KILL c1
wait $run
is "$?" 137 "run: ended by a signal"
printf 'line 1\nline 2\n' >"$work/in"
is "$(t run --rm $R $B c1 cat <"$work/in")" "$(cat "$work/in")" "run: standard input"
head -c 3000000 /dev/urandom >"$work/big"
# By our own ctr: containerd's loses the end of its input on a busy machine, with Debian's own shim too.
got=$(GANTRY_CONFIG=$work/ours.conf timeout 60 "$ctr_program" --address "$work/cd/sock" run --rm $R $B c1 cat <"$work/big" | sha256sum)
is "$got" "$(sha256sum <"$work/big")" "run: every byte there and back"
whole=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	[ "$(t run --rm $R $B "w$i" head -c 65536 /dev/zero </dev/null | wc -c)" = 65536 ] && whole=$((whole + 1))
done
is "$whole" 10 "64 KiB arrive whole, ten times of ten"
try t run --rm $R $B c1 /no/such/program
is "$status" 1 "run: no such program"
like "$err" "OCI runtime create failed: .*no such file or directory" "run: the runtime's own words"
is "$(ls "$bundles")" "" "no bundle is left"
is "$(grep -c " $work/cd/state" /proc/self/mountinfo)" 0 "no mount is left"
is "$(ls "$work/s")" "" "no socket is left"

# --- terminal ------------------------------------------------------------------
CT="$(type -P ctr) --address $work/cd/sock"
tty_run 'echo typed-$((6*7))\nstty size\nexit 5\n' $CT run --rm -t $R $B tty1 sh
like "$out" "typed-42" "terminal: what is typed arrives"
like "$out" "33 99" "terminal: its size"
is "$status" 5 "terminal: exit status"

# --- detached, exec ------------------------------------------------------------
try t run -d $R $B d1 sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
is "$status" 0 "run -d"
ok "it runs" wait_for 5 status_is d1 RUNNING
is "$(stat -c %a "$work/s")/$(stat -c %a "$work"/s/*)" "700/600" "modes of the sockets and their folder"
is "$(grep -c "@.*$work" /proc/net/unix)" 0 "no abstract socket"
shim=$(shim_of d1)
is "$(ls -l /proc/"$(t tasks ls | awk '$1 == "d1" { print $2 }')"/fd | awk 'NR > 1 { print $9 }' | sort -n | tr '\n' ' ')" "0 1 2 " \
	"the container has its own descriptors only"
try t tasks exec --fifo-dir "$work/fifo" --exec-id e1 d1 sh -c 'echo in; echo er >&2; exit 4'
is "$status/$out" "4/in" "exec: output and status"
try t tasks exec --fifo-dir "$work/fifo" --exec-id e2 d1 /no/such
like "$status $err" "^1 .*OCI runtime exec failed: .*no such file" "exec: no such program"
is "$(echo piped | t tasks exec --fifo-dir "$work/fifo" --exec-id e3 d1 cat)" piped "exec: standard input"
tty_run 'tty; stty size; exit 6\n' $CT tasks exec --fifo-dir "$work/fifo" -t --exec-id e4 d1 sh
like "$status $out" "^6 .*/dev/pts/.*33 99" "exec: terminal, of the size that was asked for before it started"
try t tasks exec --fifo-dir "$work/fifo" --exec-id e5 d1 sh -c 'sleep 30 & echo done'
is "$status/$out" "0/done" "exec: a child that keeps the output open is not waited for"
is "$(ls "$bundles/d1" | grep -c '^e[0-9]')" 0 "exec leaves no file"
for i in $(seq 20); do t tasks exec --fifo-dir "$work/fifo" --exec-id "p$i" d1 sh -c "echo $i" </dev/null >"$work/p$i" & pids="${pids-} $!"; done
wait $pids
is "$(cat "$work"/p[0-9]* | sort -n | tr '\n' ' ')" "$(seq -s ' ' 20) " "20 execs at once"
like "$(t tasks ps d1)" "PID +INFO" "ps"
like "$(t tasks metrics d1)" "memory.usage_in_bytes +[0-9]+|memory\.usage +[0-9]+" "metrics"

is "$(call d1 Update 1=d1 '2=any:types.containerd.io/opencontainers/runtime-spec/1/LinuxResources:{"pids":{"limit":66}}')" OK "update"
is "$(cat "/sys/fs/cgroup/pids/$CONTAINERD_NAMESPACE/d1/pids.max" 2>/dev/null || cat "/sys/fs/cgroup/$CONTAINERD_NAMESPACE/d1/pids.max")" 66 "its limit is what update said"

# --- errors, by containerd's table ---------------------------------------------
is "$(call d1 State 1=nope)" "5 container not created: not found" "unknown container"
is "$(call d1 State 1=d1 2=nope)" "5 process does not exist nope: not found" "unknown exec"
is "$(call d1 Start 1=d1)" "2 cannot start a running process" "start twice"
is "$(call d1 Delete 1=d1)" "2 cannot delete a running process" "delete while running"
is "$(call d1 Resume 1=d1)" "2 cannot resume a running process" "resume what runs"
like "$(call d1 Kill 1=d1 3=u:999)" "^2 unknown error after kill: runc did not terminate successfully: " "unknown signal"
like "$(call d1 Exec 1=d1 2=a/b 7=x)" "^3 " "exec id with a slash"
is "$(call d1 Connect 1=nope)" "OK 1=$shim" "connect to an unknown container"
is "$(call d1 Checkpoint2 1=d1)" "12 method Checkpoint2" "unknown method"
is "$(call d1 no.Service/X)" "12 service no.Service" "unknown service"
is "$(call d1 containerd.task.v3.Task/Connect 1=nope)" "OK 1=$shim" "the same by version 3"
is "$(call d1 Shutdown 1=d1)" "OK" "shutdown while a container is there"
ok "does nothing" status_is d1 RUNNING

# --- wait by several, kill ------------------------------------------------------
for i in 1 2 3 4; do call d1 Wait 1=d1 >"$work/wait$i" & waits="${waits-} $!"; done
sleep 0.5
t tasks kill -s TERM d1
wait $waits
is "$(cat "$work"/wait? | cut -d' ' -f1,2 | sort -u)" "OK 1=3" "four that wait hear the same end"
ok "it is stopped" wait_for 5 status_is d1 STOPPED
like "$(call d1 Wait 1=d1)" "^OK 1=3 2=" "wait for what has ended"
is "$(call d1 Kill 1=d1 3=u:9)" "5 process already finished: not found" "kill what has ended"
is "$(call d1 Pause 1=d1)" "2 cannot pause a stopped container" "pause what has ended"
is "$(call d1 Start 1=d1)" "2 cannot start a stopped process" "start what has ended"
is "$(call d1 Exec 1=d1 2=e9 7=)" "2 cannot exec in a stopped state" "exec in what has ended"
is "$(call d1 Pids 1=d1)" OK "pids of what has ended"
like "$(call d1 Stats 1=d1)" "^OK 1=" "stats of what has ended"
try t tasks rm d1
is "$status" 0 "delete"
like "$err" "exit with non-zero exit code 3" "delete tells the exit status"
t containers rm d1
ok "the shim has ended" wait_for 5 test ! -e "/proc/$shim"

# --- pause ---------------------------------------------------------------------
t run -d $R $B f1 sleep 1000 </dev/null
t tasks pause f1
ok "paused" status_is f1 PAUSED
is "$(call f1 Delete 1=f1)" "2 cannot delete a paused process" "delete while paused"
is "$(call f1 Exec 1=f1 2=e9 7=)" "2 cannot exec in a paused state" "exec while paused"
t tasks resume f1
ok "resumed" status_is f1 RUNNING
t tasks pause f1
t tasks kill -s KILL f1
ok "a paused task that is killed ends" wait_for 10 status_is f1 STOPPED
removed f1

# --- created only --------------------------------------------------------------
t containers create --runtime io.containerd.gantry.v1 $B n1 sleep 1000
is "$(ls "$bundles")" "" "a container without a task has no bundle"
removed n1

# --- a reader that stops, a reader that goes -------------------------------------
t run $R $B r1 sh -c 'while :; do echo 0123456789012345678901234567890123456789; done' >"$work/pipe.out" 2>&1 </dev/null &
reader=$!
wait_for 10 status_is r1 RUNNING
stopped=$(pgrep -P $reader -x ctr || echo $reader)
kill -STOP $stopped
before=$(awk '/^Rss/ { print $2 }' /proc/"$(shim_of r1)"/smaps_rollup)
t run -d $R $B r2 sleep 1000 </dev/null
is "$(t run --rm $R $B r3 echo alive)" alive "others go on beside a reader that does not read"
like "$(call r1 State 1=r1)" "^OK " "and its own shim answers"
after=$(awk '/^Rss/ { print $2 }' /proc/"$(shim_of r1)"/smaps_rollup)
ok "its memory does not grow ($before KiB, $after KiB)" test $((after - before)) -lt 200
kill -KILL $stopped
wait $reader 2>/dev/null
sleep 0.2
ok "the container outlives its reader" status_is r1 RUNNING
removed r1 r2

# --- output to files and programs ----------------------------------------------
try t run -d --log-uri "file://$work/logs/deep/out.log" $R $B l1 sh -c 'echo to-file; echo err-too >&2; sleep 1000'
is "$status" 0 "run --log-uri file://"
ok "the log has both" wait_for 5 grep -q err-too "$work/logs/deep/out.log"
ok "in order" test "$(cat "$work/logs/deep/out.log")" = "to-file
err-too"
removed l1
cat >"$work/logger" <<EOF2
#!/bin/sh
echo "\$@ \$CONTAINER_ID \$CONTAINER_NAMESPACE" >"$work/logger.args"
exec 5>&-
cat <&3 >"$work/logger.out"
EOF2
chmod +x "$work/logger"
try t run -d --log-uri "binary://$work/logger?key=value&flag" $R $B l2 sh -c 'echo to-program'
is "$status" 0 "run --log-uri binary://"
ok "it ends" wait_for 5 status_is l2 STOPPED
removed l2
is "$(cat "$work/logger.out")" to-program "the program has got all when the task is deleted"
is "$(cat "$work/logger.args")" "key value flag l2 $CONTAINERD_NAMESPACE" "its arguments and environment"

# --- the daemon goes and comes --------------------------------------------------
t run -d $R $B s1 sleep 1000 </dev/null
task=$(t tasks ls | awk '$1 == "s1" { print $2 }')
kill -KILL "$containerd_pid"
wait "$containerd_pid" 2>/dev/null
start_containerd
is "$(t tasks ls | awk '$1 == "s1" { print $2, $3 }')" "$task RUNNING" "a new daemon finds the task"
is "$(t tasks exec --fifo-dir "$work/fifo" --exec-id e1 s1 echo back </dev/null)" back "and can exec in it"
# What happens while nobody listens is told once somebody does.
t run -d $R $B s2 sleep 1000 </dev/null
t tasks exec --fifo-dir "$work/fifo" --detach --exec-id long s2 sleep 2000
xpid=$(t tasks ps s2 | awk '/long/ { print $1 }')
spid=$(t tasks ls | awk '$1 == "s2" { print $2 }')
kill -KILL "$containerd_pid"
wait "$containerd_pid" 2>/dev/null
kill -KILL "$xpid"
sleep 0.5
start_containerd
t events >"$work/events.late" 2>&1 &
events=$!
wait_for 15 grep -q '/tasks/exit .*"id":"long"' "$work/events.late"
sleep 1
is "$(grep -w s2 "$work/events.late" | grep -c '/tasks/exit .*"id":"long".*"exit_status":137')" 1 "an exit while the daemon was away is told, once"
pkill -P $events -x ctr 2>/dev/null
kill $events 2>/dev/null
is "$(t tasks ls | awk '$1 == "s2" { print $2, $3 }')" "$spid RUNNING" "and the task runs on"
removed s2
kill -KILL "$(shim_of s1)"
ok "a shim that is killed: its task is gone" wait_for 10 test -z "$(t tasks ls -q | grep s1)"
ok "and so is its process" wait_for 5 test ! -e "/proc/$task"
t containers rm s1

# --- one shim for a group --------------------------------------------------------
for i in 1 2 3 4 5 6 7 8 9 10; do
	t run -d --annotation io.containerd.runc.v2.group=pod $R $B "g$i" sleep 1000 </dev/null || echo "# g$i"
done 2>"$work/err"
if grep -q 'not defined: -annotation' "$work/err"; then # ctr 1.6: a spec of our own says it
	for i in 1 2 3 4 5 6 7 8 9 10; do
		t run -d $R $B tmpl sleep 1000 </dev/null
		python3 -c 'import json,sys
d=json.load(open(sys.argv[1])); d["annotations"]={"io.containerd.runc.v2.group":"pod"}
d["linux"]["cgroupsPath"]=sys.argv[2]; d["root"]["path"]=sys.argv[3]; json.dump(d,open(sys.argv[4],"w"))' \
			"$bundles/tmpl/config.json" "/$CONTAINERD_NAMESPACE/g$i" rootfs "$work/spec.json"
		removed tmpl
		mkdir -p "$work/rootfs/bin"
		cp "$(type -P busybox)" "$work/rootfs/bin/sleep"
		python3 -c 'import json,sys
d=json.load(open(sys.argv[1])); d["root"]["path"]=sys.argv[2]; json.dump(d,open(sys.argv[1],"w"))' "$work/spec.json" "$work/rootfs"
		t run -d --config "$work/spec.json" $R "g$i" </dev/null
	done
fi
is "$(for i in 1 2 3 4 5 6 7 8 9 10; do shim_of "g$i"; done | sort -u | wc -l)" 1 "ten containers of a group share one shim"
pss=$(awk '/^Pss:/ { print $2 }' /proc/"$(shim_of g1)"/smaps_rollup)
anon=$(awk '/^Pss_Anon:/ { print $2 }' /proc/"$(shim_of g1)"/smaps_rollup)
echo "# one shim of ten containers: PSS $pss KiB, of it $anon KiB its own"
removed g1 g2 g3
ok "the others go on when three are deleted" status_is g4 RUNNING
shim=$(shim_of g4)
removed g4 g5 g6 g7 g8 g9 g10
ok "the shim ends with the last" wait_for 5 test ! -e "/proc/$shim"

# --- out of memory ---------------------------------------------------------------
t events >"$work/events" 2>&1 &
events=$!
sleep 0.5
t run --rm --memory-limit 8388608 $R $B o1 sh -c 'tail /dev/zero' >/dev/null 2>&1 </dev/null
ok "a container that runs out of memory: the event says so" wait_for 5 grep -q '/tasks/oom .*o1' "$work/events"

# --- events ----------------------------------------------------------------------
t run --rm $R $B told true </dev/null
wait_for 5 grep -qw '/containers/delete .*told' "$work/events"
t run -d $R $B told2 sleep 1000 </dev/null
t tasks exec --fifo-dir "$work/fifo" --exec-id x1 told2 sh -c 'exit 3'
t tasks pause told2
t tasks resume told2
t tasks kill -s KILL told2
wait_for 5 status_is told2 STOPPED
removed told2
wait_for 5 grep -q '/containers/delete .*told2' "$work/events"
pkill -P $events -x ctr 2>/dev/null
kill $events 2>/dev/null
is "$(grep -w told2 "$work/events" | grep -o '/tasks/[a-z-]* ' | tr -d '\n')" \
	"/tasks/create /tasks/start /tasks/exec-added /tasks/exec-started /tasks/exit /tasks/paused /tasks/resumed /tasks/exit /tasks/delete " \
	"events of all topics, in order, none twice"
like "$(grep -w told2 "$work/events" | grep /tasks/exit | head -n 1)" '"id":"x1",.*"exit_status":3' "the first exit is the exec's"
is "$(grep -w told "$work/events" | grep -o '/[a-z]*/[a-z]* ' | grep -v snapshot | tr -d '\n')" \
	"/containers/create /tasks/create /tasks/start /tasks/exit /tasks/delete /containers/delete " "events of a run, in order"

# --- memory ----------------------------------------------------------------------
for i in $(seq 20); do t run -d $R $B "m$i" sleep 1000 </dev/null; done
sleep 1
total=0 most=0
for i in $(seq 20); do
	pss=$(awk '/^Pss:/ { print $2 }' /proc/"$(shim_of "m$i")"/smaps_rollup)
	total=$((total + pss))
	[ "$pss" -gt "$most" ] && most=$pss
done
echo "# 20 idle shims: PSS $((total / 20)) KiB each, at most $most KiB"
if [ "$(readelf -d "$abs_top_builddir/containerd-shim-gantry-v1" 2>/dev/null | grep -c NEEDED)" = 0 ]; then
	ok "an idle shim of twenty takes no more than 0.3 MB" test $((total / 20)) -le 300
else
	skip_one "an idle shim of twenty takes no more than 0.3 MB" "not linked statically"
fi
removed $(seq -f m%g 20)
is "$(t tasks ls -q)" "" "no task is left"
is "$(ls "$bundles" "$work/s")" "$bundles:

$work/s:" "no bundle and no socket is left"
is "$(grep -c " $work/cd/state" /proc/self/mountinfo)" 0 "no mount is left at the end"
done_testing
