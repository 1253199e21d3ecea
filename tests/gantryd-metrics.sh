#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The metrics address and the debug socket: the same names as Debian's containerd has for the same container,
# counters that count, and clients that do harm.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc containerd curl python3 jq
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
[ -e "$(plugin_folder)/metrics-frontend.so" ] || skip_all "built without it"
make_image
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
write_config "metrics-frontend: { address = \"127.0.0.1:$port\"; debug_address = \"$work/state/debug.sock\"; connections = 8; timeout = \"2s\"; };"
start_gantryd || { tail "$work/gantryd.log"; echo "Bail out! gantryd does not serve"; exit 1; }
get() { curl -s -m 20 "http://127.0.0.1:$port$1"; }
debug() { curl -s -m 20 --unix-socket "$work/state/debug.sock" "http://debug$1"; }
code() { curl -s -m 20 -o /dev/null -w '%{http_code}' "$@"; }
value() { get /v1/metrics | awk -v n="$1" '$1 == n { print $2 }'; }

# --- the format ---------------------------------------------------------------------------
g_ctr images import "$image" >/dev/null 2>&1
g_ctr run -d --memory-limit 100000000 "$image_name" m1 sleep 1000
get /v1/metrics >"$work/ours"
cat >"$work/format.py" <<'EOT'
import re, sys
families, seen, current, errors = set(), set(), None, []
for line in open(sys.argv[1]):
    line = line.rstrip("\n")
    m = re.fullmatch(r"# (HELP|TYPE) ([a-z_][a-z0-9_]*) (.+)", line)
    if m:
        if m[1] == "HELP":
            if m[2] in families: errors.append("twice: " + m[2])
            families.add(m[2])
        elif m[3] not in ("counter", "gauge"): errors.append(line)
        current = m[2]
        continue
    m = re.fullmatch(r'([a-z_][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (-?[0-9.e+-]+)', line)
    if not m: errors.append("no sample: " + line)
    elif m[1] != current: errors.append("not in its family: " + line)
    elif (m[1], m[2]) in seen: errors.append("twice: " + line)
    else: seen.add((m[1], m[2])); float(m[3])
print(len(seen), *errors[:5], sep="\n")
sys.exit(bool(errors))
EOT
ok "all of it is Prometheus' text format" python3 "$work/format.py" "$work/ours"
like "$(curl -s -m 20 -D - -o /dev/null "http://127.0.0.1:$port/metrics")" "200 OK.*Content-Type: text/plain; version=0.0.4" "its type"
is "$(awk '$1 ~ /^container_pids_current.*"m1"/ { print $2 }' "$work/ours")" 1 "a container of one process"
like "$(grep '^container_memory_usage_limit_bytes' "$work/ours")" "container_id=\"m1\",namespace=\"$ns\",runtime=\"io.containerd.runc.v2\"\} (99999744|100000000)" "its limit, with containerd's labels"
like "$(grep '^containerd_build_info_total' "$work/ours")" "version=\"[^\"]+\",revision=" "the build"
ok "the process" test "$(value process_resident_memory_bytes)" -gt 1000000

# --- containerd's names --------------------------------------------------------------------
theirs=$(free_port)
mkdir -p "$work/cd"
start_containerd_with_metrics() {
	cat >"$work/cd/config.toml" <<EOT
version = 2
root = "$work/cd/root"
state = "$work/cd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/cd/sock"
[ttrpc]
  address = "$work/cd/sock.ttrpc"
[metrics]
  address = "127.0.0.1:$theirs"
[debug]
  address = "$work/cd/debug.sock"
EOT
	containerd --config "$work/cd/config.toml" >"$work/cd/log" 2>&1 &
	containerd_pid=$!
	wait_for 20 their_ctr version
}
start_containerd_with_metrics
their_ctr images import "$image" >/dev/null 2>&1
their_ctr run -d --memory-limit 100000000 "$image_name" m1 sleep 1000
wait_for 20 sh -c "curl -s http://127.0.0.1:$theirs/v1/metrics | grep -q '^container_pids_current'"
curl -s "http://127.0.0.1:$theirs/v1/metrics" >"$work/theirs"
get /v1/metrics >"$work/ours"
# What only they have: CRI, their HTTP handler, Go, and services of a plugin that we do not have.
names() { grep -o '^[a-z_0-9]*' "$1" | sort -u | grep -v '^$'; }
is "$(comm -13 <(names "$work/ours") <(names "$work/theirs") | grep -Ev '^(containerd_cri|go|promhttp)_|^process_virtual_memory_max')" "" "no name of containerd's is missing"
is "$(comm -23 <(names "$work/ours" | grep '^container_') <(names "$work/theirs"))" "$(names "$work/ours" | grep -E '^container_(memory_oom_total)$')" "and of ours for containers only the count of OOMs is more"
methods() { sed -n 's/^grpc_server_started_total{grpc_method="\([^"]*\)",grpc_service="\([^"]*\)",grpc_type="\([^"]*\)".*/\2 \1 \3/p' "$1" | sort; }
is "$(comm -13 <(methods "$work/ours") <(methods "$work/theirs") | grep -v 'Namespaces ListStream')" "" "no method of containerd's API is missing, nor of another type"
types() { awk '/^# TYPE (container|grpc)_/ { print $3, $4 }' "$1" | sort; }
is "$(comm -13 <(types "$work/ours") <(types "$work/theirs"))" "" "the types are the same"

