#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# resolver-http against Docker's registry: plain, by https with an authority of its own, with a client's
# certificate, with htpasswd, with a token server; and skopeo reads what it pushes.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root docker-registry htpasswd openssl python3 skopeo
module=$(plugin_folder)/resolver-http.so
config=$work/docker/config.json
layer=application/vnd.oci.image.layer.v1.tar+gzip
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; clean_up' EXIT
mkdir -p "$work/docker" "$work/hosts" "$work/tokens"
echo '{}' >"$config"

tool() {
	timeout 60 "$abs_top_builddir/tests/resolver-tool" "$module" --option docker_config="$config" \
		--option retry_delay=50ms --hosts-dir "$work/hosts" "$@"
}
field() { printf '%s\n' "$out" | cut -d' ' -f"$1"; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# registry NAME [SETTINGS UNDER http] [OTHER SETTINGS]: its port is in $port
registry() {
	port=$(free_port)
	cat >"$work/$1.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/store}}
http: {addr: "127.0.0.1:$port"${2:-}}
${3:-}
END
	docker-registry serve "$work/$1.yml" >"$work/$1.log" 2>&1 &
	pids+=($!)
	wait_for 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" ||
		{ echo "Bail out! $1: $(tail -n 3 "$work/$1.log")"; exit 1; }
}

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
certificate() { # NAME SUBJECT-ALTERNATIVE
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
	printf 'subjectAltName=%s\n' "$2" >"$work/$1.ext"
	openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
		-extfile "$work/$1.ext" -out "$work/$1.pem" 2>/dev/null
}
certificate localhost DNS:localhost
certificate client DNS:client
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stranger -keyout "$work/stranger.key" -out "$work/stranger.pem" 2>/dev/null

# --- plain http: both formats, by others and by us
make_image
registry plain
plain=127.0.0.1:$port
skopeo copy -q --dest-tls-verify=false "oci-archive:$image" "docker://$plain/lib/oci:t" >"$work/skopeo.log" 2>&1
skopeo copy -q --dest-tls-verify=false --format v2s2 "oci-archive:$image" "docker://$plain/lib/docker:t" >>"$work/skopeo.log" 2>&1
try tool resolve "$plain/lib/oci:t"
is "$(field 2)" application/vnd.oci.image.manifest.v1+json "OCI's manifest"
manifest=$(field 1) size=$(field 3)
try tool fetch "$plain/lib/oci:t" "$manifest" "$size" application/vnd.oci.image.manifest.v1+json "$work/manifest"
is "sha256:$(sha256sum "$work/manifest" | cut -d' ' -f1)" "$manifest" "fetched"
try tool resolve "$plain/lib/docker:t"
is "$(field 2)" application/vnd.docker.distribution.manifest.v2+json "Docker's schema 2"
try tool resolve "$plain/lib/none:t"
like "$err" "^NOT_FOUND: resolve $plain/lib/none:t: registry $plain: status 404" "a repository that is not there"
blob=$(jq -r '.layers[0].digest' "$work/manifest") blob_size=$(jq -r '.layers[0].size' "$work/manifest")
config_digest=$(jq -r .config.digest "$work/manifest") config_size=$(jq -r .config.size "$work/manifest")
try tool --parallel 8 fetch "$plain/lib/oci:t" "$blob" "$blob_size" $layer "$work/layer"
is "sha256:$(sha256sum "$work/layer" | cut -d' ' -f1)" "$blob" "a layer, by eight threads at once"
try tool fetch "$plain/lib/oci:t" "$blob" "$blob_size" $layer "$work/part" 1000
ok "and from an offset" cmp "$work/part" <(tail -c +1001 "$work/layer")
try tool fetch "$plain/lib/oci:t" "$blob" -1 $layer "$work/all"
ok "one whose size nobody knows" cmp "$work/all" "$work/layer"
try tool resolve "$plain/lib/oci@$blob"
is "$(field 1) $(field 3)" "$blob $blob_size" "a blob by its digest"
tool fetch "$plain/lib/oci:t" "$config_digest" "$config_size" application/vnd.oci.image.config.v1+json "$work/config" 2>/dev/null

push_all() { # REPOSITORY [FLAG]...: the image, its manifest last
	local to=$1
	shift
	try tool "$@" push "$to:t@$manifest" "$work/layer" $layer; first=$out
	try tool "$@" push "$to:t@$manifest" "$work/config" application/vnd.oci.image.config.v1+json
	try tool "$@" push "$to:t@$manifest" "$work/manifest" application/vnd.oci.image.manifest.v1+json
}
head -c 12345678 /dev/urandom >"$work/random"
random=sha256:$(sha256sum "$work/random" | cut -d' ' -f1)
try tool push "$plain/new/a:t" "$work/random" $layer
is "$out" "sent $random" "a blob is sent"
try tool push "$plain/new/a:t" "$work/random" $layer
is "$out" "existed $random" "once"
try tool --from new/a push "$plain/new/b:t" "$work/random" $layer
is "$out" "mounted $random" "and mounted from there"
head -c 12345678 /dev/urandom >"$work/random"
random=sha256:$(sha256sum "$work/random" | cut -d' ' -f1)
try tool --option chunk_size=5MiB push "$plain/new/c:t" "$work/random" $layer
is "$out" "sent $random" "a blob in pieces"
try tool fetch "$plain/new/c:t" "$random" 12345678 $layer "$work/back"
ok "comes back as it was" cmp "$work/back" "$work/random"
truncate -s 200000000 "$work/large"
try tool push "$plain/new/large:t" "$work/large" $layer
is "${out%% *} $(($(sed -n 's/^maxrss \([0-9]*\) kB/\1/p' <<<"$err") < 64000))" "sent 1" "200 MB are sent in less than 64 MB of memory"
try tool fetch "$plain/new/large:t" "sha256:$(sha256sum "$work/large" | cut -d' ' -f1)" 200000000 $layer /dev/null
is "$status $(($(sed -n 's/^maxrss \([0-9]*\) kB/\1/p' <<<"$err") < 64000))" "0 1" "and fetched"
rm "$work/large"
: >"$work/empty"
try tool push "$plain/new/c:t" "$work/empty" $layer
like "$out" "^sent" "a blob of 0 bytes"
push_all "$plain/new/image"
is "$out" "sent $manifest" "an image, its manifest by tag"
is "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$plain/new/image:t")" "$manifest" "which skopeo reads"
try tool push "$plain/new/image:t@$manifest" "$work/manifest" application/vnd.oci.image.manifest.v1+json
is "$out" "existed $manifest" "a tag that stands for it already"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s}]}' \
	"$manifest" "$size" >"$work/index"
