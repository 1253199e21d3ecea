#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# resolver-http against a registry that misbehaves: each case ends in time, with an error of its class
# that says what and where, and no secret goes where it does not belong or is shown.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires python3 openssl
module=$(plugin_folder)/resolver-http.so
config=$work/docker/config.json
mkdir -p "$work/docker" "$work/a" "$work/s" "$work/hosts"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
python3 "$abs_top_srcdir/tests/resolver-hostile.py" "$work/a" >"$work/a/err" 2>&1 &
plain_pid=$!
python3 "$abs_top_srcdir/tests/resolver-hostile.py" "$work/s" "$work/cert.pem" "$work/key.pem" >"$work/s/err" 2>&1 &
tls_pid=$!
trap 'kill $plain_pid $tls_pid 2>/dev/null; clean_up' EXIT
wait_for 30 test -s "$work/a/ports" && wait_for 30 test -s "$work/s/ports" ||
	{ echo "Bail out! the server does not start: $(cat "$work"/?/err)"; exit 1; }
read -r port other manifest blob <"$work/a/ports"
read -r tls_port tls_other _ <"$work/s/ports"
host=127.0.0.1:$port
type=application/vnd.oci.image.layer.v1.tar+gzip
fast=(--option retry_delay=10ms --option retries=3 --option docker_config="$config")
# for what hangs
short=(--option retries=1 --option response_timeout=1s --option connect_timeout=1s --option low_speed_time=1s)

# The tool in at most 30 seconds: what hangs fails.
tool() { timeout 30 "$abs_top_builddir/tests/resolver-tool" "$module" "${fast[@]}" "$@"; }
resolve() { try tool --plain-http "${flags[@]}" resolve "$host/$1/x:t"; }
fetch() { # MODE [ARGUMENT]...
	local mode=$1
	shift
	rm -f "$work/got"
	try tool --plain-http "${flags[@]}" fetch "$host/$mode/x:t" "$blob" 300000 $type "$work/got" "$@"
}
flags=()
class() { # CLASS WORDS DESCRIPTION: of the last error
	like "$err" "^(.*
)?$1: .*$2" "$3"
}
logged() { grep -c -- "$1" "$work/a/log"; }

resolve ok
is "$out" "$manifest application/vnd.oci.image.manifest.v1+json $(stat -c %s "$work/a/manifest") $host" "resolve"
fetch ok
ok "fetch" cmp "$work/got" "$work/a/blob"
fetch ok 123456
ok "from an offset" cmp "$work/got" <(tail -c +123457 "$work/a/blob")

# --- statuses
resolve s401; class UNAUTHENTICATED "registry $host: status 401.*--user" "401"
resolve s403; class PERMISSION_DENIED "registry $host: status 403.*may not pull" "403"
fetch s403; class PERMISSION_DENIED "DENIED: no \[31m access" "its body is repeated, without control characters"
resolve s404; class NOT_FOUND "$host/s404/x:t: registry $host: status 404" "404"
resolve s429; is "$status" 0 "429 is waited for"
resolve s429long; class RESOURCE_EXHAUSTED "asks to wait 3600 s" "but not for an hour"
resolve s500; class UNAVAILABLE "status 500" "5xx"
resolve s503twice; is "$status" 0 "5xx that passes is tried again"

