#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pull, push and single objects with a docker-registry that serves as docker.io, beside containerd's ctr.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root busybox python3 jq docker-registry
case $(uname -m) in x86_64) host=linux/amd64 other=linux/arm64 ;; *) host=linux/arm64 other=linux/amd64 ;; esac
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
at=127.0.0.1:$port
cat >"$work/registry.yml" <<END
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $work/registry } }
http: { addr: $at }
END
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry=$!
wait_for 20 bash -c "exec 9<>/dev/tcp/127.0.0.1/$port" || { echo "Bail out! no registry"; exit 1; }
mkdir -p "$work/hosts/docker.io"
# containerd 1.6 wants a table of a host
printf 'server = "http://%s"\n[host."http://%s"]\n  capabilities = ["pull", "resolve", "push"]\n' "$at" "$at" >"$work/hosts/docker.io/hosts.toml"
write_config "resolver-http: { hosts_dir = \"$work/hosts\"; use_docker_config = false; };"
name=docker.io/library/nginx:alpine
LAYERS=3 make_image "$work/multi.tar" $name $host $other linux/arm/v7
cd "$work" || exit 1

# --- push ----------------------------------------------------------------------------------------------
ctr -n from images import --no-unpack --all-platforms multi.tar
try ctr -n from images push nginx:alpine
is "$status/$err" "0/" "push"
is "$(sed 's/sha256:[0-9a-f]*: done [0-9.]* [KM]*i*B$/D/' out | head -n -1 | sort | uniq -c | awk '{ print $1 $2 }' | paste -sd' ')" "3config-D 1index-alpine@D 9layer-D 3manifest-D" "push: a line each, off a terminal"
like "$(tail -n 1 out)" "^elapsed: [0-9.]+ s  total: [0-9.]+ [KM]iB \([0-9.]+ [KM]?i?B/s\)$" "push: and the sum"
try ctr -n from images push -q nginx:alpine
is "$status/$out" "0/" "push -q is silent"
try ctr -n from images push docker.io/library/nginx:again nginx:alpine
is "$status/$(grep -c 'layer-.*: exists' "$work/out")" "0/9" "push of what is there sends nothing"
try ctr -n from images push "$at/other/place:1" nginx:alpine
is "$status" 0 "push to a registry on this machine, by http"
try ctr -n from images push --platform $other "$at/other/place:other" nginx:alpine
is "$(ctr content fetch-object "$at/other/place:other" | jq -r .mediaType)" application/vnd.oci.image.manifest.v1+json "push --platform pushes a manifest"
m=$(ctr content fetch-object "$at/other/place:other" | sha256sum | cut -d' ' -f1)
try ctr -n from images push --manifest "sha256:$m" "$at/other/place:manifest"
is "$status/$(ctr content fetch-object "$at/other/place:manifest" | sha256sum | cut -d' ' -f1)" "0/$m" "push --manifest"
try ctr -n from images push --manifest "sha256:$m" --manifest-type application/vnd.oci.image.index.v1+json "$at/other/place:index"
is "$status" 1 "push --manifest-type of what it is not"
try ctr -n from images push -q --max-concurrent-uploaded-layers 1 "$at/one/by/one:1" nginx:alpine
is "$status/$err" "0/" "push --max-concurrent-uploaded-layers"
try ctr -n from images push -q --http-trace --http-dump "$at/seen:1" nginx:alpine
like "$status/$err" "^0/.*/v2/seen/" "push --http-trace, --http-dump"
try ctr images push
is "$status/$err" "1/ctr: please provide a remote image reference to push" "push of nothing"
try ctr images push nothing
is "$status/$err" '1/ctr: unable to resolve image to manifest: image "nothing": not found' "push of what is not here"