index=sha256:$(sha256sum "$work/index" | cut -d' ' -f1)
try tool push "$plain/new/image:many@$index" "$work/index" application/vnd.oci.image.index.v1+json
try tool resolve "$plain/new/image:many"
is "$(field 1) $(field 2)" "$index application/vnd.oci.image.index.v1+json" "an index"
try tool push "$plain/new/image:none@$index" "$work/manifest" application/vnd.oci.image.manifest.v1+json
try tool resolve "$plain/new/image:none"
like "$err" "NOT_FOUND" "a piece of it gets no tag"
sed 's/sha256:...../sha256:00000/' "$work/manifest" >"$work/dangling"
try tool push "$plain/new/image:bad" "$work/dangling" application/vnd.oci.image.manifest.v1+json
like "$err" "MANIFEST_BLOB_UNKNOWN" "what the registry finds wrong with a manifest is said"

# --- the conformance suite, which make check runs without a registry
try env GANTRY_TEST_REGISTRY="$plain/suite" timeout 120 unshare --mount --propagation private \
	"$(built gantry-plugin-test)" --option hosts_dir= --option use_docker_config=false "$module"
is "$status $(grep -c '^not ok' <<<"$out")" "0 0" "the conformance suite"
[ "$status" = 0 ] || grep -A3 '^not ok' <<<"$out" | sed 's/^/# /'
like "$out" "8 threads read at once" "ran"

# --- https
registry tls ", tls: {certificate: $work/localhost.pem, key: $work/localhost.key}"
tls=localhost:$port
folder=$work/hosts/localhost_${port}_
mkdir "$folder"
printf 'ca = "../../ca.pem"\n' >"$folder/hosts.toml"
try tool resolve "$tls/lib/oci:t"
is "$(field 1)" "$manifest" "https, its authority named by hosts.toml"
rm "$folder/hosts.toml" && cp "$work/ca.pem" "$folder/ca.crt"
try tool resolve "$tls/lib/oci:t"
is "$(field 1)" "$manifest" "by a certificate in the folder"
rm -r "$folder"
try tool --ca "$work/ca.pem" --option http2=true --parallel 4 fetch "$tls/lib/oci:t" "$blob" "$blob_size" $layer "$work/got"
ok "HTTP/2, by four threads" cmp "$work/got" "$work/layer"
printf 'server = "https://%s"\n' "$tls" >"$work/hosts.toml"
mkdir "$folder" && cp "$work/hosts.toml" "$folder/"
try tool resolve "$tls/lib/oci:t"
like "$err" "^FAILED_PRECONDITION: .*certificate does not fit" "an authority that nobody knows"