# --- not what was asked for
resolve html; class FAILED_PRECONDITION "text/html where a manifest" "an HTML page for a manifest"
fetch html; class FAILED_PRECONDITION "HTML page" "an HTML page for a blob"
resolve json; class FAILED_PRECONDITION "application/json where a manifest" "another media type"
resolve sniff; like "$out" "^$manifest application/vnd.oci.image.manifest" "a type that only the document says"
resolve nohead; like "$out" "^$manifest" "a host that knows no HEAD"
resolve nodigest; like "$out" "^$manifest" "an answer without a digest is read and hashed"
resolve schema1; class UNIMPLEMENTED "schema 1" "schema 1"
resolve bigman; class RESOURCE_EXHAUSTED "5000000 bytes, where 4393216" "a manifest that is too large"
resolve endless; class RESOURCE_EXHAUSTED "4393217 bytes, where 4393216" "one that never ends"
resolve headers; class FAILED_PRECONDITION "bytes of headers" "headers without end"
resolve garbage; class UNAVAILABLE "the connection" "no HTTP at all"
try tool --plain-http resolve "$host/baddigest/x@$manifest"
class FAILED_PRECONDITION "has sha256:0000.* where $manifest" "another digest than was asked for"
try tool --plain-http resolve "$host/nodigestwrong/x@$manifest"
class FAILED_PRECONDITION "$manifest" "a document that has another digest"
try tool --plain-http resolve "$host/ok/x@$blob"
is "${out%% *}" "$blob" "a blob by its digest"

# --- bodies
fetch short; class FAILED_PRECONDITION "has 1000 bytes, where the descriptor says 300000" "a short body"
fetch shortchunked; class DATA_LOSS "at byte 1000" "a short body that does not say so"
fetch long; class FAILED_PRECONDITION "has 300001 bytes, where the descriptor says 300000" "a long body"
fetch longchunked; class FAILED_PRECONDITION "has more than the 300000 bytes" "a long one that does not say so"
fetch empty; class FAILED_PRECONDITION "has 0 bytes" "a blob of 0 bytes"
fetch die; class "(DATA_LOSS|UNAVAILABLE)" "$host" "a connection that dies each time"
fetch dieonce; ok "one that dies once goes on by range" cmp "$work/got" "$work/a/blob"
like "$(grep dieonce "$work/a/log" | tail -n 1)" "range=bytes=150000-" "from where it was"
fetch norange; ok "a host without ranges is read from the start" cmp "$work/got" "$work/a/blob"
fetch badrange; class FAILED_PRECONDITION "another range" "a range that was not asked for"
fetch ok 300000; is "$status $(stat -c %s "$work/got")" "0 0" "nothing behind the end"

# --- time
flags=("${short[@]}")
resolve hang; class UNAVAILABLE "no answer within" "a host that hangs"
fetch hangbody; class UNAVAILABLE "bytes moved in" "one that hangs half-way"
fetch drip; class UNAVAILABLE "bytes moved in" "one that drips"
flags=()
try tool --plain-http --deadline-ms 300 resolve "$host/hang/x:t"
class DEADLINE_EXCEEDED "$host/hang/x" "the call's deadline"
try tool --plain-http --cancel-ms 300 fetch "$host/hangbody/x:t" "$blob" 300000 $type "$work/got"
class CANCELED "canceled" "the call's end"
try tool --plain-http "${short[@]}" resolve "192.0.2.1:9/ok/x:t"
class UNAVAILABLE "192.0.2.1:9" "a host that is not there"

# --- who we are
printf '{"auths":{"%s":{"auth":"%s"}}}' "$host" "$(printf user:topsecret | base64)" >"$config"
resolve basic; is "$status" 0 "Basic, by Docker's config.json"
fetch basicredirect; ok "a redirect to another host is followed" cmp "$work/got" "$work/a/blob"
is "$(grep -c '^B [A-Z]* /v2/.*auth=-' "$work/a/log")-$(grep -c '^B [A-Z]* /v2/.*auth=[^-]' "$work/a/log")" 1-0 "and not told who we are"
fetch redirect401; class UNAUTHENTICATED "redirected to http://127.0.0.1:$other: status 401" "its 401 is the end"
is "$(grep -c '^B [A-Z]* /v2/.*auth=[^-]' "$work/a/log")" 0 "without a word to it"
fetch redirectuser; ok "userinfo in a redirect is dropped" cmp "$work/got" "$work/a/blob"
is "$(grep -c '^B [A-Z]* /v2/.*auth=[^-]' "$work/a/log")" 0 "and sent nowhere"
fetch redirecthere; ok "a redirect on the same host keeps it" cmp "$work/got" "$work/a/blob"
resolve redirectfile; class FAILED_PRECONDITION "to no URL" "a redirect to a file"
resolve redirectnowhere; class FAILED_PRECONDITION "to no URL" "a redirect without a place"
resolve redirectloop; class FAILED_PRECONDITION "more than 10 times" "redirects in a circle"
flags=(--header X-Secret=headersecret)
fetch basicredirect
is "$(grep -c '^A .*x=headersecret' "$work/a/log" | sed 's/[1-9][0-9]*/some/')-$(grep -c '^B .*x=headersecret' "$work/a/log")" \
	some-0 "nor does a header of ours go to another host"
