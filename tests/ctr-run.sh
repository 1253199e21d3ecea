#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers through the whole stack: run with all that it takes, tasks, exec, detached ones.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc python3
write_config
make_image
try ctr images import "$image"
is "$status" 0 "import"
B=$image_name

# --- run -----------------------------------------------------------------------
try ctr run --rm $B c1 echo hello world
is "$status/$out/$err" "0/hello world/" "run: output"
try ctr run --rm $B c1 sh -c 'echo to-out; echo to-err >&2; exit 7'
is "$status/$out/$err" "7/to-out/to-err" "run: exit status and both outputs"
"$ctr_program" run --rm $B c1 sleep 600 >/dev/null 2>&1 </dev/null &
runner=$!
wait_for 10 sh -c "'$ctr_program' t ls | grep -q RUNNING"
ctr t kill -s KILL c1
wait "$runner"
is "$?" 137 "run: ended by a signal"
printf 'line 1\nline 2\n' >"$work/in"
is "$(ctr run --rm $B c1 cat <"$work/in")" "$(cat "$work/in")" "run: standard input"
head -c 3000000 /dev/urandom >"$work/big"
is "$(ctr run --rm $B c1 cat <"$work/big" | sha256sum)" "$(sha256sum <"$work/big")" "run: every byte there and back"
try ctr run --rm busybox c1 true
is "$status" 0 "run: by a short name"
try ctr run --rm $B c1 nope
is "$status" 1 "run: no such program"
is "$err" 'ctr: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown' "run: the error is containerd's"
try ctr run --rm nothing c1 true
is "$status/$err" '1/ctr: image "nothing": not found' "run: no such image"
try ctr run --rm $B 'a b' true
is "$status" 1 "run: a bad id"
try ctr containers ls
is "$out" "CONTAINER    IMAGE    RUNTIME    " "--rm leaves no container"
try ctr snapshots ls
is "$(grep -c Active <<<"$out")" 0 "--rm leaves no snapshot"
try ctr tasks ls
is "$out" "TASK    PID    STATUS    " "--rm leaves no task"

# --- what run takes --------------------------------------------------------------
try ctr run --rm --env A=1 --env B=2,3 $B c1 sh -c 'echo $A $B'
is "$out" "1 2,3" "--env"
printf '# comment\n\nX=from file\n' >"$work/env"
try ctr run --rm --env-file "$work/env" $B c1 sh -c 'echo $X'
is "$out" "from file" "--env-file"
try ctr run --rm --cwd /tmp $B c1 pwd
is "$out" /tmp "--cwd"
try ctr run --rm "$B" c1 sed -n 's/^SigIgn:[[:space:]]*//p; s/^SigBlk:[[:space:]]*//p' /proc/1/status
is "$out" "0000000000000000
0000000000000000" "no signal is blocked or ignored, not even libc's own"
try ctr run --rm --user 1000:100 $B c1 sh -c 'id -u; id -g'
is "$out" "1000
100" "--user by numbers"
try ctr run --rm -u nobody $B c1 id -u
is "$out" 65534 "--user by name"
try ctr run --rm --user 4294967296 $B c1 true
is "$status" 1 "--user out of range"
mkdir "$work/host" && echo from host >"$work/host/file"
try ctr run --rm --mount "type=bind,src=$work/host,dst=/data,options=rbind:ro" $B c1 sh -c 'cat /data/file; touch /data/x'
is "$status/$out" "1/from host" "--mount, read-only"
try ctr run --rm --mount "type=tmpfs,src=tmpfs,dst=/t" --mount "type=bind,src=$work/host,dst=/data,options=rbind:rw" $B c1 sh -c 'touch /data/made; grep -c " /t tmpfs" /proc/mounts'
is "$status/$out" "0/1" "--mount twice"
ok "--mount: what the container wrote is here" test -e "$work/host/made"
try ctr run --rm --net-host $B c1 readlink /proc/self/ns/net
is "$out" "$(readlink /proc/self/ns/net)" "--net-host"
try ctr run --rm $B c1 readlink /proc/self/ns/net
[ "$out" != "$(readlink /proc/self/ns/net)" ] && pass "without it, a network of its own" || fail "without it, a network of its own"
try ctr run --rm --hostname box $B c1 hostname
is "$out" box "--hostname"
try ctr run --rm --read-only $B c1 touch /x
is "$status" 1 "--read-only"
try ctr run --rm --label my=label --annotation x=y $B c1 true
is "$status" 0 "--label, --annotation"
try ctr run --rm --cap-drop CAP_CHOWN $B c1 chown 1 /tmp
is "$status" 1 "--cap-drop"
try ctr run --rm --cap-add SYS_ADMIN $B c1 true
is "$status/$err" "1/ctr: capabilities must be specified with 'CAP_' prefix" "--cap-add without CAP_"
try ctr run --rm --pid-file "$work/pid" $B c1 true
like "$(cat "$work/pid")" "^[0-9]+$" "--pid-file"
try ctr run --rm --null-io $B c1 echo hidden
is "$status/$out" "0/" "--null-io"
try ctr run --rm --log-uri "file://$work/log" $B c1 echo logged
is "$status/$(cat "$work/log" 2>/dev/null)" "0/logged" "--log-uri file"
try ctr run --rm --memory-limit 67108864 --cpu-shares 512 $B c1 true
is "$status" 0 "--memory-limit, --cpu-shares"
mkdir "$work/bare" && tar -xOf "$image" "$(tar -tf "$image" | grep blobs/sha256/. | while read -r b; do
	tar -xOf "$image" "$b" | gzip -t 2>/dev/null && echo "$b"; done)" | tar -xzf - -C "$work/bare"
