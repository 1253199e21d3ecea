#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ctr tasks`: attach and exec with terminals, what happens when ctr is killed, deletion by force, and the
# same texts and statuses as containerd's ctr over a containerd.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc python3 jq
write_config
make_image
try ctr images import "$image"
is "$status" 0 "import"
B=$image_name
on_terminal() { timeout -s KILL 60 python3 "$abs_top_srcdir/tests/terminal.py" "$@"; }
running() { ctr tasks ls | grep -q "^$1 .*RUNNING"; }

# --- exec ---------------------------------------------------------------------------------
ctr run -d $B x1 sleep 1000
got=$(on_terminal 'wait("# "); send("stty size\n"); wait("40 100"); size(33, 77); send("sleep 0.2; stty size\n"); wait("33 77"); send("exit 6\n")' \
	"$ctr_program" tasks exec -t --exec-id t1 x1 sh -c 'PS1="# " exec sh')
like "$got" $'status 6\nmodes kept$' "exec -t: a terminal, resized, the exit status, modes as before"
got=$(on_terminal 'wait("ready"); signal("TERM")' "$ctr_program" tasks exec -t --exec-id t2 x1 sh -c 'echo ready; sleep 600')
like "$got" 'modes kept$' "exec -t, terminated: modes as before"
got=$(on_terminal 'wait("ready"); send("\x03")' "$ctr_program" tasks exec -t --exec-id t3 x1 sh -c 'echo ready; sleep 600')
like "$got" $'status 130\nmodes kept$' "exec -t: Ctrl-C goes to the process"
try ctr tasks exec --exec-id u1 --user 1000:5 --cwd /tmp x1 sh -c 'id -u; id -g; pwd'
is "$out" "1000
5
/tmp" "exec --user --cwd"
try ctr tasks exec --exec-id u2 --user nobody x1 id -u
is "$out" 65534 "exec --user by name"
try ctr tasks exec --exec-id u3 --user nosuch x1 true
is "$status" 1 "exec --user unknown"
is "$(printf 'a\nb\n' | ctr tasks exec --exec-id p1 x1 cat)" "a
b" "exec: standard input"
try ctr tasks exec --exec-id g1 --log-uri "file://$work/exec.log" x1 sh -c 'echo logged'
is "$status/$(cat "$work/exec.log")" "0/logged" "exec --log-uri"
try ctr tasks exec --exec-id g2 --fifo-dir "$work/ff" x1 echo by fifo
is "$status/$out/$(ls "$work/ff")" "0/by fifo/" "exec --fifo-dir"
"$ctr_program" tasks exec --exec-id s1 x1 sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.05; done' >"$work/s1" 2>&1 </dev/null &
e=$!
wait_for 20 grep -q up "$work/s1"
kill -USR1 "$e"; wait "$e"
is "$?" 9 "exec: signals go on to the process"
try ctr tasks exec -d --exec-id d1 x1 sh -c 'exit 8'
is "$status/$out" 0/ "exec -d"
wait_for 20 sh -c "! '$ctr_program' tasks ps x1 | grep -q d1"
try ctr tasks rm --exec-id d1 x1
is "$status/$err" 8/ "tasks rm --exec-id: its exit status"

