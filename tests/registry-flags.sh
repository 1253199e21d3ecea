#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the flags of pull and push do, seen from the registry's side; and what happens at the same time there
# and here.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root python3 openssl docker-registry jq
mkdir "$work/reg" "$work/hostile"
python3 "$abs_top_srcdir/tests/registry.py" "$work/port" "$work/reg" 2>"$work/registry.log" &
servers=($!)
python3 "$abs_top_srcdir/tests/resolver-hostile.py" "$work/hostile" >"$work/hostile.log" 2>&1 &
servers+=($!)
trap 'kill "${servers[@]}" 2>/dev/null; clean_up' EXIT
wait_for 20 test -s "$work/port" && wait_for 20 test -s "$work/hostile/ports" || { echo "Bail out! no registry"; exit 1; }
at=127.0.0.1:$(cat "$work/port")
write_config 'resolver-http: { retries = 1; retry_delay = "50ms"; use_docker_config = false; hosts_dir = ""; };'
reg=$work/reg

# --- how many at the same time ---------------------------------------------------------------------------
forget() { for i in $(ctr images ls -q); do ctr images rm --sync "$i" >/dev/null; done; }
# Holds what the registry is asked for until that many are held, then a little longer for more to come.
peak() { # LIMIT COMMAND...
	local limit=$1 pid
	shift
	rm -f "$reg/go" "$reg/peak"
	"$ctr_program" "$@" >"$work/out" 2>"$work/err" &
	pid=$!
	wait_for 30 grep -qx "$limit" "$reg/peak"
	sleep 0.5
	touch "$reg/go"
	wait "$pid"
	is "$?/$(cat "$work/err")" "0/" "$*"
	is "$(cat "$reg/peak")" "$limit" "$limit at the same time, and never more"
	[ "$1" = images ] && [ "$2" = push ] || forget
}
peak 1 images pull -q --max-concurrent-downloads 1 "$at/many:1"
peak 2 images pull -q --max-concurrent-downloads 2 "$at/many:1"
peak 3 images pull -q "$at/many:1"
peak 6 images pull -q --max-concurrent-downloads 40 "$at/many:1"
touch "$reg/go"
ctr images pull -q "$at/many:1"
peak 1 images push -q --max-concurrent-uploaded-layers 1 "$at/take:1" "$at/many:1"
peak 3 images push -q "$at/take:1" "$at/many:1"
peak 7 images push -q --max-concurrent-uploaded-layers 9 "$at/take:1" "$at/many:1"
forget

# --- unpacking begins while later layers still arrive ---------------------------------------------------------
snapshots=$work/root/io.containerd.snapshotter.v1
for s in overlayfs native; do
	rm -f "$reg/go" "$reg/peak"
	"$ctr_program" images pull -q --snapshotter $s "$at/late:1" >"$work/out" 2>"$work/err" &
	pid=$!
	if wait_for 30 sh -c "find '$snapshots.$s' -name one-late -size 1024k | grep -q ." && [ "$(cat "$reg/peak")" = 1 ]; then
		pass "$s: a layer's files are written before the last one has arrived"
	else fail "$s: a layer's files are written before the last one has arrived" "$(find "$snapshots.$s" | head -20)"; fi
	is "$(ctr images ls -q)" "" "$s: the image has no name yet"
	touch "$reg/go"
	wait "$pid"
	is "$?/$(ctr images check -q --snapshotter $s)" "0/$at/late:1" "$s: when that is there, too, it is whole"
	forget
done

# --- two pulls that share layers ---------------------------------------------------------------------------
rm -f "$reg/go"
: >"$reg/requests"
"$ctr_program" images pull -q "$at/shared-a:1" >"$work/out" 2>"$work/err" &
first=$!
wait_for 30 eval '"$ctr_program" content active | grep -q "layer-.*5[0-9][0-9]"'
"$ctr_program" images pull "$at/shared-b:1" >"$work/out2" 2>"$work/err2" &
second=$!
ok "the second pull gets as far as its own configuration" wait_for 30 eval '[ "$("$ctr_program" content ls -q | wc -l)" -ge 5 ]'
touch "$reg/go"
wait $first; is "$?/$(cat "$work/err")" "0/" "two images of the same layers: the first"
wait $second; is "$?/$(cat "$work/err2")" "0/" "and the second"
is "$(grep -c '^GET /v2/shared-./blobs/' "$reg/requests")" 4 "two configurations and two layers: what is under way is shared"
is "$(ctr images check -q | wc -l)" 2 "both are whole"
like "$(grep exists "$work/out2")" "layer-sha256:" "the second says that it is there"
forget

