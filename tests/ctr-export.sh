#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Archives that `ctr images export` writes: containerd's byte for byte, and taken by containerd, skopeo
# and Docker; images that are here in part; broken ones.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root busybox python3
write_config
make_image
nginx=docker.io/library/nginx:alpine
case $(uname -m) in x86_64) host=linux/amd64 other=linux/arm64 ;; *) host=linux/arm64 other=linux/amd64 ;; esac
LAYERS=2 make_image "$work/multi.tar" $nginx $host $other

ctr images import "$image" >/dev/null
try ctr images export "$work/out.tar" busybox
is "$status/$out/$err" "0//" "export"
is "$(tar tf "$work/out.tar" | sed 's/[0-9a-f]\{64\}/HEX/')" "blobs/
blobs/sha256/
blobs/sha256/HEX
blobs/sha256/HEX
blobs/sha256/HEX
index.json
manifest.json
oci-layout" "entries, sorted"
is "$(tar tvf "$work/out.tar" | awk '{ print $1, $2, $4, $5 }' | sort -u)" "-r--r--r-- 0/0 1970-01-01 00:00
-rw-r--r-- 0/0 1970-01-01 00:00
drwxr-xr-x 0/0 1970-01-01 00:00" "modes, owners and times"
ctr images export - busybox | cmp - "$work/out.tar"
is "${PIPESTATUS[*]}" "0 0" "export to standard output"
try ctr -n second images import "$work/out.tar"
is "$status/$(ctr -n second images ls | awk 'NR == 2 { print $1, $3 }')" "0/$(ctr images ls | awk 'NR == 2 { print $1, $3 }')" "it can be imported"
try ctr i export --skip-manifest-json "$work/no.tar" busybox
is "$(tar tf "$work/no.tar" | grep -c manifest.json)" 0 "--skip-manifest-json"
ctr images tag busybox example.com/two:1 >/dev/null
try ctr i export "$work/two.tar" busybox example.com/two:1 busybox
is "$(tar xOf "$work/two.tar" manifest.json | jq -c '[.[].RepoTags]')/$(tar tf "$work/two.tar" | sort | uniq -d)" '[["busybox:latest","example.com/two:1","busybox:latest"]]/' "two names of one image, each blob once"
for line in "" "$work/x.tar"; do
	try ctr images export $line
	is "$status/$err" "1/ctr: please provide both an output filename and an image reference to export" "export without arguments: $line"
done
echo before >"$work/keep.tar"
try ctr images export "$work/keep.tar" nothing
is "$status/$err/$(cat "$work/keep.tar")" '1/ctr: unable to resolve image: image "nothing": not found/before' "of no image: the file that was there stays"
ln -s /dev/full "$work/full"
try ctr images export "$work/full" busybox
is "$status" 1 "to a full disk"
like "$err" "No space left on device" "to a full disk: it says so"