# --- attach ---------------------------------------------------------------------------------
ctr run -d $B a1 sh -c 'echo early; while read l; do [ "$l" = end ] && exit 7; echo "got $l"; echo "e $l" >&2; done'
wait_for 20 sh -c "'$ctr_program' logs a1 | grep -q early"
{ echo one; sleep 1; } | timeout -s KILL 60 "$ctr_program" tasks attach a1 >"$work/a1" 2>"$work/a1e" &
pipe=$!
ok "attach: what it printed before, and what comes" wait_for 20 sh -c "grep -q early '$work/a1' && grep -q 'got one' '$work/a1' && grep -q 'e one' '$work/a1e'"
for p in /proc/[0-9]*; do [ "$(tr '\0' ' ' <"$p/cmdline")" = "$ctr_program tasks attach a1 " ] && kill -KILL "${p#/proc/}"; done 2>/dev/null
wait "$pipe" 2>/dev/null
ok "attach killed: the container runs on" running a1
{ echo two; sleep 0.3; echo end; } | timeout -s KILL 60 "$ctr_program" tasks attach a1 >"$work/a1" 2>"$work/a1e"
is "$?/$(cat "$work/a1")/$(cat "$work/a1e")" "7/got two/e two" "attach again: only what is new; ends with its status"
try ctr tasks ls -q
is "$out" x1 "attach: deletes the task at the end"
ctr c rm a1
ctr run -d -t $B a2 sh -c 'PS1="% " exec sh'
got=$(on_terminal 'wait("% "); send("stty size\n"); wait("40 100"); size(20, 50); send("sleep 0.2; stty size\n"); wait("20 50"); kill()' "$ctr_program" tasks attach a2)
ok "attach to a terminal, killed: it runs on" running a2
got=$(on_terminal 'send("echo again\n"); wait("again"); signal("HUP")' "$ctr_program" tasks attach a2)
like "$got" 'modes kept$' "attach, hung up: modes as before"
ok "and it runs on" running a2
got=$(on_terminal 'send("exit 3\n")' "$ctr_program" tasks attach a2)
like "$got" $'status 3\nmodes kept$' "attach: the exit status"
ctr c rm a2
# somebody who was attached from the start and died
"$ctr_program" run $B a3 sh -c 'while read l; do echo "got $l"; done' >/dev/null 2>&1 < <(sleep 600) &
runner=$!
wait_for 20 running a3
sleep 0.3
kill -KILL "$runner"; wait "$runner" 2>/dev/null
ok "run killed: the container runs on" running a3
is "$({ echo hello; sleep 1; } | timeout -s KILL 3 "$ctr_program" tasks attach a3 2>/dev/null)" "got hello" "attach: to the FIFOs that it left"

# --- top, stats ------------------------------------------------------------------------------
ctr run -d --memory-limit 67108864 $B b1 sh -c 'while :; do :; done'
wait_for 20 sh -c "'$ctr_program' top b1 | grep -q ' [1-9][0-9.]*% .*while'" # and no runc init any more
try ctr top b1 x1
like "$out" $'^CONTAINER  PID +STATE  CPU +TIME +MEMORY +COMMAND' "top: the columns"
like "$out" $'\nb1 +[0-9]+ +R +[1-9][0-9.]*% .* sh -c while :; do :; done' "top: who is busy"
like "$out" $'\nx1 +[0-9]+ +S +0.0% .* sleep 1000' "top: who is not"
is "$(ctr top --json | jq -r '.[].container' | sort -u | tr '\n' ' ')" "a3 b1 x1 " "top: of all"
try ctr top nobody
is "$status" 1 "top of no container"
try ctr stats --no-stream
like "$out" $'^CONTAINER  CPU +MEMORY +LIMIT +PIDS +READ +WRITTEN' "stats: the columns"
like "$out" $'\nb1 +[1-9][0-9.]*% +[0-9.]+ [KM]?i?B +64.0 MiB +1 ' "stats: cpu, memory, limit, pids"
is "$(ctr stats --json b1 | jq -r '.[0] | [.container, (.cpu_percent > 1), .memory_limit] | @tsv')" $'b1\ttrue\t67108864' "stats --json"
got=$(on_terminal 'wait("b1"); size(41, 100); send(""); wait("\x1b[2J"); signal("INT")' "$ctr_program" stats)
like "$got" $'status 130\nmodes kept$' "stats on a terminal: until interrupted"
ok "deletion by force" ctr c rm --force a3 b1

