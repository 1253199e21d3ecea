#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debian's dockerd on gantryd (--containerd=): what docker does to containers, and what becomes of them
# when one of the daemons ends, is killed, and comes again. DOCKERD_BACK=containerd runs the same on
# Debian's containerd, to see that the test asks for what that does.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root dockerd containerd runc busybox python3 jq
[ -x /usr/bin/docker ] || skip_all "needs docker's command line"
back=${DOCKERD_BACK:-gantryd}
export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/docker-config
docker() { timeout 60 /usr/bin/docker "$@"; }
write_config
make_image

# --- the two daemons -----------------------------------------------------------
start_back() {
	if [ "$back" = gantryd ]; then start_gantryd; else start_containerd; fi
}
end_back() { # SIGNAL
	if [ "$back" = gantryd ]; then end_gantryd "$1"; return; fi
	kill -"$1" "$containerd_pid"
	wait "$containerd_pid" 2>/dev/null
	containerd_pid=
}
back_socket=$gantryd_socket
[ "$back" = gantryd ] || back_socket=$work/cd/sock
b_ctr() { command timeout 60 /usr/bin/ctr --address "$back_socket" -n moby "$@"; }
start_dockerd() { # [FLAGS...]
	dockerd --containerd="$back_socket" --data-root "$work/docker" --exec-root "$work/docker-exec" \
		--pidfile "$work/docker.pid" --iptables=false --bridge=none --storage-driver vfs \
		--host "$DOCKER_HOST" "$@" >>"$work/dockerd.log" 2>&1 &
	dockerd_pid=$!
	wait_for 30 docker version
}
end_dockerd() { # SIGNAL
	kill -"$1" "$dockerd_pid" 2>/dev/null
	wait "$dockerd_pid" 2>/dev/null
	status=$?
	dockerd_pid=
}
stop_dockerd() {
	[ -z "${dockerd_pid:-}" ] && return
	docker ps -aq | xargs -r timeout 60 /usr/bin/docker rm -f >/dev/null 2>&1
	kill "$dockerd_pid"
	wait "$dockerd_pid" 2>/dev/null
}
trap 'stop_dockerd; clean_up' EXIT