try ctr run --rm --rootfs "$work/bare" c1 /bin/busybox echo bare
is "$status/$out" "0/bare" "--rootfs"
ctr oci spec >"$work/spec.json"
python3 - "$work/spec.json" "$work/bare" <<-'EOF'
	import json, sys
	s = json.load(open(sys.argv[1]))
	s["process"]["args"] = ["/bin/echo", "by config"]
	s["root"]["path"] = sys.argv[2]
	s["linux"]["cgroupsPath"] += "/c1"
	json.dump(s, open(sys.argv[1], "w"))
EOF
try ctr run --rm --config "$work/spec.json" c1
is "$status/$out" "0/by config" "--config of run"
try ctr --config "$GANTRY_CONFIG" run --rm $B c1 echo both
is "$out" both "--config before the command is the configuration"
try ctr run --rm --snapshotter native $B c1 sh -c 'echo native'
is "$status/$out" "0/native" "--snapshotter native"

# --- a terminal -------------------------------------------------------------------
# Runs a command on a pty of 40x100, types $1 into it, prints what comes out.
on_pty() {
	python3 - "$@" <<-'EOF'
		import fcntl, os, pty, struct, sys, termios, time
		pid, fd = pty.fork()
		if pid == 0:
		    time.sleep(0.2)
		    os.execv(sys.argv[2], sys.argv[2:])
		fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
		got, sent = b"", False
		while True:
		    try:
		        b = os.read(fd, 4096)
		    except OSError:
		        break
		    if not b:
		        break
		    got += b
		    if not sent and b"#" in got:
		        os.write(fd, sys.argv[1].encode())
		        sent = True
		_, st = os.waitpid(pid, 0)
		sys.stdout.write(got.decode(errors="replace").replace("\r", ""))
		print("status", os.waitstatus_to_exitcode(st))
	EOF
}
got=$(on_pty $'stty size; test -t 0 && echo "is a tty"; exit 5\n' "$ctr_program" run --rm -t --env 'PS1=# ' $B c1 sh)
like "$got" $'\n40 100\n' "run -t: the terminal's size"
like "$got" $'\nis a tty\n' "run -t: a terminal"
like "$got" $'\nstatus 5$' "run -t: exit status"

