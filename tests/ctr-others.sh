#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The smaller commands: sandboxes, shim, install, and what tells about the program itself.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc jq
write_config
make_image
try ctr images import "$image"
is "$status" 0 "import"
B=$image_name

# --- shim ----------------------------------------------------------------------------------
ctr run -d $B s1 sh -c 'echo up; exec sleep 1000'
pid=$(ctr tasks ls | awk '$1 == "s1" { print $2 }')
try ctr shim --id s1 state
is "$status/$(jq -r '[.id, .pid, .status] | @tsv' <<<"$out")" "0/s1	$pid	2" "shim state"
for v in 2 3; do
	try ctr shim --id s1 state --task-id s1 --api-version $v
	is "$status/$(jq -r '[.id, .pid, .status] | @tsv' <<<"$out")" "0/s1	$pid	2" "shim state --api-version $v"
done
try ctr shim --id s1 state --api-version 4
is "$status/$err" "1/ctr: unsupported API version: 4" "shim state --api-version of none"
try ctr shim pprof -d "$work/none" heap
like "$status/$err" "^1/ctr: connect to the debug socket $work/none" "shim pprof"
cat >"$work/process.json" <<'EOJ'
{ "args": ["sh", "-c", "echo $X in $PWD >/made; sleep 1000"], "env": ["PATH=/bin:/usr/bin"], "cwd": "/", "user": { "uid": 0, "gid": 0 } }
EOJ
try ctr shim --id s1 exec --spec "$work/process.json" --env X=value --cwd /tmp e1
like "$status/$out" '^0/exec running with pid [0-9]+$' "shim exec"
is "$(wait_for 20 ctr tasks exec --exec-id w s1 test -s /made; ctr tasks exec --exec-id r s1 cat /made)" "value in /tmp" "shim exec: env and cwd"
try ctr shim --id s1 exec e2
is "$status/$err" '1/ctr: Required flag "spec" not set' "shim exec without a spec"
try ctr shim --id s1 shutdown
is "$status" 0 "shim shutdown with a container: stays"
ok "the container runs on" sh -c "'$ctr_program' t ls | grep -q 's1 .*RUNNING'"
try ctr shim state
is "$status/$err" "1/ctr: container id must be specified" "shim without --id"
try ctr shim --id nobody state
like "$status/$err" '^1/ctr: no shim of nobody in namespace ' "no such shim"
try ctr shim --id s1 delete
is "$status/$err" "1/ctr: cannot delete a running process" "shim delete of what runs"
ctr tasks kill -s KILL s1
wait_for 20 sh -c "'$ctr_program' t ls | grep -q 's1 .*STOPPED'"
try ctr shim --id s1 delete
is "$status/$out" "0/container deleted and returned exit status 137" "shim delete"
ctr c rm --force s1