# --- what is shown, and to whom it goes ------------------------------------------------------------------------
touch "$reg/go"
try ctr images pull -q --http-trace "$at/ok:1"
like "$status/$err" "^0/.*127.0.0.1" "--http-trace alone shows connections"
trace=$err
try ctr content fetch-object --http-dump "$at/ok:1"
like "$err" "> HEAD /v2/ok/manifests/1 HTTP/1.1.*< HTTP/1.1 200" "--http-dump alone shows requests and answers"
is "$(grep -c 'msg="\* ' <<<"$err")" 0 "and no connections"
like "$(grep -c 'msg="\* ' <<<"$trace")" "^[1-9]" "which --http-trace does"
forget
# containerd's hosts.toml may say what no command of ctr asks for.
mkdir -p "$work/hosts/$at"
printf '[host."http://%s"]\n  capabilities = ["pull", "resolve", "referrers"]\n' "$at" >"$work/hosts/$at/hosts.toml"
try ctr images pull -q --hosts-dir "$work/hosts" "$at/ok:1"
is "$status/$err" "0/" "a host that also has referrers"
forget
printf 'server = "http://%s"\ncapabilities = ["referrers"]\n' "$at" >"$work/hosts/$at/hosts.toml"
try ctr images pull -q --hosts-dir "$work/hosts" "$at/ok:1"
is "$status/$err" "1/ctr: resolve reference \"$at/ok:1\": resolve $at/ok:1: no host of $at can resolve, says its hosts.toml: not implemented" "one that has nothing else is not asked for images"
read -r port _ _ _ <"$work/hostile/ports"
try ctr content fetch-object --plain-http "127.0.0.1:$port/bearer/x:t"
like "$status/$err" "^1/.*unauthenticated" "a token is wanted"
try ctr content fetch-object --plain-http --refresh refreshsecret "127.0.0.1:$port/bearer/x:t"
is "$status/$err" "0/" "--refresh: exchanged for one"
like "$(cat "$work/hostile/log")" '"grant_type": \["refresh_token"\].*"refresh_token": \["refreshsecret"\]' "by OAuth2's refresh_token"
try ctr content fetch-object --plain-http --refresh wrongsecret "127.0.0.1:$port/bearer/x:t"
like "$status/$err" "^1/.*unauthenticated" "--refresh that is none"
is "$(grep -c wrongsecret <<<"$err")" 0 "it is not shown"
try ctr content fetch-object --plain-http --user user:topsecret "127.0.0.1:$port/basic/x:t"
is "$status/$err" "0/" "--user: Basic"
ctr content fetch-object --plain-http --user user "127.0.0.1:$port/basic/x:t" <<<topsecret >"$work/out" 2>"$work/err"
like "$?/$(cat "$work/out")" "^0/Password: " "--user without a password asks for it"

# --- TLS with certificates of clients -----------------------------------------------------------------------------
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
for c in localhost client; do
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$c" -keyout "$work/$c.key" -out "$work/$c.csr" 2>/dev/null
	printf 'subjectAltName=DNS:%s\n' $c >"$work/$c.ext"
	openssl x509 -req -in "$work/$c.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
		-extfile "$work/$c.ext" -out "$work/$c.pem" 2>/dev/null