# --- the lines that must work as written ---------------------------------------------------------------------
if ctr images pull --all-platforms docker.io/library/nginx:alpine >out1 2>&1 &&
	ctr images pull --platform linux/amd64 docker.io/library/nginx:alpine >out2 2>&1 &&
	ctr images ls >out3 2>&1 &&
	ctr i export --all-platforms nginx.img docker.io/library/nginx:alpine >out4 2>&1 &&
	ctr images import nginx.img >out5 2>&1 &&
	ctr images tag docker.io/library/nginx:alpine nginx:alpine-test >out6 2>&1 &&
	ctr images check >out7 2>&1 &&
	ctr image rm docker.io/library/nginx:alpine >out8 2>&1; then pass "the eight lines work"
else fail "the eight lines work" "$(cat out?)"; fi
is "$(grep -c '^unpacking ' out1)/$(tail -n 1 out1 | sed 's/[0-9.]*m\?s\t$/T/')" "3/done: T" "pull: three platforms are unpacked"
like "$(cat out3)" "$name +application/vnd.oci.image.index.v1\+json sha256:[0-9a-f]{64} [0-9.]+ [KM]iB +linux/amd64,linux/arm/v7,linux/arm64 -" "ls"
is "$(cat out4)" "" "export says nothing: all is here"
like "$(cat out7)" "$name .* complete \(4/4\) .* true" "check"
is "$(cat out8)/$(ctr images ls -q)" "$name/nginx:alpine-test" "rm"

# --- names and displays ----------------------------------------------------------------------------------------
try ctr -n short images pull nginx:alpine
is "$status/$(ctr -n short images ls -q)" "0/$name" "a short name is pulled in full"
is "$(sed 's/sha256:[0-9a-f]*\(: done\|: exists\)* *[0-9.]* *[KM]*i*B*/D/; s/[0-9.]*m\{0,1\}s\t$/T/; /^elapsed/s/: .*//' out | sort | uniq -c | awk '{ $1 = $1; print }' | paste -sd,)" \
	"1 config-D,1 docker.io/library/nginx:alpine: resolved,1 done: T,1 elapsed,1 index-D,3 layer-D,1 manifest-D,1 unpacking $host D" "pull off a terminal: a line each"
try ctr -n short images usage nginx:alpine
is "$status" 0 "and found by it"
try ctr -n nowhere images usage nginx:alpine
like "$err" "not found \(found in namespaces \"from\", \"short\"\)|not found \(found in namespaces.*\"short\"" "not found says where it is"
try ctr -n quiet images pull -q nginx:alpine
is "$status/$out$err" "0/" "pull -q is silent"
try ctr -n chain images pull --print-chainid --local=false nginx:alpine
like "$out" "image chain ID: $(ctr -n chain snapshots ls | awk 'NR > 1 { print $1 }' | while read -r k; do ctr -n chain snapshots ls | awk -v k="$k" '$2 == k { f = 1 } END { exit f }' && echo "$k"; done)" "--print-chainid, --local=false"
script -qec "'$ctr_program' -n terminal images pull nginx:alpine" terminal >/dev/null </dev/null
like "$(cat terminal)" $'layer-sha256:[0-9a-f]+: +(done|exists) +\\|\e\\[32m\\+{38}\e\\[0m\\|' "a bar on a terminal"
like "$(cat terminal)" $'\e\\[1A\e\\[2K\r' "drawn again in its place"
like "$(cat terminal)" "elapsed: [0-9.]+ s  total: [0-9.]+ [KM]iB \([0-9.]+ [KM]?i?B/s\)" "and the sum"
for line in "images pull:please provide an image reference to pull" "images pull --platform a --all-platforms x:cannot specify both --platform and --all-platforms" \
	"content fetch-blob x:must specify digests"; do
	IFS=' ' read -ra words <<<"${line%%:*}"
	try ctr "${words[@]}"
	is "$status/$err" "1/ctr: ${line#*:}" "ctr ${line%%:*}"