# --- deletion by force, whatever the state ---------------------------------------------------
shim_of() { pgrep -f "containerd-shim-gantry-v1 .*-namespace $ns .*-id $1( |$)"; }
gone() { # ID: of which nothing may be left
	! ctr c ls -q | grep -qx "$1" && ! ctr t ls -q | grep -qx "$1" && ! grep -q "/$1/" /proc/self/mountinfo &&
		[ -z "$(find "$work/state/io.containerd.runtime.v2.task" -name "$1")" ] && [ -z "$(shim_of "$1")" ] &&
		[ -z "$(find /sys/fs/cgroup -path "*/$ns/$1" 2>/dev/null)" ]
}
forced() { # ID DESCRIPTION
	local begin=$SECONDS
	try ctr c rm --force "$1"
	is "$status/$out/$err" "0//" "$2"
	ok "$2: in under 10 s" test $((SECONDS - begin)) -lt 10
	ok "$2: nothing is left" wait_for 5 gone "$1"
}
ctr run -d $B f1 sleep 1000; forced f1 "rm --force of one that runs"
ctr run -d $B f2 sleep 1000; ctr t pause f2; forced f2 "of a paused one"
ctr run -d $B f3 sleep 1000; kill -KILL "$(shim_of f3)"; forced f3 "of a dead shim's"
ctr run -d $B f4 sleep 1000; kill -STOP "$(shim_of f4)"; forced f4 "of a stopped shim's"
ctr c create $B f5 true; forced f5 "of one without a task"
ctr run -d $B f6 sh -c 'exit 3'; wait_for 20 sh -c "'$ctr_program' t ls | grep -q 'f6 .*STOPPED'"; forced f6 "of one that has ended"
try ctr c rm -f f7
like "$status/$err" '^1/.*container "f7" in namespace "'"$ns"'": not found' "of one that is not there"
ctr run -d $B f8 sleep 1000; try ctr c rm f8
like "$status/$err" 'cannot delete a non stopped container: \{running 0 0001-01-01 00:00:00 \+0000 UTC\}' "without --force a running one stays"
try ctr c rm -f f8 f9
is "$status" 1 "rm --force: goes on after an error"
ok "rm --force: the others go" gone f8
ctr t rm -f x1; ctr c rm x1