inspect() { docker inspect -f "$2" "$1"; }
pid_of() { inspect "$1" '{{.State.Pid}}'; }
state_is() { [ "$(inspect "$1" '{{.State.Status}}')" = "$2" ]; }
exited_with() { [ "$(inspect "$1" '{{.State.Status}} {{.State.ExitCode}}')" = "exited $2" ]; }
lists_only() { [ "$(b_ctr tasks ls -q | sort | xargs)" = "$(docker ps -q --no-trunc | sort | xargs)" ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }

start_back || { tail "$work"/gantryd.log "$work"/cd/log; echo "Bail out! no $back"; exit 1; }
start_dockerd || { tail "$work/dockerd.log"; echo "Bail out! no dockerd"; exit 1; }

# --- images ------------------------------------------------------------------------
mkdir "$work/fs"
mkdir -p "$work/fs/bin" "$work/fs/etc" "$work/fs/tmp" "$work/fs/proc" "$work/fs/sys" "$work/fs/dev"
cp /bin/busybox "$work/fs/bin/"
for applet in $(busybox --list); do
	[ "$applet" = busybox ] || ln -s busybox "$work/fs/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$work/fs/etc/passwd"
tar -C "$work/fs" -c . | docker import - box >/dev/null
is "${PIPESTATUS[1]}" 0 "docker import"
docker tag box again && docker save again -o "$work/saved.tar" && docker rmi again >/dev/null
try docker load -i "$work/saved.tar"
like "$status/$out" "^0/Loaded image: again" "docker load"

# --- run ---------------------------------------------------------------------------
try docker run --rm box sh -c 'echo out; echo err >&2; exit 7'
is "$status/$out/$err" "7/out/err" "run: both outputs and the exit status"
is "$(printf 'a\nb\n' | docker run --rm -i box cat)" "a
b" "run -i: standard input"
is "$(docker run --rm box head -c 3000000 /dev/zero </dev/null | wc -c)" 3000000 "run: three megabytes arrive whole"
tty_run 'sleep 1; stty size\nexit 5\n' timeout 60 /usr/bin/docker run --rm -it box sh
like "$status/$out" "^5/.*33 99" "run -it: a terminal, of the right size"
try docker run --rm -u nobody -w /tmp -e A=b -h host1 box sh -c 'id -u; pwd; echo $A; hostname'
is "$out" "65534
/tmp
b
host1" "run: user, folder, environment, host name"
try docker run --rm box /no/such/program
like "$status/$err" "^127/.*no such file or directory" "run: a program that is not there"
try docker run --rm --read-only -v "$work/fs/etc:/seen:ro" --tmpfs /scratch box sh -c \
	'cat /seen/passwd | wc -l; touch /x 2>&1 | grep -c Read-only; touch /scratch/x && echo made'
is "$out" "2
1
made" "run: volumes, tmpfs, a root that is read-only"

try docker run -d --name c1 box sh -c 'i=0; trap "exit 9" TERM; while :; do i=$((i+1)); echo line $i; sleep 0.1; done'
is "$status" 0 "run -d"
like "$(docker ps --format '{{.Names}} {{.Status}}')" "^c1 Up" "ps shows it"
ok "$back has the task in moby" wait_for 10 lists_only
is "$(b_ctr c info "$(inspect c1 '{{.Id}}')" | jq -r .Runtime.Name)" io.containerd.runc.v2 "the runtime's name is containerd's"

# --- exec --------------------------------------------------------------------------
try docker exec c1 sh -c 'echo in; echo no >&2; exit 3'
is "$status/$out/$err" "3/in/no" "exec: both outputs and the exit status"
is "$(echo hello | docker exec -i c1 cat)" hello "exec -i: standard input"
tty_run 'stty size\nexit 4\n' timeout 60 /usr/bin/docker exec -it c1 sh
like "$status/$out" "^4/.*33 99" "exec -it: a terminal, of the right size"
try docker exec -u nobody -e K=v -w /tmp c1 sh -c 'id -u; echo $K; pwd'
is "$out" "65534
v
/tmp" "exec: user, environment, folder"
try docker exec c1 /no/such/program
like "$status/$out$err" "^12[67]/.*no such file or directory" "exec of what is not there"
try docker exec -d c1 sh -c 'echo detached >/tmp/it'
is "$status" 0 "exec -d"
ok "it has run" wait_for 10 docker exec c1 grep -q detached /tmp/it

# --- logs, attach --------------------------------------------------------------------
like "$(docker logs c1)" $'^line 1\nline 2' "logs"
timeout 60 /usr/bin/docker logs -f c1 >"$work/follow" 2>&1 &
follow=$!
ok "logs -f follows" wait_for 20 sh -c "[ \$(wc -l <'$work/follow') -gt 20 ]"
timeout 60 /usr/bin/docker attach --no-stdin --sig-proxy=false c1 >"$work/attached" 2>&1 &
attach=$!
ok "attach shows what comes" wait_for 20 grep -q line "$work/attached"

# --- pause, stats, top, update -----------------------------------------------------------
try docker pause c1
is "$status/$(inspect c1 '{{.State.Status}}')" "0/paused" "pause"
is "$(b_ctr tasks ls | awk 'NR == 2 { print $3 }')" PAUSED "$back knows"
try docker exec c1 true
like "$status/$err" "^1/.*paused" "exec in a paused one is refused"
try docker unpause c1
is "$status/$(inspect c1 '{{.State.Status}}')" "0/running" "unpause"
try docker stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDs}}' c1
like "$status/$out" "^0/c1 [1-9][0-9.]*[KM]iB / .* [1-9]" "stats"
try docker top c1
like "$status/$out" "^0/.*sleep 0.1|trap" "top"
try docker update --memory 64m --memory-swap 64m --cpus 0.5 c1
is "$status" 0 "update"
like "$(docker exec c1 cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null)" 67108864 \
	"the limit is in force"