done
try ctr images pull nginx:none
is "$status" 1 "pull of a tag that there is not"
like "$err" "^ctr: resolve reference \"docker.io/library/nginx:none\": .*not found$" "says so"
try ctr images pull --platform linux/s390x nginx:alpine
is "$status" 1 "pull of a platform that there is not"
like "$err" "no match for platform in manifest sha256:" "says so"

# --- platforms and metadata --------------------------------------------------------------------------------------
n_content() { ctr -n "$1" content ls -q | wc -l; }
is "$(n_content short)" 6 "one platform: index, manifest, config, three layers"
try ctr -n two images pull -q --platform $host --platform $other nginx:alpine
is "$status/$(n_content two)" 0/11 "--platform twice"
try ctr -n all images pull -q --all-metadata nginx:alpine
is "$status/$(n_content all)" 0/10 "--all-metadata"
try ctr -n all2 content fetch -q --all-metadata nginx:alpine
is "$status/$(n_content all2)" 0/10 "content fetch --all-metadata"
try ctr -n all2 images pull -q -k nginx:alpine
is "$status/$err" "0/" "pull -k of a registry without TLS"
try ctr -n serial images pull -q --max-concurrent-downloads 1 nginx:alpine
is "$status/$(n_content serial)" 0/6 "--max-concurrent-downloads"
try ctr -n tls images pull -q --tlscacert "$work/none.pem" nginx:alpine
like "$status/$err" "^1/.*none.pem" "--tlscacert that is not there"
try ctr -n skip images pull -q --skip-metadata nginx:alpine
is "$status/$(n_content skip)" 0/6 "--skip-metadata"
try ctr -n meta content fetch -q --metadata-only nginx:alpine
is "$status/$(n_content meta)/$(ctr -n meta snapshots ls | wc -l)" 0/3/1 "content fetch --metadata-only"
try ctr -n fetch content fetch -q --all-platforms --label a=b nginx:alpine
is "$status/$(n_content fetch)/$(ctr -n fetch images ls | awk 'NR == 2 { print $NF }')" 0/16/a=b "content fetch --all-platforms --label"
try ctr -n native images pull -q --snapshotter native nginx:alpine
is "$status/$(ctr -n native snapshots --snapshotter native ls | wc -l)" 0/4 "pull --snapshotter"
try ctr -n arm images pull -q --platform linux/arm/v8 nginx:alpine
like "$(ctr -n arm content get "$(ctr -n arm content ls -q 'labels."containerd.io/gc.ref.snapshot.overlayfs"')" | jq -r .architecture)" '^arm' "the best that a platform runs"
try ctr -n two images ls --json
ok "ls --json" jq -e '.[0].platforms | length == 3' "$work/out"

# --- single objects ----------------------------------------------------------------------------------------------
try ctr content fetch-object nginx:alpine
is "$(jq -r '.manifests | length' out)" 3 "content fetch-object"
d=$(ctr content fetch-object "$at/other/place:other" | jq -r '.config.digest')
try ctr content fetch-blob --media-type application/json "$at/other/place:other" "$d"
is "sha256:$(sha256sum out | cut -d' ' -f1)" "$d" "content fetch-blob"
try ctr content fetch-blob "$at/other/place:other" "sha256:$(printf '%064d' 0)"
is "$status" 1 "content fetch-blob of what is not there"
printf hello >in
ctr content ingest key <in
hello=sha256:$(sha256sum in | cut -d' ' -f1)
try ctr content push-object "$at/some/thing:1" "$hello" text/plain
is "$status/$out" "0/Pushed $hello text/plain" "content push-object"
is "$(ctr content fetch-blob "$at/some/thing:1" "$hello")" hello "it is there"

# --- a big one: memory -----------------------------------------------------------------------------------------------
if ! grep -q '^#define GT_SANITIZED' "$abs_top_builddir/config.h" 2>/dev/null; then
	mkdir -p big/rootfs
	head -c 200000000 /dev/urandom >big/rootfs/file
	tar -C big/rootfs -cf big/layer.tar . && rm -r big/rootfs
	python3 - <<'END'
