#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checkpoints: through the real CRIU as far as it gets on this kernel, and the whole way with a runtime
# program that stands in for runc's part that needs it.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc jq
write_config
make_image
try ctr images import "$image"
is "$status" 0 "import"
B=$image_name
# runc, but for checkpoint and restore: those save and check a file, and start the process anew.
cat >"$work/standin" <<STANDIN
#!/usr/bin/env bash
args=("\$@")
id=\${args[-1]}
for i in "\${!args[@]}"; do
	case \${args[i]} in
	--image-path) image=\${args[i+1]} ;;
	--bundle) bundle=\${args[i+1]} ;;
	--pid-file) pid=\${args[i+1]} ;;
	--root) root=\${args[i+1]} ;;
	--work-path) place=\${args[i+1]} ;;
	checkpoint|restore) verb=\${args[i]} ;;
	esac
done
case \${verb:-} in
checkpoint)
	if [ -e "$work/fails" ]; then
		printf '(00.01) fine\n(00.02) Error (criu/vdso.c:1): no vDSO\n(00.03) Error (criu/dump.c:2): Dumping FAILED.\n' >"\$place/dump.log"
		echo "criu failed" >&2
		exit 1
	fi
	echo "state of \$id" >"\$image/core-1.img"
	[ -z "\${place:-}" ] || echo dumped >"\$place/dump.log"
	case " \$* " in *" --leave-running "*) ;; *) runc --root "\$root" kill "\$id" KILL ;; esac
	[ ! -e "$work/links" ] || ln -s /etc/passwd "\$image/link.img" ;;
restore)
	[ ! -e "$work/refuses" ] || { echo "CRIU will not" >&2; exit 4; }
	grep -q "state of" "\$image/core-1.img" || exit 3
	runc --root "\$root" create --bundle "\$bundle" --pid-file "\$pid" "\$id" && exec runc --root "\$root" start "\$id" ;;
*) exec runc "\$@" ;;
esac
STANDIN
chmod 755 "$work/standin"
running() { ctr tasks ls | grep -q "^$1 .*RUNNING"; }

# --- the real one -------------------------------------------------------------------------
if command -v criu >/dev/null; then
	ctr run -d $B r1 sleep 1000
	try ctr tasks checkpoint r1
	if [ "$status" = 0 ]; then
		pass "CRIU works here"
	else
		like "$err" '^ctr: OCI runtime checkpoint failed: .*CRIU says: Error \(' "where CRIU cannot, the error says what it said"
	fi
	ok "the container runs on" running r1
	ctr c rm -f r1
else
	skip_one "the real CRIU" "no criu"
fi