# --- stop, kill, wait, rm ------------------------------------------------------------------
timeout 60 /usr/bin/docker wait c1 >"$work/waited" &
wait_pid=$!
try docker stop c1
is "$status" 0 "stop"
ok "the exit status is the trap's" exited_with c1 9
wait $wait_pid $follow $attach
is "$(cat "$work/waited")" 9 "wait"
ok "logs -f and attach have ended" gone $follow
like "$(inspect c1 '{{.State.FinishedAt}}')" "^$(date -u +%Y)" "the time of the end"
try docker start c1
ok "start again" state_is c1 running
try docker restart -t 5 c1
ok "restart" state_is c1 running
try docker kill c1
ok "kill: 128 + 9" exited_with c1 137
try docker rm c1
is "$status" 0 "rm"
docker run -d --name c2 box sleep 300 >/dev/null
pid=$(pid_of c2)
try docker stop -t 1 c2
ok "stop of one that does not listen: killed" exited_with c2 137
docker start c2 >/dev/null
try docker kill -s USR1 c2
ok "kill -s of one that has no handler for it" state_is c2 running
pid=$(pid_of c2)
try docker rm -f c2
is "$status" 0 "rm -f"
ok "its process is gone" wait_for 10 gone "$pid"
ok "$back has no task more than docker" wait_for 10 lists_only
is "$(b_ctr c ls -q)" "" "and no container"
try docker run -d --name nothing --entrypoint /none box
like "$status/$(docker ps -a --format '{{.Names}} {{.Status}}')" "^127/nothing Created" "one that cannot start"
docker rm nothing >/dev/null
is "$(b_ctr c ls -q)" "" "leaves nothing"
try docker run --name oom --memory 16m --memory-swap 16m box sh -c 'a=$(head -c 64000000 /dev/zero | tr "\0" a); echo $a | wc -c'
is "$status/$(inspect oom '{{.State.OOMKilled}}')" "137/true" "out of memory is told"
docker rm oom >/dev/null

# --- restart policies --------------------------------------------------------------------------
docker run -d --name always --restart always box sleep 300 >/dev/null
pid=$(pid_of always)
kill -KILL "$pid"
again() { [ "$(inspect always '{{.State.Pid}}')" -gt 0 ] && [ "$(pid_of always)" != "$pid" ]; }
ok "always: it runs again" wait_for 20 again
is "$(inspect always '{{.RestartCount}}')" 1 "and counts"
docker run -d --name failing --restart on-failure:2 box sh -c 'echo again; exit 6' >/dev/null
ok "on-failure: it ends with the status" wait_for 30 exited_with failing 6
is "$(inspect failing '{{.RestartCount}}')/$(docker logs failing | wc -l)" "2/3" "after two times more"
docker run -d --name fine --restart on-failure box true >/dev/null
ok "on-failure: a good end is the end" wait_for 20 exited_with fine 0
docker rm -f always failing fine >/dev/null

# --- events --------------------------------------------------------------------------------
sleep 1 # whole seconds are what docker takes
since=$(date +%s)
docker run --name ev box true
docker rm ev >/dev/null
is "$(docker events --since "$since" --until "$(($(date +%s) + 1))" --filter type=container --format '{{.Action}}' | xargs)" \
	"create attach start die destroy" "events"

