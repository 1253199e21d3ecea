#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The restart monitor, with real containers: every policy, kills of containers and of the daemon, and labels
# that an image brings.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc containerd jq python3
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
make_image
write_config 'restart-frontend: { interval = "200ms"; };'
r=containerd.io/restart
start_gantryd || { tail "$work/gantryd.log"; echo "Bail out! gantryd does not serve"; exit 1; }
g_ctr images import "$image" >/dev/null 2>&1

make() { # ID COMMAND LABEL=VALUE...: a container that nobody has started
	local id=$1 command=$2 labels=() l
	shift 2
	for l in "$@"; do labels+=(--label "$r.$l"); done
	ctr containers create "${labels[@]}" "$image_name" "$id" /bin/sh -c "$command"
}
pid_of() { ctr tasks ls 2>/dev/null | awk -v id="$1" '$1 == id && $3 == "RUNNING" { print $2 }'; }
runs() { [ -n "$(pid_of "$1")" ]; }
runs_anew() { local p; p=$(pid_of "$1"); [ -n "$p" ] && [ "$p" != "$2" ]; }
label() { ctr containers info "$1" | jq -r --arg k "$r.$2" '.Labels[$k] // ""'; }
counts() { [ "$(label "$1" count)" -ge "$2" ] 2>/dev/null; }
has_no_task() { ! ctr tasks ls | grep -q "^$1 "; }
is_stopped() { ctr tasks ls | grep -q "^$1 .*STOPPED"; }
# Rounds go on meanwhile: what has not come after several will not.
rounds() {
	local before
	before=$(label clock count)
	wait_for 60 counts clock $((${before:-0} + 4))
}

# --- always ---------------------------------------------------------------------------------
make always 'exec sleep 1000' status=running policy=always loguri="file://$work/always.log"
ok "always: what has no task is started" wait_for 30 runs always
is "$(label always count)" 1 "its count"
pid=$(pid_of always)
kill -KILL "$pid"
ok "killed, it runs again" wait_for 30 runs_anew always "$pid"
is "$(label always count)" 2 "its count"
pid=$(pid_of always)
g_ctr tasks kill -s SIGKILL always
ok "killed by its users, it runs again" wait_for 30 runs_anew always "$pid"
g_ctr tasks rm -f always >/dev/null 2>&1
ok "deleted, it runs again" wait_for 30 runs always

# A clock: it ends at once, and is started in every round.
make clock 'echo tick' status=running loguri="file://$work/clock.log"
ok "without a policy: always" wait_for 60 counts clock 3
ok "the output goes where the label says" wait_for 20 grep -q tick "$work/clock.log"

# --- no, unless-stopped, on-failure ---------------------------------------------------------
make never 'exec sleep 1000' status=running policy=no
make unless 'exec sleep 1000' status=running policy=unless-stopped
make failing 'exit 3' status=running policy=on-failure:2
make well 'exit 0' status=running policy=on-failure
make mistaken 'exec sleep 1000' status=running policy=sometimes
make unlabelled 'exec sleep 1000'
ok "unless-stopped: started" wait_for 30 runs unless
ctr containers label unless "$r.explicitly-stopped=true" >/dev/null
g_ctr tasks kill -s SIGKILL unless
ok "on-failure of what never ran: not started" rounds
is "$(pid_of failing)$(pid_of well)$(label failing count)$(label well count)" "" "neither of them"
g_ctr tasks start -d failing >/dev/null 2>&1
g_ctr tasks start -d well >/dev/null 2>&1
ok "on-failure:2 is started twice" wait_for 30 counts failing 2
ok "rounds" rounds
is "$(label failing count)" 2 "and not again"
is "$(label well count)" "" "what ended well is not started again"
ok "unless-stopped, and stopped: it stays so" is_stopped unless
ctr containers label unless "$r.explicitly-stopped=false" >/dev/null
ok "and runs again once that is over" wait_for 30 runs unless
is "$(pid_of never)$(pid_of mistaken)$(pid_of unlabelled)" "" "no, an unknown policy, no labels: none runs"
ok "the log names what it does not know" grep -q 'restart.policy is .*sometimes.*: expected always, no' "$work/gantryd.log"

# --- stopped ---------------------------------------------------------------------------------
ctr containers label always "$r.status=stopped" >/dev/null
ok "stopped: its task is ended and deleted" wait_for 30 has_no_task always
ctr containers label always "$r.status=running" >/dev/null
ok "and it runs again" wait_for 30 runs always
g_ctr tasks pause always
ok "rounds" rounds
like "$(ctr tasks ls)" "always +[0-9]+ +PAUSED" "what is paused stays so"
g_ctr tasks resume always