# --- several platforms -------------------------------------------------------------------------------
try ctr -n one images import --no-unpack --platform $host "$work/multi.tar"
ctr -n all images import --no-unpack --all-platforms "$work/multi.tar" >/dev/null
gone=$(ctr -n all content get "$(ctr -n all images ls | awk 'NR == 2 { print $3 }')" | jq -r ".manifests[] | select(.platform.architecture == \"${other#*/}\") | .digest")
ctr -n one content rm "$gone" >/dev/null
try ctr -n all images export --all-platforms "$work/all.tar" nginx:alpine
is "$status/$err" "0/" "export --all-platforms of all"
like "$(tar tf "$work/all.tar")" "blobs/sha256/${gone#*:}" "both platforms are in"
try ctr -n one images export --all-platforms "$work/one.tar" nginx:alpine
is "$status" 0 "export --all-platforms where one is here"
like "$err" "level=warning msg=\"$nginx: $other is not here and is left out\"" "it says which is not"
is "$(tar tf "$work/one.tar" | grep -c "${gone#*:}")" 0 "and leaves it out"
try ctr -n again images import --all-platforms "$work/one.tar"
is "$status" 0 "what was written can be imported"
try ctr -n one images export --platform $other "$work/none.tar" nginx:alpine
is "$status/$err" "1/ctr: export image $nginx: $other is not here in full: content $gone: not found" "export --platform of one that is not here"
[ ! -e "$work/none.tar" ] && pass "and no file" || fail "and no file"
try ctr -n all images export --platform linux/s390x "$work/none.tar" nginx:alpine
is "$status" 1 "export --platform of one that there is not"
like "$err" "no manifest found for platform; the image is for $(printf '%s\n' $host $other | sort | paste -sd, | sed 's/,/, /'): not found" "and says which there are"
ctr -n all images export "$work/host.tar" nginx:alpine
is "$(tar xOf "$work/host.tar" manifest.json | jq length)/$(tar tf "$work/host.tar" | grep -c "${gone#*:}")" 1/0 "without a flag it is this machine's"

# --- a foreign layer, a damaged blob -------------------------------------------------------------------
python3 - "$work/multi.tar" "$work/foreign.tar" <<'END'
import hashlib, io, json, sys, tarfile
layer = b"not here"
def blob(data, kind):
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return dict(mediaType="application/vnd.oci.image." + kind, digest="sha256:" + digest, size=len(data))
blobs = {}
near, far = blob(b"near", "layer.v1.tar"), blob(layer, "layer.nondistributable.v1.tar")
config = blob(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [near["digest"], far["digest"]]}}).encode(), "config.v1+json")
manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": [near, far]}).encode(), "manifest.v1+json")
manifest["annotations"] = {"io.containerd.image.name": "example.com/foreign:1"}
with tarfile.open(sys.argv[2], "w") as t:
    def add(name, data):
        i = tarfile.TarInfo(name)
        i.size = len(data)
        t.addfile(i, io.BytesIO(data))
    add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    add("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
    for digest, data in blobs.items():
        add("blobs/sha256/" + digest, data)
END
ctr -n foreign images import --no-unpack "$work/foreign.tar"
ctr -n foreign images export "$work/with.tar" example.com/foreign:1
ctr -n foreign images export --skip-non-distributable "$work/without.tar" example.com/foreign:1
is "$(tar tf "$work/with.tar" | grep -c blobs/sha256/.)/$(tar tf "$work/without.tar" | grep -c blobs/sha256/.)" 4/3 "--skip-non-distributable"
layer=$(tar xOf "$work/out.tar" manifest.json | jq -r '.[0].Layers[0]')
chmod u+w "$work"/root/io.containerd.content.v1.content/"$layer"
printf x | dd of="$work/root/io.containerd.content.v1.content/$layer" bs=1 seek=100 conv=notrunc status=none
try ctr images export "$work/none.tar" busybox
is "$status" 1 "a damaged blob is not handed on"
like "$err" "blob sha256:${layer##*/} is damaged" "and named"
[ -z "$(ls "$work"/none.tar* 2>/dev/null)" ] && pass "no file stays" || fail "no file stays"

# --- others take it ------------------------------------------------------------------------------------
if command -v skopeo >/dev/null; then
	mkdir "$work/tmp"
	for kind in oci docker; do
		ok "skopeo reads the $kind archive" skopeo --tmpdir "$work/tmp" inspect $kind-archive:"$work/out.tar"
	done
	ok "skopeo copies it" skopeo --insecure-policy --tmpdir "$work/tmp" copy oci-archive:"$work/all.tar" dir:"$work/dir"
else
	skip_one "skopeo" "skopeo is not here"
fi
if command -v containerd >/dev/null && start_containerd; then
	try their_ctr images import --all-platforms "$work/all.tar"
	is "$status" 0 "containerd imports it"
	their_ctr images export "$work/theirs.tar" $nginx
	cmp "$work/theirs.tar" "$work/host.tar" && pass "containerd's own is the same byte for byte" || fail "containerd's own is the same byte for byte"
	their_ctr images export --all-platforms "$work/theirs.tar" $nginx
	cmp "$work/theirs.tar" "$work/all.tar" && pass "and with --all-platforms" || fail "and with --all-platforms"
	try ctr -n back images import "$work/theirs.tar"
	is "$status" 0 "theirs can be imported here"
else
	skip_one "containerd" "containerd is not here"
fi
if command -v dockerd >/dev/null && command -v docker >/dev/null; then
	dockerd --data-root "$work/docker" --exec-root "$work/docker-exec" --pidfile "$work/docker.pid" \
		--host "unix://$work/docker.sock" --iptables=false --bridge=none --storage-driver=vfs \
		>"$work/docker.log" 2>&1 &
	dockerd_pid=$!
	docker() { timeout 60 docker --host "unix://$work/docker.sock" "$@"; }
	if wait_for 30 docker version; then
		try docker load --input "$work/host.tar"
		is "$status/$out" "0/Loaded image: nginx:alpine" "Docker loads it"
		docker save nginx:alpine >"$work/docker.tar"
		try ctr -n docker images import "$work/docker.tar"
		is "$status/$(ctr -n docker images ls -q)" "0/$nginx" "and what it saves can be imported"
	else
		skip_one "docker load" "dockerd does not start here: $(tail -n 1 "$work/docker.log")"
	fi
	kill "$dockerd_pid"
	wait "$dockerd_pid"
else
	skip_one "docker load" "Docker is not here"
fi
done_testing