# --- detached ----------------------------------------------------------------------
try ctr run -d --label my=label $B c2 sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
is "$status/$out" "0/" "run -d"
try ctr tasks ls
like "$out" $'^TASK    PID +STATUS    \nc2 +[0-9]+ +RUNNING$' "tasks ls"
try ctr tasks ls -q
is "$out" c2 "tasks ls -q"
try ctr c ls
like "$out" "^CONTAINER    IMAGE +RUNTIME +.c2 +$B +io.containerd.runc.v2 +$" "containers ls"
try ctr c info c2
ok "containers info" python3 -c 'import json,sys; i = json.load(open(sys.argv[1])); assert i["ID"] == "c2" and i["Labels"]["my"] == "label" and i["Spec"]["linux"]["cgroupsPath"] == sys.argv[2] + "/c2" and i["Snapshotter"] == "overlayfs", i' "$work/out" "/$ns"
try ctr c info --spec c2
ok "containers info --spec" python3 -c 'import json,sys; assert json.load(open(sys.argv[1]))["process"]["args"][0] == "sh"' "$work/out"
try ctr c label c2 a=b
like "$out" "a=b" "containers label"
try ctr -n other c info c2
is "$status/$err" "1/ctr: container \"c2\" in namespace \"other\": not found (found in namespace \"$ns\")" "a container of another namespace"
try ctr c rm c2
is "$status" 1 "containers rm of one that runs"
like "$err" "ctr: cannot delete a non stopped container: \{running .* UTC\}$" "containers rm: why not"
try ctr t rm c2
is "$status" 1 "tasks rm of one that runs"
try ctr run -d $B c2 true
is "$status" 1 "run with an id that is there"
try ctr t exec --exec-id e1 c2 echo more
is "$status/$out" "0/more" "exec"
try ctr t exec --exec-id e2 --cwd /tmp --user 1000 c2 sh -c 'pwd; id -u; exit 4'
is "$status/$out" "4//tmp
1000" "exec: --cwd, --user, exit status"
got=$(on_pty $'tty; exit 6\n' "$ctr_program" t exec --exec-id e3 -t c2 sh -c 'PS1="# " exec sh')
like "$got" $'\n/dev/pts/[0-9]+\n.*status 6$' "exec -t"
try ctr t ps c2
like "$out" $'^PID +INFO\n[0-9]+ +-' "tasks ps"
try ctr t metrics c2
like "$out" "^ID +TIMESTAMP +.*METRIC +VALUE +.*pids.current +[0-9]+" "tasks metrics"
try ctr t metrics --format json c2
ok "tasks metrics --format json" python3 -c 'import json,sys; assert json.load(open(sys.argv[1]))["pids"]["current"]' "$work/out"
try ctr t pause c2
is "$status" 0 "tasks pause"
try ctr t ls
like "$out" "PAUSED$" "tasks ls: paused"
try ctr t resume c2
is "$status" 0 "tasks resume"
try ctr t kill -s 0x c2
is "$status/$err" "1/ctr: invalid signal: 0x" "tasks kill with a bad signal"
try ctr t rm --exec-id none c2
is "$status/$err" "1/ctr: no running process found: process does not exist none: not found" "tasks rm of an exec that is not there"
try ctr t kill c2
is "$status" 0 "tasks kill"
ok "it ends" wait_for 5 sh -c "'$ctr_program' t ls | grep -q STOPPED"
try ctr t rm c2
is "$status" 0 "tasks rm"
like "$err" 'level=warning msg="task c2 exit with non-zero exit code 3"' "tasks rm: how it ended"
try ctr t kill c2
is "$status/$err" "1/ctr: no running task found: task c2 not found: not found" "tasks kill without a task"
"$ctr_program" t start c2 </dev/null >/dev/null 2>&1 &
starter=$!
ok "tasks start" wait_for 5 sh -c "'$ctr_program' t ls | grep -q RUNNING"
ctr t kill -s KILL c2
wait "$starter"
is "$?" 137 "tasks start: how it ended"
try ctr t start -d c2
is "$status" 0 "tasks start -d"
try ctr t start -d c2
is "$status/$err" "1/ctr: task c2: already exists" "tasks start twice"
try ctr t rm -f c2
is "$status" 0 "tasks rm --force"
try ctr c rm c2
is "$status" 0 "containers rm"
try ctr c create $B c3 sh -c 'echo created; exit 9'
is "$status" 0 "containers create"
try ctr t ls -q
is "$out" "" "containers create starts nothing"
try ctr t start c3
is "$status/$out" "9/created" "tasks start: output and exit status"
try ctr c rm --keep-snapshot c3
is "$status" 0 "containers rm --keep-snapshot"
try ctr snapshots rm c3
is "$status" 0 "its snapshot was kept"

