#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gantryd as a daemon: its flags, the root's lock, the service manager, signals, and clients that do harm.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc containerd python3 setpriv
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
make_image
write_config
gantryd=$(built gantryd)
hostile() { timeout 120 python3 "$abs_top_srcdir/tests/gantryd-hostile.py" "$gantryd_socket" "$@"; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$gantryd_pid/status"; }

# --- flags -------------------------------------------------------------------------
try "$gantryd" -V
like "$out" "^gantryd [0-9]" "-V prints the version"
try "$gantryd" --nonsense
is "$status" 2 "an unknown flag"
try "$gantryd" --address
is "$status" 2 "a flag without its value"
try "$gantryd" --log-level loud
like "$err" "log.level" "a value that is none"
try "$gantryd" --address "$work/else.sock" --log-level debug config dump
like "$out" "address = \"$work/else.sock\".*command line" "a flag wins over the file"

# --- the service manager ---------------------------------------------------------------
cat >"$work/notify.py" <<'EOT'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode().replace("\n", " "), flush=True)
EOT
python3 "$work/notify.py" "$work/notify" >"$work/notified" &
notify_pid=$!
wait_for 10 test -S "$work/notify"
umask 000 # modes are not the umask's
NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=400000 start_gantryd || { echo "Bail out! gantryd does not serve"; exit 1; }
umask 022
ok "READY=1 is told" wait_for 10 grep -q READY=1 "$work/notified"
ok "the watchdog gets signs of life" wait_for 10 sh -c "[ \$(grep -c WATCHDOG=1 '$work/notified') -ge 3 ]"
is "$(stat -c %a "$gantryd_socket")" 600 "the socket is its owner's alone"
is "$(stat -c %a "$gantryd_socket.ttrpc")" 600 "and the ttrpc one"
is "$(grep -c '@.*gantry' /proc/net/unix)" 0 "no abstract socket"

