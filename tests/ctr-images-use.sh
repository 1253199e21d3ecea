#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is done with images that are here: mount, convert, usage, inspect, prune, on both snapshotters.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root busybox python3 jq skopeo
write_config
nginx=docker.io/library/nginx:alpine
case $(uname -m) in x86_64) host=linux/amd64 other=linux/arm64 ;; *) host=linux/arm64 other=linux/amd64 ;; esac
LAYERS=3 make_image "$work/multi.tar" $nginx $host $other
make_image
ctr images import --no-unpack "$image"
ctr images import --no-unpack --all-platforms "$work/multi.tar"
digest_of() { ctr images ls "name==$1" | awk 'NR == 2 { print $3 }'; }
# The media types of an image's layers on this platform.
layer_types() {
	local d
	d=$(ctr content get "$(digest_of "$1")" | jq -r ".manifests[]? | select(.platform.architecture == \"${host#*/}\") | .digest")
	ctr content get "${d:-$(digest_of "$1")}" | jq -r '.layers[].mediaType' | sort -u
}

# --- mount and unmount -----------------------------------------------------------------------------
for s in overlayfs native; do
	t=$work/mnt-$s
	mkdir "$t"
	try ctr images mount --snapshotter $s nginx:alpine "$t"
	is "$status/$err" "0/" "$s: mount"
	like "$out" "^sha256:[0-9a-f]{64}"$'\n'"$t\$" "$s: chain ID and folder"
	is "$(cat "$t/etc/platform")/$(ls "$t/layer" | paste -sd,)" "$host/2,3" "$s: the files are there"
	touch "$t/new" 2>/dev/null
	[ ! -e "$t/new" ] && pass "$s: read-only" || fail "$s: read-only"
	like "$(ctr leases ls)" "$t .*containerd.io/gc.expire=.*containerd.io/gc.ref.snapshot.$s=$t" "$s: a lease keeps it"
	like "$(ctr snapshots --snapshotter $s ls)" "$t +sha256:[0-9a-f]{64} View" "$s: the snapshot is a view of that name"
	try ctr images usage --snapshotter $s nginx:alpine
	is "$status/$(wc -l <<<"$out")" "0/4" "$s: usage, a line a layer"
	try ctr images unmount --snapshotter $s "$t"
	is "$status/$out/$(ls "$t")" "0/$t/" "$s: unmount"
	like "$(ctr leases ls -q)" "$t" "$s: the snapshot stays"
	try ctr images mount --snapshotter $s nginx:alpine "$t"
	is "$status" 0 "$s: so that it can be mounted again"
	try ctr images unmount --snapshotter $s --rm "$t"
	is "$status/$(ctr leases ls -q)$(ctr snapshots --snapshotter $s ls | grep -c "$t")" "0/0" "$s: unmount --rm"
	try ctr images mount --snapshotter $s --rw --label a=b --expiration 2h nginx:alpine "$t"
	echo hello >"$t/new"
	is "$status/$(cat "$t/new")" 0/hello "$s: mount --rw"
	is "$(ctr snapshots --snapshotter $s info "$t" | jq -r '.Kind + " " + .Labels.a')" "Active b" "$s: an active snapshot with the label"
	ctr images unmount --snapshotter $s --rm "$t" >/dev/null
	try ctr images mount --snapshotter $s busybox
	t=${out#*$'\n'}
	is "$status/$(test -x "$t/bin/busybox" && echo there)" 0/there "$s: mount without a folder: one is made"
	try ctr images unmount --snapshotter $s --rm "$t"
	[ ! -e "$t" ] && pass "$s: and goes with the mount" || fail "$s: and goes with the mount"
	try ctr images mount --snapshotter $s busybox "$work/none"
	is "$status" 1 "$s: mount on a folder that is not there"
	is "$(ctr leases ls -q)$(ctr snapshots --snapshotter $s ls | grep -c none)" 0 "$s: leaves nothing"
done
is "$(our_mounts)" "" "nothing is mounted any more"
try ctr images mount --platform $other nginx:alpine "$work/mnt-overlayfs"
is "$(cat "$work/mnt-overlayfs/etc/platform")" $other "mount --platform"
ctr images unmount --rm "$work/mnt-overlayfs" >/dev/null
for line in "images mount:please provide an image reference to mount" "images unmount:please provide a target path to unmount from" \
	"images convert a:src and target image need to be specified" "images usage x:image \"x\": not found" \
	"images tag busybox UPPER:error parsing reference: \"UPPER\": invalid reference format: repository name must be lowercase: invalid argument"; do
	IFS=' ' read -ra words <<<"${line%%:*}"
	try ctr "${words[@]}"
	is "$status/$err" "1/ctr: ${line#*:}" "ctr ${line%%:*}"
done
try ctr images tag --skip-reference-check busybox UPPER
is "$status/$out" 0/UPPER "tag --skip-reference-check"
ctr images rm UPPER >/dev/null
try ctr -n fresh images import --no-unpack "$image"
try ctr -n fresh images usage busybox
is "$status/$err" "1/ctr: image $image_name isn't unpacked in snapshotter overlayfs" "usage of what is not unpacked"

# --- convert ---------------------------------------------------------------------------------------
try ctr images convert --uncompress nginx:alpine plain:1
is "$status/$out" "0/$(digest_of plain:1)" "convert --uncompress prints the digest"
is "$(layer_types plain:1)" application/vnd.oci.image.layer.v1.tar "plain layers"
is "$(ctr content get "$(digest_of plain:1)" | jq -c '[.manifests[].platform.architecture]')" "[\"${host#*/}\"]" "of this machine's platform"
try ctr images convert --zstd --all-platforms nginx:alpine zstd:1
is "$(layer_types zstd:1)" application/vnd.oci.image.layer.v1.tar+zstd "convert --zstd"
is "$(ctr content get "$(digest_of zstd:1)" | jq -c '.manifests | length')" 2 "convert --all-platforms"
try ctr images convert --gzip --platform $host plain:1 gzip:1
is "$(layer_types gzip:1)" application/vnd.oci.image.layer.v1.tar+gzip "convert --gzip"
try ctr images convert --platform $other nginx:alpine other:1
is "$(ctr images ls name==other:1 | awk 'NR == 2 { print $(NF - 1) }')" $other "convert --platform"
try ctr images convert nginx:alpine same:1
skopeo --tmpdir "$work" --insecure-policy copy oci-archive:"$image" docker-archive:"$work/d.tar":example.com/docker:1 >/dev/null
ctr images import --no-unpack "$work/d.tar"
try ctr images convert --oci example.com/docker:1 example.com/oci:1
is "$status/$(ctr content get "$(digest_of example.com/oci:1)" | jq -r '[.mediaType, .config.mediaType, .layers[].mediaType] | join(" ")')" \
	"0/application/vnd.oci.image.manifest.v1+json application/vnd.oci.image.config.v1+json application/vnd.oci.image.layer.v1.tar" "convert --oci"
try ctr images convert --zstd example.com/docker:1 example.com/zstd:1
is "$(layer_types example.com/zstd:1)" application/vnd.docker.image.rootfs.diff.tar.zstd "convert --zstd of Docker's"
for i in plain:1 zstd:1 gzip:1 same:1 example.com/oci:1 example.com/zstd:1; do
	for s in overlayfs native; do
		try ctr images mount --snapshotter $s $i "$work/mnt-$s"
		is "$status/$(stat -c %s "$work/mnt-$s/bin/busybox")" "0/$(stat -c %s /bin/busybox)" "$i can be used with $s"
		ctr images unmount --snapshotter $s --rm "$work/mnt-$s" >/dev/null
	done
done
SOURCE_DATE_EPOCH=86400 try ctr images convert --zstd nginx:alpine dated:1
like "$status/$(ctr images inspect dated:1)" "^0/dated:1
│    Created: 1970-01-02 00:00:00 .*
│    Updated: 1970-01-02 00:00:00 " "SOURCE_DATE_EPOCH dates what convert makes"
SOURCE_DATE_EPOCH=86401 try ctr images convert --zstd nginx:alpine dated:1
like "$status/$(ctr images inspect dated:1)" "^0/dated:1
│    Created: 1970-01-02 00:00:00 .*
│    Updated: 1970-01-02 00:00:01 " "and what it changes"
SOURCE_DATE_EPOCH=soon try ctr images convert nginx:alpine dated:2
like "$status/$err" '^1/ctr: invalid SOURCE_DATE_EPOCH value "soon"' "one that is no number"
try ctr images convert --erofs busybox x:1
is "$status" 1 "convert --erofs is refused"
like "$err" "EROFS images are not supported" "and says so"
try ctr images convert --zstd --uncompress busybox x:1
is "$status" 1 "convert to two compressions"
before=$(ctr content ls -q)
layer=$(ctr content get "$(digest_of $image_name)" | jq -r '.layers[0].digest')
truncate -s -100 "$work/root/io.containerd.content.v1.content/blobs/sha256/${layer#*:}"
try ctr images convert --uncompress busybox x:1
is "$status" 1 "convert of a broken layer"
is "$(ctr content ls -q)$(ctr content active | tail -n +2)$(ctr images ls -q name==x:1)" "$before" "leaves nothing"
ctr content rm "$layer" >/dev/null
try ctr images convert --uncompress busybox x:1
is "$status/$err" "1/ctr: convert image $image_name: content $layer: not found" "convert of what is not here"

# --- import that compresses --------------------------------------------------------------------------
try ctr -n packed images import --compress-blobs "$work/d.tar"
is "$status/$(ctr -n packed content get "$(ctr -n packed images ls | awk 'NR == 2 { print $3 }')" | jq -r '.layers[].mediaType')" \
	0/application/vnd.docker.image.rootfs.diff.tar.gzip "import --compress-blobs"
ctr -n packed images import --compress-blobs - <"$work/d.tar" >/dev/null
is "$?" 0 "import --compress-blobs through a pipe"
is "$(ctr -n packed content ls -q | wc -l)" 3 "the plain layer does not stay"

# --- inspect, prune --------------------------------------------------------------------------------
ctr images label nginx:alpine k=v >/dev/null
try ctr images inspect nginx:alpine
like "$out" "^$nginx
│    Created: [-0-9]+ [0-9:.]+ \+0000 UTC
│    Updated: [-0-9]+ [0-9:.]+ \+0000 UTC
│    Label \"k\": \"v\"
└── application/vnd.oci.image.index.v1\+json @sha256:[0-9a-f]+ \([0-9]+ bytes\)
    ├── application/vnd.oci.image.manifest.v1\+json @sha256:[0-9a-f]+ \([0-9]+ bytes\)
    │   │    Platform: $host
    │   ├── application/vnd.oci.image.config.v1\+json @sha256:[0-9a-f]+ \([0-9]+ bytes\)
    │   ├── .*
    │   └── application/vnd.oci.image.layer.v1.tar\+gzip @sha256:[0-9a-f]+ \([0-9]+ bytes\)
    └── " "inspect"
gone=$(ctr content get "$(digest_of $nginx)" | jq -r ".manifests[] | select(.platform.architecture == \"${other#*/}\") | .digest")
ctr content rm "$gone" >/dev/null
try ctr images i --content nginx:alpine
is "$(tail -n 1 "$work/out")" "        └──  Content does not exist locally, skipping" "inspect of what is not here"
like "$out" "┌────────Labels─────────.*│\"containerd.io/gc.ref.content.config\": .*┌────────Content────────.*│\{" "inspect --content"
ctr containers create plain:1 used sh
try ctr images prune
is "$status" 0 "prune without --all"
like "$err" "level=warning msg=\"No images pruned" "says that it does nothing"
try ctr images prune --all
is "$status/$(ctr images ls -q)" "0/plain:1" "prune --all leaves what containers use"
like "$err" "level=info msg=\"deleted image: $nginx\"" "and says what goes"
ctr containers rm used

# --- two images of one configuration ---------------------------------------------------------------------
python3 - "$work/twins.tar" <<'END'
import hashlib, io, json, sys, tarfile
blobs, manifests = {}, []
def blob(data, kind, **more):
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return dict(more, mediaType="application/vnd.oci.image." + kind, digest="sha256:" + digest, size=len(data))
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w") as t:
    i = tarfile.TarInfo("f")
    t.addfile(i)
layer = blob(layer.getvalue(), "layer.v1.tar")
labels = {"containerd.io/restart.loguri": "binary:///bin/evil", "io.containerd.x": "y", "fine": "yes"}
config = blob(json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["A=image"], "Labels": labels}, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode(), "config.v1+json")
for name in "one", "two":
    manifests.append(blob(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer], "annotations": {"n": name}}).encode(), "manifest.v1+json", annotations={"io.containerd.image.name": "example.com/%s:1" % name}))
with tarfile.open(sys.argv[1], "w") as t:
    def add(name, data):
        i = tarfile.TarInfo(name)
        i.size = len(data)
        t.addfile(i, io.BytesIO(data))
    add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    add("index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())
    for digest, data in blobs.items():
        add("blobs/sha256/" + digest, data)
END
ctr -n twins images import "$work/twins.tar" >/dev/null
"$ctr_program" -n twins containers create --env SECRET=one example.com/one:1 c1 sh & p1=$!
"$ctr_program" -n twins containers create example.com/two:1 c2 sh & p2=$!
wait $p1 && wait $p2
is "$(ctr -n twins containers info c1 | jq -c '.Spec.process.env - ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]')" '["A=image","SECRET=one"]' "one has its environment"
is "$(ctr -n twins containers info c2 | jq -c '.Spec.process.env - ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]')" '["A=image"]' "the other does not see it"
is "$(ctr -n twins containers info c1 | jq -c '.Labels | del(."io.containerd.image.config.stop-signal")')" '{"fine":"yes"}' "reserved labels of an image are dropped"
ctr -n twins containers rm c1 c2
done_testing
