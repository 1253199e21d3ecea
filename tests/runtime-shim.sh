#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers in the shims of others: Debian's containerd-shim-runc-v2, driven by plugins/runtime-shim.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc python3 containerd-shim-runc-v2
make_image
write_config 'active: { runtimes = [ "runtime-shim" ]; };'
B=$image_name
bundles=$work/state/io.containerd.runtime.v2.shim/$ns
ok "import" ctr images import "$image"

status_is() { [ "$(ctr tasks ls | awk -v id="$1" '$1 == id { print $3 }')" = "$2" ]; }
pid_of() { ctr tasks ls | awk -v id="$1" '$1 == id { print $2 }'; }
shims_of() { # ID: processes that serve it
	local f
	for f in /proc/[0-9]*/cmdline; do
		tr '\0' ' ' <"$f" | grep -q "^[^ ]*containerd-shim-[^ ]* -namespace $ns .*-id $1 " && echo "${f//[!0-9]/}"
	done 2>/dev/null
}

# --- run -------------------------------------------------------------------------
try ctr run --rm $B c1 sh -c 'echo out; echo err >&2; exit 7'
is "$status/$out/$err" "7/out/err" "run: both outputs and the exit status"
is "$(printf 'a\nb\n' | ctr run --rm $B c1 cat)" "a
b" "run: standard input"
is "$(ctr run --rm $B c1 head -c 3000000 /dev/zero </dev/null | wc -c)" 3000000 "run: three megabytes arrive whole"
tty_run 'stty size\nexit 5\n' "$ctr_program" run --rm -t $B c1 sh
like "$out" "33 99" "run -t: a terminal, of the right size"
is "$status" 5 "run -t: exit status"
try ctr run --rm $B c1 /no/such/program
like "$status $err" "^1 .*OCI runtime create failed: .*no such file" "run: the program's own words"
is "$(ls "$bundles")" "" "no bundle is left"

# --- which program a name stands for ---------------------------------------------
try ctr run --rm --runtime io.containerd.none.v1 $B c1 true
like "$status $err" '^1 .*runtime "io.containerd.none.v1" binary not installed "containerd-shim-none-v1": file does not exist' \
	"a shim that is not installed"
for name in nodots .v2 a/b.c ../x.y; do
	try ctr run --rm --runtime "$name" $B c1 true
	like "$status $err" "^1 .*invalid runtime name $name" "no runtime name: $name"
done
try ctr run --rm --runtime /no/such/shim $B c1 true
like "$status $err" "^1 .*invalid custom binary path /no/such/shim" "no program of that path"
is "$(ctr run --rm --runtime "$(type -P containerd-shim-runc-v2)" $B c1 echo by path </dev/null)" "by path" "an absolute path"
mkdir "$work/shims"
cat >"$work/shims/containerd-shim-mine-v7" <<'EOF2'
#!/bin/sh
# A shim is started in its bundle, with arguments and variables by containerd's rule.
case " $* " in *" start "*) { pwd; echo "$@"; env; } >"$MINE"; esac
exec containerd-shim-runc-v2 "$@"
EOF2
chmod +x "$work/shims/containerd-shim-mine-v7"
write_config 'active: { runtimes = [ "runtime-shim" ]; };' "runtime-shim: { path = [ \"$work/shims\" ]; };"
is "$(MINE=$work/mine ctr run --rm --runtime vendor.mine.v7 $B c1 echo by folder </dev/null)" "by folder" "a configured folder"
like "$(cat "$work/mine")" "^$bundles/c1"$'\n'"-namespace $ns -address $work/state/gantry.sock -publish-binary /[^ ]+ -id c1 start"$'\n' \
	"its working folder and arguments"
for v in GOMAXPROCS=2 "GRPC_ADDRESS=$work/state/gantry.sock" "NAMESPACE=$ns" MAX_SHIM_VERSION=2; do
	ok "its environment has ${v%%=*}" grep -qxF "$v" "$work/mine"
done

# What a shim prints on start is bytes, whatever they are; and it may never come.
prints() { # NAME SHELL-TEXT: a shim that does that on start
	printf '#!/bin/sh\ncase " $* " in *" start "*) %s;; *) exec containerd-shim-runc-v2 "$@";; esac\n' "$2" >"$work/shims/containerd-shim-$1-v1"
	chmod +x "$work/shims/containerd-shim-$1-v1"
}
write_config 'active: { runtimes = [ "runtime-shim" ]; };' "runtime-shim: { path = [ \"$work/shims\" ]; start_timeout = \"2s\"; };"
prints bytes 'head -c 300 /dev/urandom'
prints flood 'exec head -c 1000000000 /dev/zero'
prints empty 'exit 0'
prints words 'echo "no luck today" >&2; exit 3'
prints other 'echo "{\"version\":9,\"address\":\"unix:///x\",\"protocol\":\"ttrpc\"}"'
prints nobody 'echo unix:///no/such/socket'
prints hangs 'sleep 1000 & echo $! >"$MINE"; wait'
for name in bytes flood empty other nobody; do
	try timeout 20 "$ctr_program" run --rm --runtime "vendor.$name.v1" $B c1 true
	is "$status" 1 "a shim that prints: $name"
done
try ctr run --rm --runtime vendor.words.v1 $B c1 true
like "$status $err" "^1 .*no luck today: exit status 3" "a shim that fails: its words and status"
SECONDS=0
MINE=$work/mine try ctr run --rm --runtime vendor.hangs.v1 $B c1 true
like "$status $err" "^1 .*start shim" "a shim that does not come up: an error"
ok "in time ($SECONDS s)" test "$SECONDS" -lt 15
is "$(ls "$bundles")" "" "no bundle is left of all those"
is "$(ctr c ls -q)" "" "and no container"