# Tasks.Metrics itself: the same fields in the same message.
fields() { jq -S 'paths(scalars) | map(select(type == "string")) | join(".")' | sort -u; }
g_ctr tasks metrics --format json m1 >"$work/g.json"
their_ctr tasks metrics --format json m1 >"$work/t.json"
is "$(jq 'keys' -c "$work/g.json")" "$(jq 'keys' -c "$work/t.json")" "tasks metrics: the same fields as containerd's"
is "$(comm -3 <(fields <"$work/g.json") <(fields <"$work/t.json"))" "" "and below them"
their_ctr tasks rm -f m1 >/dev/null 2>&1
ok "our ctr pprof drives containerd's debug socket" sh -c "timeout 30 '$ctr_program' pprof --debug-socket '$work/cd/debug.sock' goroutines | grep -q '^goroutine '"

# --- counting ---------------------------------------------------------------------------------
started='grpc_server_started_total{grpc_method="Get",grpc_service="containerd.services.images.v1.Images",grpc_type="unary"}'
missed='grpc_server_handled_total{grpc_method="Get",grpc_service="containerd.services.images.v1.Images",grpc_type="unary",grpc_code="NotFound"}'
before=$(value "$started") before_missed=$(value "$missed")
for i in 1 2 3; do g_ctr run --rm none.example/none:1 x >/dev/null 2>&1; done
is "$(value "$started")" $((before + 3)) "three calls are three"
is "$(value "$missed")" $((before_missed + 3)) "and three were not found"
op='gantry_plugin_calls_total{plugin="snapshotter-overlay",op="prepare"}'
before=$(value "$op")
g_ctr run --rm "$image_name" m2 true
is "$(value "$op")" $((before + 1)) "a plugin's calls"
ok "and their time" test "$(value 'gantry_plugin_seconds_total{plugin="snapshotter-overlay",op="prepare"}' | tr -d .)" -gt 0
g_ctr snapshots rm none >/dev/null 2>&1
g_ctr snapshots prepare bad none >/dev/null 2>&1
like "$(get /metrics | grep '^gantry_plugin_errors_total' | head -n 3)" "class=" "errors by class"
like "$(get /metrics | grep '^gantry_plugin_up')" 'plugin="metadata-lmdb"\} 1' "plugins that work"

# --- the debug socket -----------------------------------------------------------------------------
is "$(stat -c %a "$work/state/debug.sock")" 600 "the debug socket is its owner's alone"
like "$(debug /)" "/debug/threads" "an index"
chmod 666 "$work/state/debug.sock"
is "$(setpriv --reuid 65534 --regid 65534 --clear-groups curl -s -m 20 --unix-socket "$work/state/debug.sock" http://debug/)" "" \
	"another user gets nothing, whatever the socket's mode"