make created 'exec sleep 1000' status=running policy=no
python3 -c '
import sys
sys.path.insert(0, sys.argv[1])
import grpc_client
c = grpc_client.Client(sys.argv[2], sys.argv[3].encode())
sys.exit(c.call(b"/containerd.services.tasks.v1.Tasks/Create", grpc_client.proto((1, b"created"))) is None)
' "$abs_top_srcdir/tests" "$gantryd_socket" "$ns"
is "$?" 0 "a task that is created, and left so"
like "$(ctr tasks ls)" "created +[0-9]+ +CREATED" "is not started by policy no"
ctr containers label created "$r.policy=always" >/dev/null
ok "with always it runs, after an interval" wait_for 30 runs created
ctr containers label created "$r.status=stopped" >/dev/null
ok "and stops" wait_for 30 has_no_task created

# --- the daemon ends, and comes back -----------------------------------------------------------
pid=$(pid_of always)
end_gantryd TERM
is "$status" 0 "the daemon ends well"
kill -0 "$pid"
is "$?" 0 "the container runs on"
start_gantryd
ok "rounds" rounds
is "$(pid_of always)" "$pid" "what runs is not started again"
end_gantryd KILL
kill -KILL "$pid"
start_gantryd
ok "what ended without a daemon is started by the next" wait_for 30 runs_anew always "$pid"
pid=$(pid_of always)
end_gantryd KILL
for p in $(our_processes); do grep -q containerd-shim "/proc/$p/cmdline" && kill -KILL "$p"; done 2>/dev/null
kill -KILL "$pid" 2>/dev/null
start_gantryd
ok "and so is one whose shim died, too" wait_for 30 runs_anew always "$pid"

# --- reload ------------------------------------------------------------------------------------
sed -i 's/interval = "200ms"/interval = "1h"/' "$GANTRY_CONFIG"
kill -HUP "$gantryd_pid"
pid=$(pid_of always)
sleep 1 # a round that is under way
before=$(label clock count)
sleep 2
is "$(label clock count)" "$before" "a longer interval, by SIGHUP"
sed -i 's/interval = "1h"/interval = "100ms"/' "$GANTRY_CONFIG"
kill -HUP "$gantryd_pid"
ok "and a shorter one" wait_for 90 counts clock $((before + 3))
sed -i 's/interval = "100ms"/interval = "0s"/' "$GANTRY_CONFIG"
try "$(built gantryd)" config check "$GANTRY_CONFIG"
like "$status/$err" "^1/.*restart-frontend.interval" "an interval of nothing"
sed -i 's/interval = "0s"/interval = "200ms"/' "$GANTRY_CONFIG"

# --- what an image says -------------------------------------------------------------------------
python3 - "$image" "$work/evil.tar" "$work/evil" <<'EOT'
import hashlib, io, json, sys, tarfile
source, target, proof = sys.argv[1:]
t = tarfile.open(source)
files = {m.name: t.extractfile(m).read() for m in t if m.isfile()}
def blob(data):
    digest = hashlib.sha256(data).hexdigest()
    files["blobs/sha256/" + digest] = data
    return "sha256:" + digest, len(data)
index = json.loads(files["index.json"])
d = index["manifests"][0]
manifest = json.loads(files["blobs/sha256/" + d["digest"][7:]])
config = json.loads(files["blobs/sha256/" + manifest["config"]["digest"][7:]])
labels = {"containerd.io/restart.status": "running", "containerd.io/restart.policy": "always",
          "containerd.io/restart.loguri": "binary:///bin/touch?" + proof}
config.setdefault("config", {})["Labels"] = dict(labels, harmless="yes")
manifest["config"]["digest"], manifest["config"]["size"] = blob(json.dumps(config).encode())
manifest["annotations"] = labels
d["digest"], d["size"] = blob(json.dumps(manifest).encode())
d.setdefault("annotations", {}).update(labels)
d["annotations"]["io.containerd.image.name"] = "example.com/evil:1"
files["index.json"] = json.dumps(index).encode()
out = tarfile.open(target, "w")
for name, data in files.items():
    if name == "manifest.json":
        continue
    m = tarfile.TarInfo(name)
    m.size = len(data)
    out.addfile(m, io.BytesIO(data))
out.close()
EOT
try ctr images import "$work/evil.tar"
is "$status" 0 "an image with restart labels"
try ctr run --rm example.com/evil:1 evil1 echo ran
is "$out" ran "it runs"
try ctr containers create example.com/evil:1 evil2 sleep 1000
is "$(ctr containers info evil2 | jq -c '.Labels | keys | map(select(startswith("containerd.io/restart")))')" "[]" "its labels do not reach the container"
is "$(ctr containers info evil2 | jq -r .Labels.harmless)" yes "others do"
ok "rounds" rounds
is "$(pid_of evil2)" "" "and nothing starts it"
ok "nor was the program run that it names" test ! -e "$work/evil"

# --- the end --------------------------------------------------------------------------------------
for id in always created clock never unless failing well mistaken unlabelled evil2; do ctr containers rm --force "$id"; done
is "$(ctr containers ls -q)" "" "deleted, they stay away"
ok "no task is left" sh -c "[ -z \"\$(timeout 60 $ctr_program tasks ls -q)\" ]"
end_gantryd
is "$status" 0 "gantryd ends"
done_testing
