#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What hangs holds up nobody else: a shim that is stopped, a proxy plugin that hangs, a registry that says
# nothing, clients that do not read. The 99th percentile of other calls is measured quiet and with each of them. bench/wedged.sh
# runs this with WEDGED_CALLS=2000 on a quiet machine, for the ratios; here the bound is generous.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc containerd python3
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
calls=${WEDGED_CALLS:-300}
make_image
wedged=$work/wedged.sock
write_config 'proxies: { timeout = "60s"; options = [ "connect_timeout=60s", "stall_timeout=60s" ]; };' \
	"proxy_plugins: {
		far: { type = \"snapshot\"; address = \"$wedged\"; };
	};"
B=$image_name
export PYTHONPATH=$abs_top_srcdir/tests
latency() { # NAME: into a file of that name
	local quiet=
	[ "$1" = quiet ] || quiet=$work/quiet
	timeout 120 python3 "$abs_top_srcdir/tests/latency.py" "$gantryd_socket" "$ns" idle1 "$calls" $quiet >"$work/$1"
	status=$?
	sed "s/^/# $1: /" "$work/$1"
	is "$status" 0 "$1: all calls are answered"
}
in_time() { # NAME: each is within ten times of quiet, or 20 ms
	is "$(awk '$4 > 10 && $3 > 20000' "$work/$1")" "" "$1: other calls are as quick as they were"
}
start_gantryd || { tail "$work/gantryd.log"; echo "Bail out! gantryd does not serve"; exit 1; }
ok "import" g_ctr images import "$image"
g_ctr run -d --null-io "$B" idle1 sleep 100000
g_ctr run -d --null-io "$B" idle2 sleep 100000
timeout 60 python3 "$abs_top_srcdir/tests/latency.py" "$gantryd_socket" "$ns" idle1 50 >/dev/null # warm
latency quiet

# --- a stopped shim, and clients that ask it ------------------------------------------------
pid=$(g_ctr tasks ls | awk '$1 == "idle2" { print $2 }')
shim=$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")
kill -STOP "$shim"
asking=
for i in 1 2 3 4 5 6 7 8; do
	timeout 100 "$ctr_program" tasks exec --exec-id "x$i" idle2 true >/dev/null 2>&1 </dev/null &
	asking+=" $!"
	timeout 100 "$ctr_program" tasks ps idle2 >/dev/null 2>&1 </dev/null &
	asking+=" $!"
done
sleep 1
latency shim
in_time shim
like "$(g_ctr tasks ls)" "idle2 +[0-9]+ +UNKNOWN" "a task that nothing can be known of is UNKNOWN"
kill -CONT "$shim"
wait $asking 2>/dev/null
runs_again() { g_ctr tasks ls | grep -qE "^idle2 +$pid +RUNNING"; }
ok "it is RUNNING once its shim goes on" wait_for 20 runs_again

# --- a proxy plugin that takes connections and does not answer, and clients that ask for it --------
cat >"$work/hangs.py" <<'EOT'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(100)
held = []
while True:
    held.append(s.accept())
    print("asked", flush=True)
EOT
python3 "$work/hangs.py" "$wedged" >"$work/asked" &
hangs=$!
wait_for 10 test -S "$wedged"
asking=
for i in 1 2 3 4 5 6 7 8; do
	g_ctr snapshots --snapshotter far prepare "w$i" >/dev/null 2>&1 </dev/null &
	asking+=" $!"
	g_ctr snapshots --snapshotter far usage >/dev/null 2>&1 </dev/null &
	asking+=" $!"
	timeout 100 "$ctr_program" plugins ls -d id==far >/dev/null 2>&1 </dev/null &
	asking+=" $!"
done
ok "the far side is asked" wait_for 20 test -s "$work/asked"
sleep 1
latency proxy
in_time proxy
kill $hangs
wait $hangs 2>/dev/null
wait $asking 2>/dev/null
rm -f "$wedged"
like "$(ctr plugins ls)" "far +[a-z0-9/]+ +pending" "it is pending once it is gone"

# --- a registry that says nothing, and clients that pull from it --------------------------------
cat >"$work/silent.py" <<'EOT'
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(100)
print(s.getsockname()[1], flush=True)
held = []
while True:
    held.append(s.accept())
EOT
python3 "$work/silent.py" >"$work/port" &
registry=$!
wait_for 10 test -s "$work/port"
port=$(cat "$work/port")
python3 - "$gantryd_socket" "$ns" "$port" >"$work/pulls" 2>&1 <<'EOT' &
# Transfers in the daemon: TransferRequest { source = 1: Any OCIRegistry { reference = 1 },
# destination = 2: Any ImageStore { name = 1 } }
import sys, time
from grpc_client import Client, call, proto
path, space, port = sys.argv[1], sys.argv[2].encode(), sys.argv[3].encode()
kept = []
for i in range(8):
    c = Client(path, space)
    name = b"localhost:" + port + b"/none/x%d:1" % i
    source = proto((1, b"types.containerd.io/containerd.types.transfer.OCIRegistry"), (2, proto((1, name))))
    target = proto((1, b"types.containerd.io/containerd.types.transfer.ImageStore"), (2, proto((1, name))))
    c.s.sendall(call(1, b"/containerd.services.transfer.v1.Transfer/Transfer",
                     proto((1, source), (2, target)), 1, space))
    kept.append(c)
print("sent", flush=True)
time.sleep(60)
EOT
pulls=$!
wait_for 20 grep -q sent "$work/pulls"
sleep 1
latency registry
in_time registry
kill $pulls $registry
wait $pulls $registry 2>/dev/null

# --- clients that do not read -----------------------------------------------------------------
mkfifo "$work/hold"
python3 - "$gantryd_socket" "$ns" >"$work/stuck" 2>&1 <<'EOT' 3<"$work/hold" &
import os, sys
from grpc_client import call, connect
path, space = sys.argv[1], sys.argv[2].encode()
kept = []
for i in range(50):
    s = connect(path)
    s.sendall(b"".join(call(2 * k + 1, b"/containerd.services.events.v1.Events/Subscribe", b"", 1, space) for k in range(4)))
    s.sendall(b"".join(call(2 * k + 1, b"/containerd.services.images.v1.Images/List", b"", 1, space) for k in range(4, 504)))
    kept.append(s)
print("sent", flush=True)
os.read(3, 1)
EOT
stuck=$!
exec 9>"$work/hold"
ok "clients have sent what they do not read" wait_for 60 grep -q sent "$work/stuck"
sleep 1
latency readers
in_time readers
exec 9>&-
wait $stuck
ok "the daemon is as it was" g_ctr version
for id in idle1 idle2; do g_ctr tasks rm -f $id >/dev/null 2>&1; g_ctr containers rm $id; done
end_gantryd
is "$status" 0 "gantryd ends well"
done_testing