chmod 600 "$work/state/debug.sock"
like "$(debug /debug/plugins)" "io.containerd.snapshotter.v1 +overlayfs +ok" "plugins"
is "$(debug /debug/threads | awk 'NR > 1' | wc -l)" "$(ls "/proc/$gantryd_pid/task" | wc -l)" "threads"
g_ctr events >/dev/null 2>&1 &
events_pid=$!
ok "open calls" wait_for 20 sh -c "curl -s --unix-socket '$work/state/debug.sock' http://debug/debug/calls | grep -Eq '^ +1 .*events.v1.Events/Subscribe'"
kill $events_pid
ok "memory" grep -q '<malloc' <(debug /debug/memory)
is "$(debug /debug/vars | jq -r '.cmdline[0]')" "$(built gantryd)" "vars"
is "$(code --unix-socket "$work/state/debug.sock" http://debug/debug/pprof/profile)" 501 "no profile"
ok "containerd's ctr pprof goroutines" sh -c "timeout 20 /usr/bin/ctr pprof --debug-socket '$work/state/debug.sock' goroutines | grep -q TID"
like "$(ctr pprof --debug-socket "$work/state/debug.sock" threadcreate)" "TID" "and ours"
try ctr pprof --debug-socket "$work/state/debug.sock" profile --seconds 1s
like "$status/$err" "^1/.*501 Not Implemented: gantryd is a C program" "which says what there is not"

# --- clients that do harm ----------------------------------------------------------------------------
is "$(code -X POST -d x=y "http://127.0.0.1:$port/metrics")" 405 "POST"
is "$(code "http://127.0.0.1:$port/../../etc/passwd")" 404 "another path"
is "$(code -H "X: $(printf '%20000s' | tr ' ' x)" "http://127.0.0.1:$port/metrics")" 431 "headers without end"
cat >"$work/harm.py" <<'EOT'
import os, socket, sys, time
port, case = int(sys.argv[1]), sys.argv[2]
def connect():
    s = socket.create_connection(("127.0.0.1", port)); s.settimeout(30); return s
if case == "garbage":
    s = connect(); s.sendall(os.urandom(4096) + b"\r\n\r\n"); s.shutdown(socket.SHUT_WR)
    try:
        while s.recv(4096): pass
    except OSError: pass
elif case == "drip": # all connections, a byte now and then: none may last
    all = [connect() for _ in range(20)]
    began, open_ = time.time(), set(all)
    while open_ and time.time() - began < 30:
        for s in list(open_):
            try: s.sendall(b"G"); s.setblocking(False); open_.discard(s) if s.recv(1) == b"" else None
            except BlockingIOError: pass
            except OSError: open_.discard(s)
            finally:
                try: s.setblocking(True)
                except OSError: pass
        time.sleep(0.2)
    print(len(open_), int(time.time() - began)); sys.exit(bool(open_))
elif case == "unread": # asks, and never reads
    all = []
    for _ in range(8):
        s = connect(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); all.append(s)
    time.sleep(5)
elif case == "pipeline":
    s = connect(); s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
    n = 0
    try:
        while True:
            d = s.recv(65536)
            if not d: break
            n += d.count(b"HTTP/1.1 200")
    except OSError: pass
    print(n); sys.exit(n > 1)
EOT
for case in garbage drip unread pipeline; do
	ok "hostile client: $case" timeout 60 python3 "$work/harm.py" "$port" $case
	ok "others are served after it" wait_for 20 sh -c "[ \"\$(curl -s -m 5 -o /dev/null -w '%{http_code}' http://127.0.0.1:$port/metrics)\" = 200 ]"
done
ok "the API never noticed" g_ctr version
g_ctr tasks rm -f m1 >/dev/null 2>&1
is "$(get /v1/metrics | grep -c '^container_')" 0 "no container, no figures"
end_gantryd
is "$status" 0 "gantryd ends"
ok "the debug socket is gone" test ! -e "$work/state/debug.sock"

# --- a unix socket, and addresses that are none ----------------------------------------------------
sed -i "s|address = \"127.0.0.1:$port\"|address = \"unix://$work/state/metrics.sock\"|" "$GANTRY_CONFIG"
start_gantryd
ok "figures on a unix socket" sh -c "curl -s --unix-socket '$work/state/metrics.sock' http://m/v1/metrics | grep -q '^process_open_fds'"
is "$(stat -c %a "$work/state/metrics.sock")" 600 "which is its owner's alone"
end_gantryd
for bad in localhost:80 127.0.0.1 127.0.0.1:99999 '[::1' 300.1.1.1:80; do
	sed -i "s|^metrics-frontend: { address = \"[^\"]*\"|metrics-frontend: { address = \"$bad\"|" "$GANTRY_CONFIG"
	try timeout 30 "$(built gantryd)"
	like "$status/${err//"$bad"/BAD}" "^1/.*metrics-frontend.address: .*\"BAD\"" "no address: $bad"
done
done_testing