# --- the daemon under running containers ---------------------------------------------------------
serves() { b_ctr version && docker exec lasting true; }
for signal in TERM KILL; do
	docker run -d --name lasting box sh -c 'trap "exit 8" TERM; while :; do echo tick; sleep 0.1; done' >/dev/null
	docker run -d --name brief box sh -c 'while ! test -e /tmp/end; do sleep 0.1; done; exit 11' >/dev/null
	docker run -d --name back --restart always box sleep 300 >/dev/null
	pid=$(pid_of lasting) brief=$(pid_of brief) always=$(pid_of back)
	docker exec -d lasting sleep 299
	end_back $signal
	ok "SIG$signal of $back: the container runs on" kill -0 "$pid"
	touch "/proc/$brief/root/tmp/end" # ends while nobody listens
	kill -KILL "$always"
	wait_for 10 gone "$brief"
	start_back
	ok "$back is found again" wait_for 60 serves
	is "$(pid_of lasting)" "$pid" "the same process"
	ok "an end that nobody saw is told" wait_for 30 exited_with brief 11
	again() { state_is back running && [ "$(pid_of back)" != "$always" ]; }
	ok "restart policy goes on" wait_for 30 again
	is "$(docker exec lasting sh -c 'echo in')" in "exec"
	tty_run 'exit 4\n' timeout 60 /usr/bin/docker exec -it lasting sh
	is "$status" 4 "exec -it"
	lines=$(docker logs lasting | wc -l)
	longer() { [ "$(docker logs lasting | wc -l)" -gt "$lines" ]; }
	ok "its output still comes" wait_for 10 longer
	try docker pause lasting
	is "$status" 0 "pause"
	docker unpause lasting >/dev/null
	like "$(docker stats --no-stream --format '{{.MemUsage}}' lasting)" "^[1-9]" "stats"
	try docker stop lasting
	ok "stop: its own status" exited_with lasting 8
	docker rm -f lasting brief back >/dev/null
	ok "nothing is left in $back" wait_for 20 lists_only
	is "$(b_ctr c ls -q)" "" "no container either"
done

# --- dockerd goes and comes -----------------------------------------------------------------------
docker run -d --name c3 box sh -c 'trap "exit 12" TERM; while :; do sleep 0.1; done' >/dev/null
docker run -d --name c4 --restart always box sleep 300 >/dev/null
end_dockerd TERM
is "$status" 0 "dockerd ends"
is "$(b_ctr tasks ls -q)" "" "and has stopped its containers"
start_dockerd --live-restore
ok "they have ended for the next" exited_with c3 12
ok "but for the one that restarts always" wait_for 20 state_is c4 running
docker rm -f c3 c4 >/dev/null
for signal in TERM KILL; do
	docker run -d --name c5 box sh -c 'trap "exit 13" TERM; while :; do echo tick; sleep 0.1; done' >/dev/null
	docker run -d --name c6 box sh -c 'while ! test -e /tmp/end; do sleep 0.1; done; exit 14' >/dev/null
	pid=$(pid_of c5) brief=$(pid_of c6)
	end_dockerd $signal
	ok "live restore, SIG$signal: the container runs on" kill -0 "$pid"
	touch "/proc/$brief/root/tmp/end"
	wait_for 10 gone "$brief"
	start_dockerd --live-restore
	is "$(pid_of c5)/$(inspect c5 '{{.State.Status}}')" "$pid/running" "the next dockerd has it"
	ok "and knows of one that ended meanwhile" wait_for 20 exited_with c6 14
	is "$(docker exec c5 echo in)" in "exec"
	lines=$(docker logs c5 | wc -l)
	longer() { [ "$(docker logs c5 | wc -l)" -gt "$lines" ]; }
	ok "its output still comes" wait_for 10 longer
	docker stop c5 >/dev/null
	ok "stop: its own status" exited_with c5 13
	docker rm c5 c6 >/dev/null
	is "$(b_ctr tasks ls -q)$(b_ctr c ls -q)" "" "nothing is left"
done
# both at once
docker run -d --name c7 box sleep 300 >/dev/null
pid=$(pid_of c7)
end_dockerd KILL
end_back KILL
start_back
start_dockerd --live-restore
is "$(pid_of c7)/$(inspect c7 '{{.State.Status}}')" "$pid/running" "both daemons killed: the container is theirs again"
try docker rm -f c7
is "$status" 0 "rm -f"
ok "its process is gone" wait_for 10 gone "$pid"
end_dockerd TERM
is "$(b_ctr tasks ls -q)$(b_ctr c ls -q)" "" "nothing is left at the end"
is "$(our_mounts | grep -v "$work/docker" | wc -l)" 0 "no mount either"
done_testing