done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/tls.yml" <<END
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $work/store } }
http: { addr: "127.0.0.1:$port", tls: { certificate: $work/localhost.pem, key: $work/localhost.key, clientcas: [ $work/ca.pem ] } }
validation: { manifests: { urls: { allow: [ "^http://example" ] } } }
END
docker-registry serve "$work/tls.yml" >"$work/tls.log" 2>&1 &
servers+=($!)
wait_for 20 bash -c "exec 9<>/dev/tcp/127.0.0.1/$port" || { echo "Bail out! $(tail -n 3 "$work/tls.log")"; exit 1; }
tls=localhost:$port
keys=(--tlscacert "$work/ca.pem" --tlscert "$work/client.pem" --tlskey "$work/client.key")
ctr images pull -q "$at/ok:1"
try ctr images push -q "${keys[@]}" "$tls/by/flags:1" "$at/ok:1"
is "$status/$err" "0/" "push with --tlscacert, --tlscert, --tlskey"
forget
try ctr images pull -q "${keys[@]}" "$tls/by/flags:1"
is "$status/$(ctr images check -q)" "0/$tls/by/flags:1" "pull with them"
forget
try ctr images pull -q --tlscacert "$work/ca.pem" "$tls/by/flags:1"
like "$status/$err" "^1/ctr: .*$tls" "without a certificate of the client's"
try ctr images pull -q --skip-verify --tlscert "$work/client.pem" --tlskey "$work/client.key" "$tls/by/flags:1"
is "$status/$err" "0/" "--skip-verify with one"
forget
try ctr images pull -q --tlscacert "$work/ca.pem" --tlscert "$work/client.pem" --tlskey "$work/localhost.key" "$tls/by/flags:1"
like "$status/$err" "^1/ctr: .*$tls: the client's certificate or its key \(--tlscert, --tlskey" "a key of another certificate"
try ctr images pull -q --tlscacert "$work/client.key" "$tls/by/flags:1"
like "$status/$err" "^1/ctr: .*$tls: nothing to check its certificate by.*--tlscacert" "an authority that is none"
is "$(ctr content ls -q)" "" "nothing is left of these"

# --- layers that are not to be handed on ------------------------------------------------------------------------------
python3 - "$work/foreign.tar" <<'END'
import hashlib, io, json, sys, tarfile
blobs = {}
def blob(data, kind, **more):
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return dict(more, mediaType="application/vnd.oci.image." + kind, digest="sha256:" + digest, size=len(data))
near = blob(b"near", "layer.v1.tar")
far = blob(b"far away", "layer.nondistributable.v1.tar", urls=["http://example/far"])
config = blob(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [near["digest"], far["digest"]]}}).encode(), "config.v1+json")
manifest = blob(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [near, far]}).encode(), "manifest.v1+json", annotations={"io.containerd.image.name": "example.com/foreign:1"})
with tarfile.open(sys.argv[1], "w") as t:
    def add(name, data):
        i = tarfile.TarInfo(name)
        i.size = len(data)
        t.addfile(i, io.BytesIO(data))
    add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    add("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
    for digest, data in blobs.items():
        add("blobs/sha256/" + digest, data)
END
ctr images import --no-unpack "$work/foreign.tar" >/dev/null
far=sha256:$(printf 'far away' | sha256sum | cut -d' ' -f1)
try ctr images push -q "${keys[@]}" "$tls/f/without:1" example.com/foreign:1
is "$status/$err" "0/" "push of an image with a foreign layer"
try ctr content fetch-blob "${keys[@]}" "$tls/f/without:1" "$far"
like "$status/$err" "^1/.*not found" "which is not pushed"
try ctr images push -q "${keys[@]}" --allow-non-distributable-blobs "$tls/f/with:1" example.com/foreign:1
is "$status/$err" "0/" "push --allow-non-distributable-blobs"
try ctr content fetch-blob "${keys[@]}" "$tls/f/with:1" "$far"
is "$status/$out" "0/far away" "pushes it"
forget

# --- documents that are too large are not even read to be pushed -----------------------------------------------------------
python3 -c 'import json, sys; sys.stdout.write(json.dumps({"schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + 64 * "0", "size": 2}, "layers": [], "annotations": {"x": "y" * (9 << 20)}}))' >"$work/big"
ctr content ingest big <"$work/big"
big=sha256:$(sha256sum "$work/big" | cut -d' ' -f1)
try ctr images push -q "${keys[@]}" --manifest "$big" "$tls/too/big:1"
like "$status/$err" "^1/ctr: .*$big.*8388608" "push of a manifest of 9 MiB"
try ctr snapshots unpack "$big"
like "$status/$err" "^1/ctr: .*8388608" "nor to be unpacked"
done_testing