# Signals go on to the process.
"$ctr_program" run --rm $B c4 sh -c 'trap "echo got it; exit 11" INT; echo ready; while :; do sleep 0.05; done' >"$work/out" 2>"$work/err" </dev/null &
runner=$!
wait_for 10 grep -q ready "$work/out"
kill -INT "$runner"
wait "$runner"
is "$?/$(tail -n 1 "$work/out")" "11/got it" "a signal to ctr reaches the process"

# A ctr that dies takes nothing with it.
"$ctr_program" run $B c5 sh -c 'while :; do sleep 0.1; done' >/dev/null 2>&1 </dev/null &
runner=$!
ok "c5 runs" wait_for 10 sh -c "'$ctr_program' t ls | grep -q 'c5 .*RUNNING'"
kill -KILL "$runner"
{ wait "$runner"; } 2>/dev/null
try ctr t ls
like "$out" "c5 +[0-9]+ +RUNNING" "kill -9 of ctr leaves the container running"
try ctr t kill -s KILL c5
ok "and the next ctr ends it" wait_for 5 sh -c "'$ctr_program' t ls | grep -q 'c5 .*STOPPED'"
try ctr c rm c5
is "$status" 0 "and deletes it, task included"

# --- another runtime program -------------------------------------------------------
if command -v crun >/dev/null; then
	# crun refuses a machine where cgroup v2 is mounted beside v1: not there for this one
	in_namespace='if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi; exec "$@"'
	try unshare -m sh -c "$in_namespace" sh "$ctr_program" run --rm --runc-binary crun $B c6 sh -c 'echo by crun; exit 2'
	is "$status/$out" "2/by crun" "--runc-binary crun"
else
	skip_one "--runc-binary crun" "no crun here"
fi
try ctr run --rm --runtime io.containerd.runc.v2 $B c6 echo by name
is "$out" "by name" "--runtime"
try ctr run --rm --runtime io.containerd.none.v1 $B c6 true
is "$status" 1 "--runtime that is not there"
try ctr c ls -q
is "$out" "" "no container is left"

# --- nothing is left ---------------------------------------------------------------
is "$(our_mounts)" "" "no mount is left"
is "$(our_processes)" "" "no process is left"
# The ctr that was killed could not remove its FIFOs: the next one does. A folder of another's stays.
mkdir -p "$work/state/fifo/mine" && mkfifo "$work/state/fifo/mine/x-stdin"
try ctr run --rm $B c7 true
is "$(ls "$work/state/fifo" 2>/dev/null)" mine "no FIFO is left"
rm -r "$work/state/fifo/mine"

# A namespace's control groups outlive its last container, until somebody says that they shall not.
groups_of() { find /sys/fs/cgroup -maxdepth 2 -type d -name "$1" 2>/dev/null; }
ok "import to another namespace" ctr -n "$ns-b" images import "$image"
try ctr -n "$ns-b" run --rm "$B" g1 true
is "$status" 0 "run there"
[ -n "$(groups_of "$ns-b")" ] && pass "the runtime program leaves groups behind" || fail "no group is left by itself"
try ctr -n "$ns-b" run -d --null-io "$B" g2 sleep 1000
try ctr ns rm --cgroup "$ns-b"
is "$status" 1 "a namespace in use stays"
[ -n "$(groups_of "$ns-b")" ] && pass "and so do its groups" || fail "its groups are gone"
ctr -n "$ns-b" tasks kill -s KILL g2; ctr -n "$ns-b" tasks delete -f g2; ctr -n "$ns-b" containers delete g2
ok "remove the image" ctr -n "$ns-b" images rm --sync "$B"
ctr -n "$ns-b" snapshots ls | awk 'NR > 1 { print $1 }' | while read -r s; do ctr -n "$ns-b" snapshots rm "$s"; done
try ctr ns rm --cgroup "$ns-b"
is "$status/$out" "0/$ns-b" "ns rm --cgroup"
is "$(groups_of "$ns-b")" "" "no control group of it is left"
done_testing