# --- detached; each ctr is a process of its own that finds the task again ----------
try ctr run -d $B d1 sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
is "$status" 0 "run -d"
ok "it runs" wait_for 10 status_is d1 RUNNING
pid=$(pid_of d1)
ok "its state lies in our own folder" test -d "$work/state/runc/$ns/d1"
try ctr tasks exec --exec-id e1 d1 sh -c 'echo in; echo er >&2; exit 4'
is "$status/$out/$err" "4/in/er" "exec"
is "$(echo piped | ctr tasks exec --exec-id e2 d1 cat)" piped "exec: standard input"
tty_run 'stty size; exit 6\n' "$ctr_program" tasks exec -t --exec-id e3 d1 sh
like "$status $out" "^6 .*33 99" "exec -t"
try ctr tasks exec --exec-id e4 d1 /no/such
like "$status $err" "^1 .*OCI runtime exec failed" "exec: no such program"
like "$(ctr tasks ps d1)" "PID +INFO.*$pid" "ps"
like "$(ctr tasks metrics d1)" "memory.usage_in_bytes +[0-9]+|memory\.usage +[0-9]+" "metrics"
ok "pause" ctr tasks pause d1
ok "it is paused" status_is d1 PAUSED
ok "resume" ctr tasks resume d1
ok "it runs on" status_is d1 RUNNING
is "$(pid_of d1)" "$pid" "all that was one and the same process"
ctr tasks kill -s TERM d1
ok "kill" wait_for 10 status_is d1 STOPPED
try ctr tasks rm d1
like "$err" "exit with non-zero exit code 3" "delete tells its exit status"
ctr c rm d1
ok "its shim has ended" test -z "$(shims_of d1)"

# --- a shim that dies, one that hangs ----------------------------------------------
ctr run -d $B k1 sleep 1000 </dev/null
pid=$(pid_of k1)
kill -KILL $(shims_of k1)
ok "a dead shim: its task is UNKNOWN" wait_for 10 status_is k1 UNKNOWN
try ctr tasks rm -f k1
ok "delete ends what it left" wait_for 10 test ! -e "/proc/$pid"
try ctr c rm k1
is "$(ls "$bundles")" "" "and its bundle is gone"

# --- a daemon that is killed and started again ----------------------------------------
if [ -x /usr/bin/ctr ] && start_gantryd; then
	g_ctr run -d $B g1 sh -c 'trap "exit 8" TERM; while :; do sleep 0.1; done' </dev/null
	pid=$(g_ctr tasks ls | awk '$1 == "g1" { print $2 }')
	g_ctr events >"$work/events" 2>&1 &
	events_pid=$!
	end_gantryd KILL
	wait $events_pid
	ok "a daemon is killed: the task runs on" test -e "/proc/$pid"
	start_gantryd
	is "$(g_ctr tasks ls | awk '$1 == "g1" { print $2, $3 }')" "$pid RUNNING" "the next one finds it again"
	is "$(g_ctr tasks exec --fifo-dir "$work/gfifo" --exec-id e1 g1 echo back </dev/null)" back "and can exec in it"
	g_ctr events >"$work/events" 2>&1 &
	events_pid=$!
	sleep 1
	g_ctr tasks kill g1
	ok "its shim's events come" wait_for 20 grep -q '/tasks/exit.*"g1"' "$work/events"
	kill $events_pid
	ok "and kill it" wait_for 10 sh -c "/usr/bin/ctr --address '$gantryd_socket' tasks ls | grep -q 'g1 .*STOPPED'"
	g_ctr tasks rm g1 2>/dev/null
	g_ctr containers rm g1
	end_gantryd
	is "$(ls "$bundles")" "" "no bundle is left"
else
	skip_one "a daemon that is killed and started again" "no ctr of containerd's, or no daemon"
fi

# --- beside runtime-runc ------------------------------------------------------------
write_config "runtime-shim: { path = [ \"$work/shims\" ]; };"
ctr run -d $B two1 sleep 1000 </dev/null
MINE=/dev/null ctr run -d --runtime vendor.mine.v7 $B two2 sleep 1000 </dev/null
is "$(ctr tasks ls | awk 'NR > 1 { print $1, $3 }' | sort | tr '\n' ' ')" "two1 RUNNING two2 RUNNING " \
	"as shipped both are active, and each task is listed once"
like "$(readlink "/proc/$(awk '/^PPid/ { print $2 }' "/proc/$(pid_of two1)/status")/exe")" "containerd-shim-gantry-v1" \
	"io.containerd.runc.v2 is runtime-runc's"
like "$(readlink "/proc/$(awk '/^PPid/ { print $2 }' "/proc/$(pid_of two2)/status")/exe")" "containerd-shim-runc-v2" \
	"what no other answers to is runtime-shim's"
for id in two1 two2; do ctr tasks rm -f $id >/dev/null 2>&1; ctr c rm $id; done
is "$(ctr tasks ls -q)" "" "no task is left"
is "$(our_mounts)" "" "no mount is left"
is "$(find "$work/state" -mindepth 3 -maxdepth 3 -path '*runtime.v2*')" "" "no bundle is left"
is "$(find /sys/fs/cgroup -maxdepth 3 -path "*/$ns/*" -type d 2>/dev/null)" "" "no cgroup is left"
done_testing