# --- the whole way ------------------------------------------------------------------------
mkdir "$work/host"
ctr run -d --runc-binary "$work/standin" --label secret=1 --env A=b --mount "type=bind,src=$work/host,dst=/host,options=rbind:rw" $B c1 sh -c 'echo written >/file; exec sleep 1000'
wait_for 20 ctr tasks exec --exec-id w c1 test -s /file
try ctr tasks checkpoint c1
like "$status/$out" '^0/containerd.io/checkpoint/c1:[0-9-]{10}-[0-9:]{8}$' "tasks checkpoint prints the image's name"
name=$out
ok "the container runs on" running c1
like "$(ctr images ls "name==\"$name\"")" 'containerd.io/checkpoint=true' "the image is labelled"
index=$(ctr content get "$(ctr images ls "name==\"$name\"" | grep -o 'sha256:[0-9a-f]*' | head -n 1)")
kind() { jq -r --arg t "$1" '.manifests[] | select(.mediaType | endswith($t)) | .digest' <<<"$index"; }
is "$(jq -r '.manifests[].mediaType' <<<"$index" | sed 's/.*vnd\.//' | tr '\n' ' ')" "containerd.container.checkpoint.runtime.name \
containerd.container.checkpoint.runtime.options+proto oci.image.manifest.v1+json oci.image.layer.v1.tar+gzip \
containerd.container.criu.checkpoint.criu.tar containerd.container.checkpoint.config.v1+proto \
containerd.container.checkpoint.options.v1+proto " "the index: containerd's media types"
is "$(jq -r '.annotations | to_entries[] | "\(.key)=\(.value)"' <<<"$index" | sort | tr '\n' ' ')" "io.containerd.checkpoint.runtime=io.containerd.runc.v2 \
io.containerd.checkpoint.snapshotter=overlayfs org.opencontainers.image.ref.name=$B " "its annotations"
is "$(ctr content get "$(kind criu.tar)" | tar -xO core-1.img)" "state of c1" "CRIU's files are in it"
is "$(ctr content get "$(kind tar+gzip)" | tar -xzO file)" written "and what was written"
is "$(find "$work/root" -name 'checkpoint.*')" "" "nothing is left of the work"
try ctr events --since 0 --no-follow 'topic==/tasks/checkpointed'
like "$out" '/tasks/checkpointed \{"container_id":"c1","checkpoint":"sha256:' "the event"
mkdir "$work/path"
try ctr tasks checkpoint --image-path "$work/path" c1
is "$status/$out/$(cat "$work/path/core-1.img")" "0//state of c1" "--image-path"
try ctr containers checkpoint --rw --image --task c1 my/check:1
is "$status/$out/$err" "0//" "containers checkpoint"
ctr run -d --null-io --runc-binary "$work/standin" $B c9 sleep 1000
mkdir "$work/path9" "$work/work9"
try ctr tasks checkpoint --exit --image-path "$work/path9" --work-path "$work/work9" c9
is "$status/$out/$(cat "$work/path9/core-1.img")/$(cat "$work/work9/dump.log")" "0//state of c9/dumped" "--exit, --work-path"
ok "--exit: the task has ended" wait_for 20 sh -c "'$ctr_program' tasks ls | grep -q '^c9 .*STOPPED'"
ctr c rm c9
try ctr containers checkpoint c1
is "$status/$err" "1/ctr: ref must be provided" "containers checkpoint without a name"
try ctr containers checkpoint
is "$status/$err" "1/ctr: container id must be provided" "containers checkpoint without an id"
try ctr containers checkpoint --rw c1 my/check:1
like "$status/$err" '^1/.*already exists' "a name that is taken"
ctr c rm -f c1
sed 's#^runtime-runc: {#runtime-runc: { runtime = "'"$work/standin"'";#' "$GANTRY_CONFIG" >"$work/conf2"
export GANTRY_CONFIG=$work/conf2
try ctr containers restore --rw --live c2 my/check:1
is "$status/$out/$err" "0//" "containers restore --rw --live"
ok "it runs" running c2
is "$(ctr tasks exec --exec-id x c2 cat /file)" written "with what was written"
is "$(ctr c info --spec c2 | jq -c '[.process.args, (.process.env | index("A=b") != null), (.mounts | map(.destination) | index("/host"))]')" \
	'[["sh","-c","echo written >/file; exec sleep 1000"],true,null]' "its command and environment, not its mounts"
is "$(ctr c info c2 | jq -r '.Labels.secret')" null "nor its labels"
is "$(ctr c info c2 | jq -r '.Runtime.Options.value // ""' | base64 -d | grep -c standin)" 0 "nor its runtime's options"
ctr c rm -f c2
try ctr containers restore c3 my/check:1
is "$status" 0 "restore: starts it anew"
ok "it runs" running c3
ctr c rm -f c3
try ctr containers restore --live c4 "$B"
is "$status" 1 "an image that is no checkpoint"
is "$(ctr c ls -q)" "" "leaves nothing"