flags=()
fetch echo; class PERMISSION_DENIED "not shown" "a host that echoes what it was sent"
is "$(grep -c -e topsecret -e "$(printf user:topsecret | base64)" <<<"$err")" 0 "is not repeated"
resolve bearer; is "$status" 0 "Bearer, by OAuth2's POST"
like "$(grep -A1 '^A POST /token ' "$work/a/log" | tail -n 1)" '"grant_type": \["password"\].*"scope": \["repository:bearer/x:pull"\]' \
	"for the scope of the repository"
resolve bearerget; is "$status" 0 "Bearer, by GET where POST is not known"
flags=(--again)
before=$(logged '/tokenget?')
resolve bearerget
is "$(($(logged '/tokenget?') - before))" 1 "one token for two requests"
printf '{}' >"$config"
flags=(--token refreshsecret)
resolve bearer; is "$status" 0 "an identity token is exchanged"
flags=(--user user:topsecret)
resolve bearer; is "$status" 0 "--user"
resolve bearerother; is "$status" 0 "a token server elsewhere, which the registry names"
flags=(--user user:wrongsecret)
resolve bearer; class UNAUTHENTICATED "incorrect username or password" "a wrong password"
is "$(grep -c wrongsecret <<<"$err")" 0 "which is not shown"
flags=()
resolve beareranon; is "$status" 0 "anonymous tokens"
resolve bearer; class UNAUTHENTICATED "token server http://$host.*--user" "no credentials"
resolve bearernever; class UNAUTHENTICATED "status 401" "a token that is not enough"
resolve bearerhtml; class FAILED_PRECONDITION "token server.*no JSON" "a token server with a page"
resolve bearerendless; class FAILED_PRECONDITION "longer than" "one without end"
flags=("${short[@]}")
resolve bearerhang; class UNAVAILABLE "token server.*no answer" "one that hangs"
flags=()
resolve bearernorealm; class FAILED_PRECONDITION "no URL" "one that is a file"
printf '{"auths":{"%s":{"auth":"%s"}},' "$host" "$(printf user:topsecret | base64)" >"$config"
resolve basic; class INVALID_ARGUMENT "$config: line 1" "a config.json that is cut off"
is "$(grep -c "$(printf user:topsecret | base64)" <<<"$err")" 0 "is not quoted"
printf '{}' >"$config"

# --- foreign layers
fetch s404 0 "http://127.0.0.1:$other/v2/ok/x/blobs/$blob"
ok "urls of a layer" cmp "$work/got" "$work/a/blob"
flags=(--user user:topsecret --header X-Secret=headersecret)
fetch s404 0 "http://127.0.0.1:$other/v2/basic/x/blobs/$blob"
class UNAUTHENTICATED "127.0.0.1:$other, where the layer's urls lead: status 401" "urls that want to know who we are"
is "$(grep -c '^B [A-Z]* /v2/.*auth=[^-]' "$work/a/log")-$(grep -c '^B .*x=[^-]' "$work/a/log")" 0-0 "are told nothing"
fetch ok 0 file:///etc/passwd "http://user:topsecret@127.0.0.1:$other/v2/s404/x"
ok "urls that lead nowhere: the registry has it" cmp "$work/got" "$work/a/blob"
is "$(grep -c '^B [A-Z]* /v2/.*auth=[^-]' "$work/a/log")" 0 "userinfo of urls is sent nowhere"
flags=()

