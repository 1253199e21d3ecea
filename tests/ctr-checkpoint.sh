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
	ln -s /etc/passwd "\$image/link.img" ;;
restore)
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

# --- what CRIU says ------------------------------------------------------------------------
ctr run -d $B f1 sleep 1000
touch "$work/fails"
try ctr tasks checkpoint f1
like "$status/$err" '^1/ctr: OCI runtime checkpoint failed: .*CRIU says: Error \(criu/vdso.c:1\): no vDSO; Error \(criu/dump.c:2\): Dumping FAILED' "a failure carries CRIU's last errors"
ctr c create $B f2 true
try ctr tasks checkpoint f2
is "$status/$err" "1/ctr: no running task found: task f2 not found: not found" "no task"
done_testing
