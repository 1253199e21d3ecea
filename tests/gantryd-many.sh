#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Many at once: a daemon that is restarted under many running containers answers at once and has them all; many
# clients with many streams leave nothing behind. MANY=300 STREAMS=10 is the whole of it; short by default.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc containerd python3 jq
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
many=${MANY:-40} streams=${STREAMS:-10}
# Whoever looks gives the machine some room; the whole of it is measured on a quiet one.
answer=${ANSWER_MS:-2000} all=${ALL_MS:-10000}
make_image
write_config
start_gantryd || { tail "$work/gantryd.log"; echo "Bail out! gantryd does not serve"; exit 1; }
g_ctr images import "$image" >/dev/null 2>&1
now() { echo $(($(date +%s%N) / 1000000)); }

# --- restart under running containers -------------------------------------------------------
seq "$many" | xargs -P 8 -I{} timeout 120 /usr/bin/ctr --address "$gantryd_socket" \
	run -d --null-io "$image_name" m{} /bin/sleep 3000 >/dev/null 2>&1
running() { ctr tasks ls | grep -c RUNNING; }
is "$(running)" "$many" "$many containers run"
before=$(ctr tasks ls | awk 'NR > 1 { print $1, $2 }' | sort)
for how in KILL TERM; do
	end_gantryd $how
	began=$(now)
	"$(built gantryd)" 2>>"$work/gantryd.log" &
	gantryd_pid=$!
	until [ -S "$gantryd_socket" ] && timeout 20 /usr/bin/ctr --address "$gantryd_socket" version >/dev/null 2>&1; do
		[ $(($(now) - began)) -lt 30000 ] || break
		sleep 0.01
	done
	answered=$(($(now) - began))
	until [ "$(g_ctr tasks ls | grep -c RUNNING)" = "$many" ]; do
		[ $(($(now) - began)) -lt 60000 ] || break
	done
	has=$(($(now) - began))
	echo "# after SIG$how: the first call was answered after $answered ms, all $many were there after $has ms"
	ok "SIG$how: the next daemon answers within $answer ms" test "$answered" -le "$answer"
	ok "SIG$how: it has all of them within $all ms" test "$has" -le "$all"
	is "$(ctr tasks ls | awk 'NR > 1 { print $1, $2 }' | sort)" "$before" "SIG$how: the same processes"
done

# --- 100 clients with streams each ------------------------------------------------------------
cat >"$work/clients.py" <<'EOT'
# 100 connections to gantryd's socket, each with STREAMS calls of Events.Subscribe open: by hand, HTTP/2 being
# simple enough for that. Prints "open" once all are accepted, and waits for its input to end.
import socket, struct, sys
path, per = sys.argv[1], int(sys.argv[2])
def frame(kind, flags, stream, data): return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + data
def literal(name, value): return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
headers = b"\x83\x86" + literal(b":path", b"/containerd.services.events.v1.Events/Subscribe") + \
    literal(b":authority", b"x") + literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers")
connections = []
for i in range(100):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
    for k in range(per):
        out += frame(1, 4, 2 * k + 1, headers) + frame(0, 1, 2 * k + 1, b"\0\0\0\0\0")
    out += frame(6, 0, 0, b"12345678")
    s.sendall(out)
    connections.append(s)
for s in connections: # the answer to PING comes behind what was sent before
    s.settimeout(60)
    got = b""
    while b"12345678" not in got:
        d = s.recv(65536)
        if not d: sys.exit("closed")
        got += d
print("open", flush=True)
sys.stdin.read()
EOT
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$gantryd_pid/status"; }
sleep 1
before=$(rss)
mkfifo "$work/hold"
timeout 300 python3 "$work/clients.py" "$gantryd_socket" "$streams" <"$work/hold" >"$work/clients" 2>&1 &
clients_pid=$!
exec 9>"$work/hold"
ok "100 clients with $streams streams each" wait_for 120 grep -q open "$work/clients"
ok "hold no thread each" wait_for 60 sh -c "[ \$(ls /proc/$gantryd_pid/task | wc -l) -lt 60 ]"
during=$(rss)
ok "others are served meanwhile" g_ctr images ls
echo "# RSS: $before kB before, $during kB with $((100 * streams)) streams"
ok "they cost at most 32 KiB each" test $((during - before)) -lt $((100 * streams * 32 + 16384))
exec 9>&-
wait $clients_pid
ok "their descriptors are given back" wait_for 60 sh -c "[ \$(ls /proc/$gantryd_pid/fd | wc -l) -lt $((many * 4 + 100)) ]"
if nm -D "$(built gantryd)" 2>/dev/null | grep -q "__[at]san"; then skip_one "memory is given back" "sanitizers"; else
	ok "memory is given back" wait_for 60 sh -c "[ \$(awk '/^VmRSS/ { print \$2 }' /proc/$gantryd_pid/status) -lt $((before + 8192)) ]"
fi

# --- the end ----------------------------------------------------------------------------------
end_gantryd TERM
is "$status" 0 "gantryd ends"
seq "$many" | xargs -P 8 -I{} timeout 60 "$ctr_program" containers rm --force m{} >/dev/null 2>&1
is "$(ctr tasks ls -q)" "" "all are gone"
done_testing