# --- one that is made to get out -------------------------------------------------------------
ctr run -d --runc-binary "$work/standin" $B h1 sleep 1000
touch "$work/links"
ctr containers checkpoint --task --image --rw h1 my/evil:1
rm "$work/links"
ctr c rm -f h1
try ctr containers restore --live h2 my/evil:1
like "$status/$err" '^1/ctr: unpack checkpoint sha256:[0-9a-f]{64}: link.img of a checkpoint is no regular file' "a link among CRIU's files is not followed"
is "$(ctr c ls -q)$(ctr snapshots ls | grep -c Active)$(find "$work/state" -path "*/restore/$ns/*")" 0 "nothing is left of it"
# The same with another runtime document: all of the host, and its hooks.
index=$(ctr content get "$(ctr images ls name==my/check:1 | awk 'NR == 2 { print $3 }')")
old=$(jq -r '.manifests[] | select(.mediaType | endswith("config.v1+proto")) | .digest' <<<"$index")
ctr content get "$old" >"$work/any"
python3 - "$work" <<'PY'
import json, sys
raw = open(sys.argv[1] + "/any", "rb").read()
def varint(b, i):
    n = s = 0
    while True:
        n |= (b[i] & 127) << s; s += 7; i += 1
        if not b[i - 1] & 128: return n, i
def put(n):
    out = b""
    while True:
        out += bytes([n & 127 | (128 if n > 127 else 0)]); n >>= 7
        if not n: return out
n, i = varint(raw, 1); url = raw[i:i + n]
n, j = varint(raw, i + n + 1); spec = json.loads(raw[j:j + n])
spec["mounts"].append({"destination": "/host", "type": "bind", "source": "/", "options": ["rbind"]})
spec["linux"]["devices"] = [{"path": "/dev/evil", "type": "b", "major": 8, "minor": 0}]
spec["linux"]["maskedPaths"] = []
spec["linux"]["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
spec["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN")
spec["hooks"] = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", "touch " + sys.argv[1] + "/hooked"]}]}
spec["annotations"] = {"io.containerd.evil": "yes"}
text = json.dumps(spec).encode()
open(sys.argv[1] + "/any2", "wb").write(b"\n" + put(len(url)) + url + b"\x12" + put(len(text)) + text)
PY
new=sha256:$(sha256sum <"$work/any2" | cut -d' ' -f1)
jq -c --arg old "$old" --arg new "$new" --argjson size "$(stat -c %s "$work/any2")" \
	'(.manifests[] | select(.digest == $old)) |= (.digest = $new | .size = $size)' <<<"$index" | tr -d '\n' >"$work/index2"
digest=sha256:$(sha256sum <"$work/index2" | cut -d' ' -f1)
python3 - "$work" "$digest" "$(stat -c %s "$work/index2")" "${new#sha256:}" "$ctr_program" <<'PY'
import io, json, subprocess, sys, tarfile
work, digest, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
with tarfile.open(work + "/evil.tar", "w") as t:
    def add(name, data):
        i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
    add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    index = open(work + "/index2", "rb").read()
    top = {"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest,
        "size": size, "annotations": {"io.containerd.image.name": "my/evil:2", "org.opencontainers.image.ref.name": "2"}}]}
    add("index.json", json.dumps(top).encode())
    add("blobs/sha256/" + digest[7:], index)
    for m in json.loads(index)["manifests"]:
        if "manifest" not in m["mediaType"]:
            if m["digest"][7:] == sys.argv[4]: data = open(work + "/any2", "rb").read()
            else: data = subprocess.run([sys.argv[5], "content", "get", m["digest"]], stdout=subprocess.PIPE, check=True).stdout
            add("blobs/sha256/" + m["digest"][7:], data)
PY
try ctr images import --no-unpack "$work/evil.tar"
is "$status/$err" "0/" "import of a changed checkpoint"
try ctr containers restore e1 my/evil:2
is "$status/$err" "0/" "a changed checkpoint: restored as its image"
is "$(ctr c info --spec e1 | jq -c '[(.mounts | map(.destination) | index("/host")), .linux.devices, .hooks, (.annotations // {})["io.containerd.evil"], (.process.capabilities.bounding | index("CAP_SYS_ADMIN")), (.linux.maskedPaths | length > 5)]')" \
	'[null,null,null,null,null,true]' "no mount, device, hook, annotation, capability of its"
ok "no hook of its ran" test ! -e "$work/hooked"
ctr c rm -f e1

# --- the same through a daemon, which has the processes from its own store ------------------------
start_gantryd
ctr run -d --runc-binary "$work/standin" $B c5 sh -c 'echo written >/file; exec sleep 1000'
wait_for 10 ctr tasks exec --exec-id y c5 test -e /file
try ctr containers checkpoint --rw --image --task c5 my/remote:1
is "$status/$out/$err" "0//" "containers checkpoint through a daemon"
ctr c rm -f c5
try ctr containers restore --rw --live c6 my/remote:1
is "$status/$out/$err" "0//" "containers restore --rw --live through a daemon"
ok "it runs" running c6
is "$(ctr tasks exec --exec-id x c6 cat /file)" written "with what was written"
ctr c rm -f c6
touch "$work/refuses"
try ctr containers restore --live c7 my/remote:1
like "$status/$err" "^1/ctr: OCI runtime restore failed: .*exit status 4" "a restore that fails says why"
rm "$work/refuses"
is "$(find "$work/state" -path "*/restore/$ns/*")" "" "no folder of it is left"
end_gantryd
is "$(ctr c ls -q)" "" "nothing is left"

# --- what CRIU says ------------------------------------------------------------------------
ctr run -d $B f1 sleep 1000
touch "$work/fails"
try ctr tasks checkpoint f1
like "$status/$err" '^1/ctr: OCI runtime checkpoint failed: .*CRIU says: Error \(criu/vdso.c:1\): no vDSO; Error \(criu/dump.c:2\): Dumping FAILED' "a failure carries CRIU's last errors"
ctr c create $B f2 true
try ctr tasks checkpoint f2
is "$status/$err" "1/ctr: no running task found: task f2 not found: not found" "no task"
done_testing