# --- who may come in ---------------------------------------------------------------------
modes() { stat -c '%a %n' "$work/root" "$work/state" "$work/state"/*.sock "$work/state"/*.ttrpc "$work/root"/io.* | sed "s|$work/||"; }
is "$(modes | grep -vE '^(700 root|711 state|600 state/gantry.sock(.ttrpc)?|700 root/io[^ ]*)$')" "" "modes of root, state and sockets"
calls() { # COMMAND...: a call as whoever that makes of us
	cp "$abs_top_srcdir/tests/grpc_client.py" "$work/" # where everybody may read it
	PYTHONPATH=$work timeout 20 "$@" "$python" -c '
import sys
from grpc_client import Client
sys.exit(Client(sys.argv[1], timeout=10).call(b"/containerd.services.version.v1.Version/Version") is None)' "$gantryd_socket" 2>/dev/null
}
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
python=$(PATH=/usr/bin:/bin command -v python3) # one that everybody may run
ok "root is served" calls env
ok "another user has what it takes to call" $nobody "$python" -c ''
chmod 666 "$gantryd_socket"
refuses() { ! calls $nobody; }
ok "another user is not, whatever the socket's mode" refuses
chmod 600 "$gantryd_socket"
cp "$abs_top_srcdir/tests/ttrpc_ask.py" "$work/" # where everybody may read it
is "$("$python" "$work/ttrpc_ask.py" "$gantryd_socket.ttrpc" containerd.services.events.ttrpc.v1.Events Forward)" "an answer" "root's shims are served"
chmod 666 "$gantryd_socket.ttrpc"
is "$($nobody "$python" "$work/ttrpc_ask.py" "$gantryd_socket.ttrpc" containerd.services.events.ttrpc.v1.Events Forward)" none "another user's are not, whatever the mode"
chmod 600 "$gantryd_socket.ttrpc"

# --- the root's lock -----------------------------------------------------------------
is "$(cat "$work/root/lock")" "$gantryd_socket" "the lock tells the address"
try timeout 30 "$gantryd"
like "$err" "root $work/root is held by a daemon at $gantryd_socket" "a second daemon on the root"
is "$status" 1 "ends with an error"
ok "and the first one goes on" g_ctr version

end_gantryd
"$ctr_program" images import "$image" >/dev/null
"$ctr_program" run --rm "$image_name" foreground /bin/sleep 300 &
foreground=$!
wait_for 20 sh -c "'$ctr_program' tasks ls | grep -q 'foreground.*RUNNING'"
try timeout 30 "$gantryd"
like "$status/$err" "^1/.*root $work/root is in use by ctr \(process $foreground\), which a daemon cannot share it with" "a program that works without a daemon is waited for, and named"
(sleep 1; exec "$ctr_program" tasks kill -s KILL foreground) &
killer=$!
NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=400000 start_gantryd
ok "one that ends in time makes room" g_ctr version
wait $killer $foreground 2>/dev/null

# --- reload ------------------------------------------------------------------------------
cp "$GANTRY_CONFIG" "$work/before.conf"
{
	grep -v '^state = ' "$work/before.conf"
	echo "state = \"$work/other\";"
	echo "proxy_plugins: { later: { type = \"snapshot\"; address = \"$work/later.sock\"; }; };"
	echo 'grpc-frontend: { workers = 3; };'
} >"$GANTRY_CONFIG"
kill -HUP "$gantryd_pid"
for want in state grpc-frontend.workers proxy_plugins.later; do
	ok "SIGHUP: $want waits for the next start, and the log says so" wait_for 10 grep -q "$want has changed in the configuration: that takes effect at the next start" "$work/gantryd.log"
done
ok "it serves as it did" g_ctr version
cp "$work/before.conf" "$GANTRY_CONFIG"
sed -i '$a log: { level = "debug"; };' "$GANTRY_CONFIG"
kill -HUP "$gantryd_pid"
ok "SIGHUP reloads" wait_for 10 grep -q RELOADING=1 "$work/notified"
echo 'nonsense = 1;' >>"$GANTRY_CONFIG"
kill -HUP "$gantryd_pid"
ok "a configuration that is wrong is told" wait_for 10 grep -q "not loaded again" "$work/gantryd.log"
ok "and changes nothing" g_ctr version
sed -i '$d' "$GANTRY_CONFIG"

# --- containers outlive it ---------------------------------------------------------------
try g_ctr images import "$image"
try g_ctr run -d "$image_name" lasting /bin/sleep 300
is "$status" 0 "a container runs"
pid=$(g_ctr tasks ls | awk '$1 == "lasting" { print $2 }')
g_ctr events >"$work/events" 2>&1 &
events_pid=$!
sleep 0.5
end_gantryd TERM
is "$status" 0 "SIGTERM: a clean end"
ok "STOPPING=1 is told" grep -q STOPPING=1 "$work/notified"
wait $events_pid 2>/dev/null
like "$(cat "$work/events")" "shutting down|transport is closing|EOF" "a subscriber is told"
ok "the container runs on" kill -0 "$pid"
ok "the sockets are gone" sh -c "! test -e '$gantryd_socket' && ! test -e '$gantryd_socket.ttrpc'"
start_gantryd
is "$(g_ctr tasks ls | awk '$1 == "lasting" { print $2, $3 }')" "$pid RUNNING" "a new daemon knows it"
"$ctr_program" events --sequence >"$work/own-events" 2>&1 </dev/null &
own_pid=$!
again() { ctr ns create "$ns-1" && ctr ns rm "$ns-1" && grep -q "$ns-1 /namespaces/delete" "$work/own-events"; }
ok "our ctr's events come" wait_for 20 again
g_ctr events >"$work/events" 2>&1 &
events_pid=$!
again() { ctr ns create "$ns-2" && ctr ns rm "$ns-2" && grep -q "$ns-2 /namespaces/delete" "$work/events"; }
ok "and containerd's ctr's" wait_for 20 again
end_gantryd KILL
wait $events_pid
ok "the container runs on after SIGKILL" kill -0 "$pid"
mv "$work/root/lock" "$work/lock" # as if no daemon had been here: the next command does not wait for one
ctr ns create "$ns-3" && ctr ns rm "$ns-3" >/dev/null
mv "$work/lock" "$work/root/lock"
start_gantryd
g_ctr events >"$work/events" 2>&1 &
events_pid=$!
ok "who subscribes again is told what happened meanwhile" wait_for 20 grep -q "$ns-3 /namespaces/delete" "$work/events"
ok "and not what it was told before" sh -c "! grep -q '$ns-2 ' '$work/events'"
kill $events_pid
wait $events_pid 2>/dev/null
ctr ns create "$ns-4" && ctr ns rm "$ns-4" >/dev/null
ok "our ctr's events go on over two daemons" wait_for 20 grep -q "$ns-4 /namespaces/delete" "$work/own-events"
is "$(awk 'NR > 1 && $1 != last + 1 { n++ } { last = $1 } END { print n + 0 }' "$work/own-events")" 0 \
	"by sequence, with no gap and none twice"
try ctr events --since 1 --no-follow "topic==/namespaces/delete"
like "$status/$out" "^0/.*$ns-1 /namespaces/delete.*$ns-4 /namespaces/delete" "events --since through the daemon"
kill $own_pid
wait $own_pid 2>/dev/null
is "$(g_ctr tasks ls | awk '$1 == "lasting" { print $2, $3 }')" "$pid RUNNING" "and the next daemon knows it"
timeout 60 /usr/bin/ctr --address "$gantryd_socket" tasks rm -f lasting >/dev/null 2>&1
ok "its task is removed" sh -c "! kill -0 $pid 2>/dev/null"
kill $notify_pid 2>/dev/null
wait $notify_pid 2>/dev/null

# --- clients that do harm --------------------------------------------------------------------
before=$(rss)
for case in frame reset ping settings headers short garbage; do
	ok "hostile client: $case" hostile $case
	ok "the daemon serves others after it" g_ctr images ls
done
hostile silent >"$work/silent" 2>&1 &
hostile_pid=$!
ok "100 connections that read nothing have sent" wait_for 60 grep -q sent "$work/silent"
ok "others are served meanwhile" g_ctr images ls
wait $hostile_pid
mkfifo "$work/hold"
hostile subscribers <"$work/hold" >"$work/subscribers" 2>&1 &
hostile_pid=$!
exec 9>"$work/hold"
ok "1,000 subscribers" wait_for 60 grep -q sent "$work/subscribers"
for i in 1 2 3 4 5 6 7 8 9 10; do g_ctr namespaces create "n$i-$$" >/dev/null; g_ctr namespaces rm "n$i-$$" >/dev/null; done
ok "they hold no thread each" wait_for 30 sh -c "[ \$(ls /proc/$gantryd_pid/task | wc -l) -lt 50 ]"
exec 9>&-
wait $hostile_pid

g_ctr run -d "$image_name" waited /bin/sleep 300
hostile waits waited "$ns" >"$work/waits" 2>&1 &
hostile_pid=$!
ok "10,000 calls of Wait" wait_for 60 grep -q sent "$work/waits"
ok "hold no thread each" wait_for 30 sh -c "[ \$(ls /proc/$gantryd_pid/task | wc -l) -lt 50 ]"
ok "others are served meanwhile" g_ctr tasks ls
g_ctr tasks kill -s SIGKILL waited
wait $hostile_pid
like "$(cat "$work/waits")" "answered 10000" "all of them are answered when the process ends"
g_ctr tasks rm waited >/dev/null 2>&1
# What idle workers leave is given back some seconds later; sanitizers keep what is freed.
if nm -D "$gantryd" 2>/dev/null | grep -q "__[at]san"; then skip_one "memory is given back" "sanitizers"; else
	if wait_for 30 sh -c "[ \$(awk '/^VmRSS/ { print \$2 }' /proc/$gantryd_pid/status) -lt $((before + 16384)) ]"; then
		pass "memory is given back"
	else fail "memory is given back" "before $before kB, now $(rss) kB"; fi
fi
end_gantryd TERM
is "$status" 0 "gantryd ends well after all that"
done_testing