# --- sandboxes -----------------------------------------------------------------------------
ctr oci spec >"$work/pod.json"
try ctr sandboxes run "$work/pod.json" p1
is "$status/$out" 0/p1 "sandboxes run"
try ctr sb c --runtime io.containerd.gantry.v1 "$work/pod.json" p2
is "$status/$out" 0/p2 "sandboxes create"
try ctr s ls
like "$out" $'^ID +CREATED +RUNTIME +\n''p1 +20[0-9-]+ [0-9:.]+ \+0000 UTC +io.containerd.runc.v2 +'$'\n''p2 .*io.containerd.gantry.v1' "sandboxes ls"
is "$(ctr sandboxes ls --filters id==p2 | grep -c '^p')" 1 "sandboxes ls --filters"
is "$(ctr sandbox info p1 | jq -r '[.ID, .Runtime.Name, .Spec.ociVersion != null] | @tsv')" "p1	io.containerd.runc.v2	true" "sandboxes info"
try ctr sandboxes run "$work/pod.json" p1
like "$status/$err" '^1/.*already exists' "sandboxes run twice"
try ctr sandboxes rm --force p1
like "$status/$err" '^0/.*deleted: p1' "sandboxes rm --force"
ctr sandboxes run "$work/pod.json" p1
try ctr sandboxes rm p1 p3 p2
like "$status/$err" '^0/.*deleted: p1.*failed to delete sandbox p3.*not found.*deleted: p2' "sandboxes rm: logs, and goes on"
sandbox_shim() { pgrep -f "containerd-shim-gantry-v1 .*-namespace $ns .*-id $1( |$)"; }
sandbox_left() { # ID: what there still is of it
	ctr sandboxes ls | grep "^$1 "
	sandbox_shim "$1"
	find "$work/state/io.containerd.sandbox.controller.v1.shim" -name "$1"
}
ctr sandboxes run "$work/pod.json" p5
shim=$(sandbox_shim p5)
like "$shim" '^[0-9]+$' "a sandbox is a shim that runs"
ok "with a bundle of its own" test -s "$work/state/io.containerd.sandbox.controller.v1.shim/$ns/p5/config.json"
for id in in1 in2; do ctr run -d --null-io --sandbox p5 $B $id sleep 1000; done
is "$(ctr tasks ls | awk '/^in/ { print $1, $3 }' | sort | tr '\n' ' ')$(sandbox_shim in1)$(sandbox_shim in2)" "in1 RUNNING in2 RUNNING " "its containers are in it, without a shim each"
is "$(ps -o ppid= -p "$(ctr tasks ls | awk '/^in1/ { print $2 }')" | tr -d ' ')" "$shim" "they are its children"
is "$(ctr c info in1 | jq -r .SandboxID)" p5 "and say whose they are"
try ctr sandboxes rm p5
like "$status/$err" '^0/.*failed to delete sandbox p5.*has containers that are not deleted: in[12],' "sandboxes rm of one with containers: says which"
ctr c rm --force in1 in2
try ctr sandboxes rm p5
like "$status/$err" '^0/.*deleted: p5' "sandboxes rm"
is "$(sandbox_left p5)" "" "nothing is left of it"
for how in KILL STOP; do # states that hang elsewhere
	ctr sandboxes run "$work/pod.json" p6
	kill -$how "$(sandbox_shim p6)"
	begin=$SECONDS
	try ctr sandboxes rm --force p6
	like "$status/$err" '^0/.*deleted: p6' "sandboxes rm --force where the shim got SIG$how"
	ok "in under 10 s" test $((SECONDS - begin)) -lt 10
	is "$(sandbox_left p6)" "" "nothing is left of it"
done
echo '{' >"$work/bad.json"
try ctr sandboxes run "$work/bad.json" p4
is "$status" 1 "a config that is no JSON"

# --- install -------------------------------------------------------------------------------
try ctr install --path "$work/opt" $B
is "$status/$out/$err" "0//" "install"
ok "the image's programs are there" test -f "$work/opt/bin/busybox" -a -x "$work/opt/bin/busybox"
is "$(find "$work/opt" -type l)" "" "as files, not links"
try ctr install --path "$work/opt" $B
like "$status/$err" '^1/ctr: cannot replace .* already exists$' "install over what is there"
echo old >"$work/opt/bin/busybox"
try ctr install --replace --path "$work/opt" $B
is "$status/$(wc -c <"$work/opt/bin/busybox" | awk '{ print ($1 > 1000) }')" "0/1" "install --replace"
is "$(ctr snapshots ls | grep -c install)" 0 "no snapshot is left"
try ctr install nothing
is "$status" 1 "install of no image"

# --- about itself ----------------------------------------------------------------------------
is "$(ctr info | jq -r '.server | [(.uuid | length), (.pid > 0), (.pidns > 0), .deprecations] | @json')" "[36,true,true,[]]" "info"
try ctr deprecations list
is "$status/$out" 0/ "deprecations list: none"
is "$(ctr deprecations list --format json)" "[]" "deprecations list --format json"
try ctr plugins inspect-runtime --runtime "$(built containerd-shim-gantry-v1)"
is "$status/$(jq -r '.features.ociVersionMin != null or .name != null' <<<"$out")" "0/true" "plugins inspect-runtime"
try ctr plugins inspect-runtime --runtime nonsense
is "$status" 1 "plugins inspect-runtime of none"
try ctr pprof --debug-socket "$work/none.sock" heap
like "$status/$err" "^1/ctr: connect to the debug socket $work/none.sock .*No such file" "pprof with no daemon"
for p in block goroutines profile threadcreate trace; do
	ctr pprof --debug-socket "$work/none.sock" $p >/dev/null 2>&1
	is "$?" 1 "pprof $p"
done
done_testing
