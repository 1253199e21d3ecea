#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of ctr at any moment loses no container and leaves nothing that the next commands cannot clean.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc python3
rounds=${KILL_ROUNDS:-40}
write_config
make_image
B=$image_name
ok "import" ctr images import "$image"

ok "a container that must outlive all this" ctr run -d --null-io "$B" keeper sleep 1000
# How long one takes here, in ms: the kills are spread over it.
took=$(python3 - "$ctr_program" "$B" <<'EOF'
import subprocess, sys, time
t = time.time()
subprocess.run([sys.argv[1], "run", "--rm", sys.argv[2], "probe", "/bin/true"], check=True)
print(int((time.time() - t) * 1000) + 20)
EOF
)
mounts_before=$(our_mounts | wc -l)
bad=
for i in $(seq "$rounds"); do
	delay=$((took * i / rounds))
	case $((i % 3)) in
	0) set -- run --rm "$B" "k$i" /bin/true ;;
	1) set -- run -d --null-io "$B" "k$i" sleep 1000 ;;
	2) set -- run --rm "$B" "k$i" sh -c 'sleep 0.05' ;;
	esac
	"$ctr_program" "$@" >/dev/null 2>&1 </dev/null &
	pid=$!
	sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	# What a user would do next: end it, whatever is there of it.
	ctr tasks kill -s KILL "k$i" >/dev/null 2>&1
	ctr tasks delete -f "k$i" >/dev/null 2>&1
	ctr containers delete "k$i" >/dev/null 2>&1
	ctr snapshots rm "k$i" >/dev/null 2>&1
	ctr run --rm "$B" "k$i" /bin/true >/dev/null 2>"$work/err" || bad="$bad k$i($(cat "$work/err"))"
done
is "$bad" "" "after each of $rounds kills the same name runs again"
try ctr tasks ls
like "$out" "keeper +[0-9]+ +RUNNING" "the other container runs on"
try ctr containers ls -q
is "$out" keeper "no container is left but that one"
try ctr tasks ls -q
is "$out" keeper "no task either"
is "$(our_mounts | wc -l)" "$mounts_before" "no mount is left"
is "$(find "$work/state" -path '*runtime.v2.task*' -name 'k[0-9]*' | head -n 3)" "" "no bundle is left"
is "$(find "$work/state/runc" -mindepth 2 -maxdepth 2 -name 'k[0-9]*' | head -n 3)" "" "runc knows of none"
is "$(find /sys/fs/cgroup -maxdepth 3 -path "*/$ns/k[0-9]*" -type d 2>/dev/null | head -n 3)" "" "no cgroup is left"
ok "the next command cleans up folders of snapshots" ctr snapshots ls
live=$(ctr snapshots ls | awk 'NR > 1 { print $1 }' | sort | paste -sd' ')
is "$(echo "$live" | tr ' ' '\n' | grep -c '^k[0-9]')" 0 "no snapshot of theirs is left"
shims=$(our_processes | while read -r p; do tr '\0' ' ' <"/proc/$p/cmdline"; echo; done | grep -c 'containerd-shim-gantry')
is "$shims" 1 "one shim is left: keeper's"

# In the middle of an import that nobody repeats, and of a run that nobody cleans up after: what is left is
# gone once it is asked for, and what is in use is not.
blobs_of() { find "$work/root/io.containerd.content.v1.content" -type f | wc -l; }
layers_of() { find "$work/root" -path '*snapshotter.v1*/snapshots/*' -maxdepth 4 -mindepth 3 -type d -name '[0-9]*' | wc -l; }
try ctr system prune --containers
is "$status" 0 "prune"
blobs_before=$(blobs_of) layers_before=$(layers_of) snapshots_before=$(ctr snapshots ls | sort)
mkdir "$work/tree" && head -c 3000000 /dev/urandom >"$work/tree/random"
tar -C "$work/tree" -cf "$work/layer.tar" . && other=$work/other.tar
python3 - "$work/layer.tar" "$other" <<'EOF_PY'
import hashlib, io, json, sys, tarfile
def blob(t, data):
    digest = hashlib.sha256(data).hexdigest()
    i = tarfile.TarInfo("blobs/sha256/" + digest); i.size = len(data)
    t.addfile(i, io.BytesIO(data))
    return {"digest": "sha256:" + digest, "size": len(data)}
layer = open(sys.argv[1], "rb").read()
with tarfile.open(sys.argv[2], "w") as t:
    l = dict(blob(t, layer), mediaType="application/vnd.oci.image.layer.v1.tar")
    c = dict(blob(t, json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers",
        "diff_ids": [l["digest"]]}}).encode()), mediaType="application/vnd.oci.image.config.v1+json")
    m = dict(blob(t, json.dumps({"schemaVersion": 2, "config": c, "layers": [l]}).encode()),
        mediaType="application/vnd.oci.image.manifest.v1+json",
        annotations={"io.containerd.image.name": "docker.io/library/never:1"})
    for name, text in (("index.json", {"schemaVersion": 2, "manifests": [m]}),
                       ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        data = json.dumps(text).encode()
        i = tarfile.TarInfo(name); i.size = len(data)
        t.addfile(i, io.BytesIO(data))
EOF_PY
for i in $(seq 12); do
	case $((i % 2)) in
	0) set -- images import "$other" ;;
	1) set -- run --rm "$B" "left$i" /bin/true ;;
	esac
	"$ctr_program" "$@" >/dev/null 2>&1 </dev/null &
	pid=$!
	sleep "$(printf '0.%03d' $((2 + took * i / 12)))"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	# One of them may have come to its end.
	ctr images rm docker.io/library/never:1 >/dev/null 2>&1
done
# A task that was created, and not yet started, may be somebody's: it is deleted by name.
for id in $(ctr tasks ls -q | grep "^left"); do ctr tasks delete -f "$id" >/dev/null 2>&1; done
gone() {
	ctr system prune --containers >/dev/null 2>&1
	[ "$(ctr containers ls -q)/$(ctr tasks ls -q)" = keeper/keeper ] &&
		[ "$(blobs_of)/$(layers_of)" = "$blobs_before/$layers_before" ] &&
		[ "$(ctr snapshots ls | sort)" = "$snapshots_before" ]
}
wait_for 30 gone || true
is "$(ctr containers ls -q)/$(ctr tasks ls -q)" keeper/keeper "prune: the container in use is all there is"
is "$(blobs_of)" "$blobs_before" "prune: no blob of a killed import is left"
is "$(ctr snapshots ls | sort)" "$snapshots_before" "prune: no snapshot is left"
is "$(layers_of)" "$layers_before" "prune: nor a folder of one without a record"
try ctr tasks exec --exec-id after keeper echo here
is "$status/$out" "0/here" "the other container works on"

# In the middle of an import: the next import succeeds, and nothing is doubled.
for i in $(seq 10); do
	"$ctr_program" -n imp images import "$image" >/dev/null 2>&1 </dev/null &
	pid=$!
	sleep "0.0$((i - 1))"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
done
ok "import after ten that were killed" ctr -n imp images import "$image"
try ctr -n imp run --rm "$B" i1 echo whole
is "$status/$out" "0/whole" "and its image runs"
done_testing