# --- texts and statuses as containerd's ------------------------------------------------------
if command -v containerd >/dev/null && start_containerd; then
	theirs() { CONTAINERD_NAMESPACE=default their_ctr "$@"; }
	theirs images import "$image" >/dev/null 2>&1
	prepare() { # CTR...
		"$@" run -d --null-io $B r1 sleep 1000
		"$@" run -d --null-io $B s1 sh -c 'exit 5'
		"$@" run -d --null-io $B p1 sleep 1000 && "$@" tasks pause p1
		"$@" containers create $B c1 true
		"$@" tasks exec -d --exec-id taken r1 sleep 1000
	} >/dev/null 2>&1 </dev/null
	prepare ctr; prepare theirs
	sleep 1
	plain() { sed -E -e "s/$ns/default/g" -e 's/time="[^"]*"/time=T/' -e 's/[0-9]{3,} +/N    /g' -e 's/[0-9]{3,}/N/g' -e 's/^PID +/PID    /' -e 's/PID +STATUS/PID    STATUS/' -e 's/ +$//' -e '/^$/d' \
		-e '/^ +(--|ctr tasks [a-z]+ - )/d' \
		-e 's/&ProcessDetails\{ExecID:([^,]*),.*/exec_id:"\1"/' | tr ',' '\n' | sort; } # help is in other words; Go's maps have no order
	same() { # ARGS...: what both say to it
		local ours theirs
		ours=$(ctr "$@" 2>&1 </dev/null; echo "status $?")
		theirs=$(theirs "$@" 2>&1 </dev/null; echo "status $?")
		if [ "$(plain <<<"$ours")" = "$(plain <<<"$theirs")" ]; then pass "as containerd's: $*"
		else fail "as containerd's: $*" "ours:
$ours
theirs:
$theirs"; fi
	}
	same tasks ls
	same t ls -q
	same tasks ps r1
	same tasks ps c1
	same tasks ps nobody
	same tasks pause s1
	same tasks pause p1
	same tasks pause c1
	same tasks pause
	same tasks resume r1
	same tasks resume nobody
	same tasks kill -s NOSUCH r1
	same tasks kill s1
	same tasks kill c1
	same tasks kill
	same tasks kill --all --exec-id x r1
	same tasks kill --exec-id nosuch r1
	same tasks exec --exec-id taken r1 true
	same tasks exec r1 true
	same tasks exec --exec-id n1 s1 true
	same tasks exec --exec-id n2 p1 true
	same tasks exec --exec-id n3 c1 true
	same tasks exec --exec-id n4 nobody true
	same tasks exec --exec-id n5 r1 /nosuch
	same tasks exec --exec-id n6 --tty --log-uri file:///x r1 true
	same tasks exec --exec-id n7 --log-uri file:///x --fifo-dir /y r1 true
	same tasks exec --exec-id n8 r1 sh -c 'exit 77'
	same tasks exec --exec-id n9 --cwd /nosuch r1 true
	same tasks start r1
	same tasks start nobody
	same tasks start
	same tasks rm r1
	same tasks rm c1
	same tasks rm nobody c1 r1
	same tasks rm --exec-id taken r1
	same tasks rm --exec-id nosuch r1
	same tasks attach c1
	same tasks attach nobody
	same tasks attach
	same tasks metrics nobody
	same tasks metrics c1
	same tasks metrics --format xml r1
	same tasks metrics
	same tasks rm s1
	same tasks rm -f p1
	same containers rm r1
	same containers ls -q
	same c rm
	same c rm nobody r1 nobody2
	same c info
	same c info nobody
	same c info --spec nobody
	same c label
	same c label nobody a=b
	same c label c1 a=b
	same c create
	same c create $B
	same c create docker.io/library/none:latest n1
	same c create --config /nosuch c2 more
	same c create --annotation a $B n2
	same c create --cap-add KILL $B n2
	same c create --with-ns foo:/x $B n2
	same c create --with-ns foo $B n2
	same c create --seccomp-profile /x $B n2
	same c create --apparmor-profile a --apparmor-default-profile b $B n2
	same c checkpoint
	same c checkpoint c1
	same c checkpoint nobody ref
	same c restore
	same c restore n3
	same c nosuch
	same run
	same run $B
	same run --rm -d $B n4 true
	same run --cpus 1 --cpu-quota 5 $B n4 true
	same run --runc-systemd-cgroup $B n4 true
	same run --runc-binary x --runtime io.containerd.other.v1 $B n4 true
	same run --config /nosuch n4 more
	same run --cap-drop KILL $B n4 true
	same oci nosuch
	same shim state
	same tasks nosuch
	same tasks kill --nosuch r1
	same run -d --null-io $B r1 true
	same c create $B r1
	same run --rm --memory-limit 18446744073709551615 $B n5 true
	same run --rm --mount type=bind,src=/nosuch,dst=/x $B n5 true
	# Help is in other words, and errno in libc's: the last line, and what a client acts upon, the class.
	last() { "$@" 2>&1 </dev/null | tail -n 1 | sed -E -e 's/No such file/no such file/' -e 's/ in namespace "[^"]*"//'; }
	same_error() {
		local ours
		ours=$(last ctr "$@")
		is "${ours%: not found}" "$(last theirs "$@")" "as containerd's error: $*"
	}
	same_error run --memory-limit -1 $B n5 true
	same_error run --memory-limit x $B n5 true
	same_error run --memory-limit 99999999999999999999 $B n5 true
	same_error run --cpus x $B n5 true
	same_error run --cpu-quota x $B n5 true
	same_error run --cpu-period -1 $B n5 true
	same_error run --config /nosuch n5
	same_error c create --config /nosuch n5
	same_error run --env-file /nosuch $B n5 true
	# In words of our own, on purpose: what an identifier is made of without a regular expression and without
	# repeating a name of any length; the byte at which a filter is wrong; "unknown" where the class is known.
	clearer() { # TEXT ARGS...
		local want=$1
		shift
		try ctr "$@"
		is "$status/$err" "1/ctr: $want" "clearer than containerd's: $*"
		[ "$(theirs "$@" >/dev/null 2>&1 </dev/null; echo $?)" = 1 ] || fail "containerd fails too: $*"
	}
	clearer "container id \"a/b\" must be letters and digits, joined by single '.', '_' or '-': invalid argument" run --rm $B a/b true
	long=$(printf 'x%.0s' $(seq 77))
	clearer "container id \"${long:0:76}...\" is longer than 76 characters: invalid argument" c create $B "$long"
	clearer "exec id \"a/b\" must be letters and digits, joined by single '.', '_' or '-': invalid argument" tasks exec --exec-id a/b r1 true
	clearer "filter \"topic=x\": expected '==', '!=', '~=', ',' or the end at byte 5: invalid argument" events topic=x
	clearer 'image "nosuch": not found' c restore n5 nosuch
	clearer 'root file system /nosuch: No such file or directory: not found' run --rm --rootfs /nosuch n5 true
	clearer "no shim of nobody in namespace $ns: not found" shim --id nobody state
	clearer "invalid mount specification: expected key=val: invalid argument" run --rm --mount type $B n6 true
	for id in r1 s1 p1 c1; do ctr c rm --force $id; done
	for id in r1 s1 p1 c1; do theirs tasks rm -f $id; theirs c rm $id; done >/dev/null 2>&1
	stop_containerd
else
	skip_one "as containerd's" "no containerd"
fi
done_testing