# --- TLS
try tool --ca "$work/cert.pem" resolve "localhost:$tls_port/ok/x:t"
is "$status" 0 "https with an authority of its own"
mkdir -p "$work/hosts/localhost_${tls_port}_"
printf 'server = "https://localhost:%s"\n' "$tls_port" >"$work/hosts/localhost_${tls_port}_/hosts.toml"
try tool --hosts-dir "$work/hosts" resolve "localhost:$tls_port/ok/x:t"
class FAILED_PRECONDITION "certificate does not fit.*ca. in hosts.toml" "a certificate of nobody's"
try tool --hosts-dir "$work/hosts" --skip-verify resolve "localhost:$tls_port/ok/x:t"
is "$status" 0 "--skip-verify"
try tool --ca "$work/cert.pem" resolve "127.0.0.1:$tls_port/ok/x:t"
class FAILED_PRECONDITION "certificate does not fit.*127.0.0.1" "a certificate for another name"
try tool --skip-verify --user user:topsecret resolve "localhost:$tls_port/redirectplain/x:t"
class FAILED_PRECONDITION "https to plain http" "no redirect from https to http"
is "$(grep -c '^B' "$work/s/log")" 0 "is followed"
try tool --skip-verify --user user:topsecret --hosts-dir "$work/hosts" resolve "localhost:$tls_port/bearerplain/x:t"
class FAILED_PRECONDITION "plain http: nothing is sent there" "no password to a token server in plain text"
try tool --option connect_timeout=2s --hosts-dir "$work/hosts" --plain-http resolve "localhost:$tls_port/ok/x:t"
class FAILED_PRECONDITION "certificate" "--plain-http does not overrule hosts.toml"
try tool resolve "localhost:$port/ok/x:t"
is "$status" 0 "a host of this machine that speaks plain http only is found out"

# --- mirrors
mkdir -p "$work/hosts/docker.io"
cat >"$work/hosts/docker.io/hosts.toml" <<END
server = "http://$host"
[host."http://127.0.0.1:1"]
[host."http://$host/v2/s404"]
capabilities = ["pull"]
override_path = true
[host."http://127.0.0.1:$other"]
capabilities = ["resolve"]
END
try tool --hosts-dir "$work/hosts" resolve docker.io/ok/x:t
is "${out##* }" "127.0.0.1:$other" "mirrors in order: one is not there, one cannot resolve"
like "$(grep '^B HEAD' "$work/a/log" | tail -n 1)" "ns=docker.io" "a mirror is told whose image it is"
try tool --hosts-dir "$work/hosts" fetch docker.io/ok/x:t "$blob" 300000 $type "$work/got"
ok "the server last" cmp "$work/got" "$work/a/blob"
like "$(grep '^A GET /v2/ok' "$work/a/log" | tail -n 1)" "ns=docker.io" "which has another name too"
cat >"$work/hosts/docker.io/hosts.toml" <<END
server = "http://$host"
[host."http://127.0.0.1:$other"]
capabilities = ["pull", "push"]
END
try tool --hosts-dir "$work/hosts" push docker.io/upany/x:t "$work/a/manifest" application/vnd.oci.image.manifest.v1+json
like "$status $(grep 'PUT /v2/upany/' "$work/a/log")" "^0 B " "push goes to the first that can"
printf 'server = "x"\n[host."https://m"]\n  capabilities = [ "pul" ]\n' >"$work/hosts/docker.io/hosts.toml"
try tool --hosts-dir "$work/hosts" resolve docker.io/ok/x:t
class INVALID_ARGUMENT "$work/hosts/docker.io/hosts.toml:3: host.\"https://m\".capabilities: \"pul\"" \
	"an error in hosts.toml names file, line and key"