registry mutual ", tls: {certificate: $work/localhost.pem, key: $work/localhost.key, clientcas: [$work/ca.pem]}"
mutual=localhost:$port
try tool --ca "$work/ca.pem" resolve "$mutual/lib/oci:t"
like "$err" "^UNAVAILABLE: .*$mutual" "a client's certificate is wanted"
try tool --ca "$work/ca.pem" --cert "$work/client.pem" --key "$work/client.key" resolve "$mutual/lib/oci:t"
is "$(field 1)" "$manifest" "and shown by flags"
mkdir "$work/hosts/localhost_${port}_"
printf '[host."https://%s"]\nca = ["../../ca.pem"]\nclient = [["../../client.pem", "../../client.key"]]\n' "$mutual" \
	>"$work/hosts/localhost_${port}_/hosts.toml"
try tool resolve "$mutual/lib/oci:t"
is "$(field 1)" "$manifest" "by hosts.toml"
printf '[host."https://%s"]\nca = ["../../ca.pem"]\nclient = [["../../stranger.pem", "../../stranger.key"], ["../../client.pem", "../../client.key"]]\n' \
	"$mutual" >"$work/hosts/localhost_${port}_/hosts.toml"
try tool resolve "$mutual/lib/oci:t"
is "$(field 1)" "$manifest" "of several, the one that the registry knows the authority of"

# --- htpasswd
htpasswd -Bbn user topsecret >"$work/htpasswd" 2>/dev/null
registry basic "" "auth: {htpasswd: {realm: test, path: $work/htpasswd}}"
basic=127.0.0.1:$port
try tool resolve "$basic/lib/oci:t"
like "$err" "^UNAUTHENTICATED: .*$basic" "htpasswd: nobody may"
try tool --user user:topsecret resolve "$basic/lib/oci:t"
is "$(field 1)" "$manifest" "--user may"
try tool --user user:wrong resolve "$basic/lib/oci:t"
like "$err" "^UNAUTHENTICATED: .*$basic" "but not with any password"
printf '{"auths":{"%s":{"auth":"%s"}}}' "$basic" "$(printf user:topsecret | base64)" >"$config"
try tool push "$basic/priv/x:t" "$work/random" $layer
is "$out" "sent $random" "push, by Docker's config.json"
cat >"$work/docker/docker-credential-gantry-test" <<'END'
#!/bin/sh
read -r server
echo "$1 $server" >>"$0.log"
echo '{"ServerURL":"x","Username":"user","Secret":"topsecret"}'
END
chmod 755 "$work/docker/docker-credential-gantry-test"
printf '{"credHelpers":{"%s":"gantry-test"}}' "$basic" >"$config"
PATH=$work/docker:$PATH try tool --again resolve "$basic/lib/oci:t"
is "$status $(cat "$work/docker/docker-credential-gantry-test.log")" "0 get $basic" "by a credential helper, asked once"
echo '{}' >"$config"
mkdir -p "$work/hosts/docker.io"
printf 'server = "https://registry.invalid"\n[host."http://%s"]\n' "$basic" >"$work/hosts/docker.io/hosts.toml"
try tool --user user:topsecret resolve docker.io/lib/oci:t
is "$(field 1) $(field 4)" "$manifest $basic" "a mirror for docker.io"

# --- tokens
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tokens -keyout "$work/tokens/key" -out "$work/tokens/cert" 2>/dev/null
python3 "$abs_top_srcdir/tests/resolver-tokens.py" "$work/tokens" "$work/tokens/cert" "$work/tokens/key" >"$work/tokens/err" 2>&1 &
pids+=($!)
wait_for 20 test -s "$work/tokens/port" || { echo "Bail out! no token server: $(cat "$work/tokens/err")"; exit 1; }
registry token "" "auth: {token: {realm: \"http://127.0.0.1:$(cat "$work/tokens/port")/token\", service: test-service, issuer: gantry-test, rootcertbundle: $work/tokens/cert}}"
token=127.0.0.1:$port
try tool --parallel 4 fetch "$token/lib/oci:t" "$blob" "$blob_size" $layer "$work/got"
ok "tokens: anybody may pull" cmp "$work/got" "$work/layer"
: >"$work/tokens/log"
try tool --again resolve "$token/lib/oci:t"
is "$(cat "$work/tokens/log")" "GET - repository:lib/oci:pull" "one token for two requests"
try tool push "$token/tok/a:t" "$work/random" $layer
like "$err" "^UNAUTHENTICATED: .*$token.*push" "but not push"
try tool --user user:topsecret push "$token/tok/a:t" "$work/random" $layer
is "$out" "sent $random" "which --user may"
: >"$work/tokens/log"
try tool --user user:topsecret --from tok/a push "$token/tok/b:t" "$work/random" $layer
is "$out" "mounted $random" "a mount across repositories"
like "$(cat "$work/tokens/log")" "POST user repository:tok/b:pull,push repository:tok/a:pull" "takes a token for both"
try tool --user user:wrong resolve "$token/lib/oci:t"
like "$err" "^UNAUTHENTICATED: .*token server .*incorrect username or password" "a password that is wrong"
push_all "$token/tok/image" --user user:topsecret
is "$out" "sent $manifest" "an image"
done_testing