import hashlib, io, json, tarfile
def sha(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            h.update(block)
    return "sha256:" + h.hexdigest()
layer = sha("big/layer.tar")
size = __import__("os").path.getsize("big/layer.tar")
config = json.dumps({"architecture": "HOST", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer]}}).encode()
oci = "application/vnd.oci.image."
def desc(data, kind, **more):
    return dict(more, mediaType=oci + kind, digest="sha256:" + hashlib.sha256(data).hexdigest(), size=len(data))
manifest = json.dumps({"schemaVersion": 2, "config": desc(config, "config.v1+json"), "layers": [{"mediaType": oci + "layer.v1.tar", "digest": layer, "size": size}]}).encode()
with tarfile.open("big.tar", "w") as t:
    def add(name, data):
        i = tarfile.TarInfo(name)
        i.size = len(data)
        t.addfile(i, io.BytesIO(data))
    add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    add("index.json", json.dumps({"schemaVersion": 2, "manifests": [desc(manifest, "manifest.v1+json", annotations={"io.containerd.image.name": "docker.io/library/big:1"})]}).encode())
    for data in config, manifest:
        add("blobs/sha256/" + hashlib.sha256(data).hexdigest(), data)
    t.add("big/layer.tar", "blobs/sha256/" + layer[7:])
END
	rm -r big
	# the largest resident set of ctr and all that it starts
	peak() {
		python3 -c 'import resource, subprocess, sys
s = subprocess.run(sys.argv[1:], stdin=open("big.tar")).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(s)' "$ctr_program" "$@" >peak && kib=$(tail -n 1 peak)
	}
	under() { if peak "${@:2}" && [ "$kib" -lt 65536 ]; then pass "$1: $((kib / 1024)) MiB"; else fail "$1" "$kib KiB"; fi; }
	under "memory of an import" -n big images import big.tar
	under "memory of an import through a pipe" -n pipe images import -
	under "memory of a push" -n big images push -q big:1
	under "memory of a pull" -n pulled images pull -q big:1
	under "memory of an export" -n pulled images export big.out big:1
	rm -f big.tar big.out
else
	skip_one "memory" "sanitizers take their own"
fi

# --- beside containerd -------------------------------------------------------------------------------------------------
if command -v containerd >/dev/null && start_containerd; then
	try their_ctr images pull --hosts-dir "$work/hosts" --platform $host $name
	is "$status" 0 "containerd pulls what was pushed"
	# labels come in any order there
	labels() { awk 'NR > 1 { print $1, $NF }' | while read -r d l; do echo "$d $(tr , '\n' <<<"$l" | sort | paste -sd,)"; done | sort; }
	is "$(ctr -n short content ls | labels)" "$(their_ctr content ls | labels)" "blobs and their labels are those of containerd"
	is "$(ctr -n short images ls)" "$(their_ctr images ls)" "and the listing"
	is "$(ctr -n short snapshots tree)" "$(their_ctr snapshots tree)" "and the snapshots"
	for line in "images pull" "images push" "content fetch-object" "content push-object x" "images pull --bad"; do
		IFS=' ' read -ra words <<<"$line"
		want=$(their_ctr "${words[@]}" 2>&1 >/dev/null | tail -n 1; echo "${PIPESTATUS[0]}")
		got=$("$ctr_program" "${words[@]}" 2>&1 >/dev/null | tail -n 1; echo "${PIPESTATUS[0]}")
		case $line in content*) is "${got##*$'\n'}" "${want##*$'\n'}" "as containerd's status: ctr $line" ;;
		*) is "$got" "$want" "as containerd's: ctr $line" ;; esac
	done
else
	skip_one "comparison" "containerd is not here"
fi
cd / || exit 1
kill "$registry"; wait "$registry" 2>/dev/null
done_testing