rm "$work/hosts/docker.io/hosts.toml" && mkfifo "$work/hosts/docker.io/hosts.toml"
try tool --hosts-dir "$work/hosts" resolve docker.io/ok/x:t
class INVALID_ARGUMENT "docker.io/hosts.toml" "a hosts.toml that is a FIFO"

# --- pushing
head -c 20000000 /dev/urandom >"$work/large"
large=sha256:$(sha256sum "$work/large" | cut -d' ' -f1)
push() { try tool --plain-http "${flags[@]}" push "$host/$1/x:t" "$2" "${3:-$type}"; }
for mode in uprel upabs upother upbreak uplost; do
	push $mode "$work/large"
	is "$out" "sent $large" "push: $mode"
done
is "$(grep -c "stored $large 20000000" "$work/a/log")" 5 "all of it arrived"
for mode in upbreak uplost; do
	try tool --ca "$work/cert.pem" push "localhost:$tls_port/$mode/x:t" "$work/large" $type
	is "$out" "sent $large" "push by https: $mode"
done
try tool --ca "$work/cert.pem" fetch "localhost:$tls_port/dieonce/x:t" "$blob" 300000 $type "$work/got"
ok "a download by https that dies once" cmp "$work/got" "$work/a/blob"
flags=(--option chunk_size=3MB)
push uppieces "$work/large"
is "$(grep -c 'PATCH /v2/uppieces/' "$work/a/log")" 6 "in pieces"
flags=(--option chunk_size=1000)
push upmin "$work/a/blob"
is "$status $(grep -c 'PATCH /v2/upmin/' "$work/a/log")" "0 2" "of the size that the registry asks for at least"
flags=()
push up413 "$work/large"
is "$out" "sent $large" "in pieces where it takes nothing larger"
push updigest "$work/a/blob"; class FAILED_PRECONDITION "DIGEST_INVALID" "a digest that it disputes"
push upnowhere "$work/a/blob"; class FAILED_PRECONDITION "Location" "an upload without a place"
push up500 "$work/a/manifest" application/vnd.oci.image.manifest.v1+json
class UNAVAILABLE "up500.x: .*status 500.*oops" "a manifest that it cannot store"
flags=(--from lib/other)
push upmount "$work/large"; is "$out" "mounted $large" "a blob is mounted from another repository"
push upnomount "$work/large"; is "$out" "sent $large" "or sent where that is not done"
flags=(--user user:topsecret --from lib/other)
push upbearer "$work/large"; is "$out" "sent $large" "with a token to push"
like "$(grep form "$work/a/log" | grep upbearer | head -n 1)" "repository:upbearer/x:pull,push" "of that scope"
like "$(grep form "$work/a/log" | grep lib/other | head -n 1)" "repository:lib/other:pull" "and to read where it is mounted from"
flags=()

# --- what is shown
: >"$work/a/seen"
flags=(--dump --trace --user user:topsecret --header X-Secret=headersecret)
for mode in bearer bearerget basicredirect redirectuser echo; do
	fetch $mode
	printf '%s\n' "$err" >>"$work/a/seen"
	resolve $mode
	printf '%s\n' "$err" >>"$work/a/seen"
done
push upabs "$work/a/blob"
printf '%s\n' "$err" >>"$work/a/seen"
like "$(cat "$work/a/seen")" "> GET /v2/bearer/x/blobs/$blob HTTP/1.1" "--http-dump shows requests"
like "$(cat "$work/a/seen")" "< HTTP/1.1 401" "and answers"
like "$(cat "$work/a/seen")" "Location: http://127.0.0.1:$other/v2/ok-basicredirect/x/.*\?\.\.\." "and where they lead"
is "$(grep -ci -e topsecret -e headersecret -e querysecret -e evilsecret -e tok\\. -e 'Bearer ' \
	-e "$(printf user:topsecret | base64)" -e _state= "$work/a/seen")" 0 "but no secret"
try tool --plain-http fetch "$host/ok/x:t" "$blob" 300000 $type "$work/got"
like "$err" "maxrss [0-9]{1,5} kB" "memory is bounded"
done_testing
