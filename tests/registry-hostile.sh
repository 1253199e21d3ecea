#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Registries that fail, hang and lie: each pull ends with one clear line and leaves the store as it was. And
# pulls that die or meet: the next one goes on where it was, and nothing is fetched twice.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root python3
mkdir "$work/reg"
python3 "$abs_top_srcdir/tests/registry.py" "$work/port" "$work/reg" 2>"$work/registry.log" &
registry=$!
wait_for 20 test -s "$work/port" || { echo "Bail out! no registry"; exit 1; }
at=127.0.0.1:$(cat "$work/port")
settings='resolver-http: { retries = 1; retry_delay = "50ms"; response_timeout = "2s"; low_speed_time = "2s"; low_speed_limit = "1KiB"; use_docker_config = false; hosts_dir = ""; };'
write_config "$settings"
sed -i 's/^differ-archive: {/& max_layer_size = "64MiB"; max_entries = 4000;/' "$GANTRY_CONFIG"

# All that a store shows, labels and all, the bytes of its blobs and what its snapshots hold.
state() {
	local what
	for what in "images ls" "content ls" "content active" "snapshots ls" "leases ls"; do
		ctr $what | sed -E 's/\t+/ /g; s/(Less than a second|About a minute|[0-9]+ seconds?|[0-9]+ minutes)/AGE/'
	done
	for what in $(ctr snapshots ls | awk 'NR > 1 { print $1 }'); do
		ctr snapshots info "$what"
	done
	find "$work/root" -path '*content*' -type f -exec sha256sum {} + | sort
	find "$work/root" -path '*/snapshots/*' -printf '%P %M %s\n' | sed -E 's,^(.*/snapshots/)[0-9]+,\1N,' | sort
}
try ctr images pull -q "$at/ok:1"
is "$status/$out" "0/" "a good one"
ok "is complete and unpacked" test "$(ctr images check -q)" = "$at/ok:1"
before=$(state)

unchanged() { # WHAT
	local now difference
	now=$(state)
	if difference=$(diff <(echo "$before") <(echo "$now")); then pass "$1"; else fail "$1" "$difference"; fi
}
bad() { # REPOSITORY PATTERN WHAT
	try ctr images pull "$at/$1:1"
	is "$status/$(wc -l <"$work/err")" 1/1 "$3: an error of one line"
	like "$err" "^ctr: .*$2" "$3: it says what is wrong"
	unchanged "$3: the store is as it was"
}
bad 401 "127.0.0.1.*(authenti|credential)" "401"
bad 403 "403|permission denied" "403"
bad 404 "404.*not found" "404"
bad 429 "429|Too Many" "429 with Retry-After"
bad 500 "500" "500"
bad 503 "503" "503"
bad html "HTML|text/html" "an HTML page for the manifest"
bad blob-html "(HTML|text/html|bytes|expected)" "an HTML page for a layer"
bad blob-404 "404.*not found" "a layer that is not there"
bad hang "no answer within" "a registry that hangs"
bad hang-middle "only 0 bytes moved in" "one that hangs in the middle"
bad die "(ended|bytes|closed|connection)" "a connection that dies in the middle"
bad short "(short|ended|bytes|expected)" "a body that is shorter"
bad long "(long|bytes|expected)" "a body that is longer"
bad zero "(bytes|ended|empty|expected)" "a blob of 0 bytes"
bad digest "(unexpected commit digest|digest).*sha256:" "a wrong digest"
bad digest-late "(unexpected commit digest|digest).*sha256:" "a wrong last byte"
bad diffid "wrong diff id calculated on extraction" "a wrong diff ID"
bad bomb "file of 100663296 bytes, more than a layer may have .67108864." "a layer of 96 MiB that comes as 100 KiB"
bad bomb-many "it has more than 4000 (entries|files)" "a layer of 5,000 files"
bad both "has manifests, which belongs to an index" "a manifest that is also an index"
bad index-type "(mediaType|no list of manifests|has config)" "a manifest served as an index"
bad json "image manifest" "a manifest that is no JSON"
bad schema1 "fsLayers" "schema 1"
bad manifest-big "(larger|claims|bytes|limit)" "a manifest of 9 MiB"
bad config-claims "claims 107374182400 bytes" "a config that claims 100 GiB"
bad config-big "claims [0-9]+ bytes, a document may have" "a config of 9 MiB"
bad empty-digest "digest" "a malformed digest"
bad blob-redirect-dead "127.0.0.1:1" "a redirect to nowhere"
grep -q . "$work/registry.log" && fail "the registry is well" "$(cat "$work/registry.log")" || pass "the registry is well"

# --- secrets -----------------------------------------------------------------------------------------
try ctr images pull --user joe:hunter2 "$at/401:1"
[[ $err$out != *hunter2* ]] && pass "a password stands in no message" || fail "a password stands in no message" "$err"

# --- a name that is there stays on an error -------------------------------------------------------------
digest=$(ctr images ls | awk 'NR == 2 { print $3 }')
ctr images tag --skip-reference-check "$at/ok:1" "$at/diffid:1" >/dev/null
try ctr images pull -q "$at/diffid:1"
is "$status/$(ctr images ls name=="$at/diffid:1" | awk 'NR == 2 { print $3 }')" "1/$digest" "a name keeps its image"
ctr images rm "$at/diffid:1" >/dev/null

# --- killed, interrupted, at the same time -----------------------------------------------------------------
requests() { grep -c "^GET /v2/slow/blobs/" "$work/reg/requests"; }
stands() { [ "$(requests)" = 3 ] && [[ $("$ctr_program" content active | tail -n +2) =~ ^layer-[^$'\n']*5[0-9][0-9][^$'\n']*$ ]]; }
begin() { # starts a pull of "slow" that stands in the middle of a layer, and has all the rest
	rm -f "$work/reg/go"
	: >"$work/reg/requests"
	"$ctr_program" images pull -q "$at/slow:1" >"$work/out" 2>"$work/err" &
	pid=$!
	wait_for 20 stands || fail "the pull stands" "$(requests) requests" "$(ctr content active)"
}
# kills it; then another goes on
begin
kill -KILL "$pid"
{ wait "$pid"; } 2>/dev/null
like "$(ctr content active)" "layer-sha256:[0-9a-f]+	+5[0-9.]+kB" "a killed pull leaves what it has"
is "$(ctr images ls -q)" "$at/ok:1" "and no image"
touch "$work/reg/go"
: >"$work/reg/requests"
ctr content active >"$work/active"
try ctr images pull -q "$at/slow:1"
is "$status/$err" "0/" "the next pull goes through"
ok "and the image is whole" test "$(ctr images check -q | grep -c slow)" = 1
is "$(ctr content active | tail -n +2)" "" "no ingest is left"
is "$(requests)" 1 "it asks for the rest of one layer alone"
ctr images rm --sync "$at/slow:1" >/dev/null
for l in $(ctr leases ls -q); do ctr leases rm --sync "$l" >/dev/null; done
unchanged "without the dead one's lease and the image the store is as before"

# interrupted: says so, and keeps what has come for a day
begin
kill -TERM "$pid"
{ wait "$pid"; } 2>/dev/null
is "$?" 143 "an interrupted pull"
like "$(cat "$work/err")" "^ctr: .*context canceled$" "says so"
like "$(ctr content active)" "layer-sha256:" "and leaves what it has"
like "$(ctr leases ls)" "containerd.io/gc.expire=" "to a lease that expires"
for l in $(ctr leases ls -q); do ctr leases rm --sync "$l" >/dev/null; done
unchanged "with which it goes"

# two at once: one fetches, the other waits for it
begin
first=$pid
"$ctr_program" images pull -q "$at/slow:1" >"$work/out2" 2>"$work/err2" &
second=$!
sleep 1
touch "$work/reg/go"
wait $first; is "$?/$(cat "$work/err")" "0/" "two pulls of one image: the first"
wait $second; is "$?/$(cat "$work/err2")" "0/" "and the second"
is "$(requests)" 3 "each blob was fetched once"
ctr images rm --sync "$at/slow:1" >/dev/null
unchanged "nothing is left of them"

# the one that fetches is killed: the other takes over
begin
first=$pid
"$ctr_program" images pull -q "$at/slow:1" >"$work/out2" 2>"$work/err2" &
second=$!
sleep 1
kill -KILL $first
{ wait $first; } 2>/dev/null
touch "$work/reg/go"
wait $second; is "$?/$(cat "$work/err2")" "0/" "the one that fetches is killed: the other takes over"
is "$(requests)" 4 "from where it was"
ok "the image is whole" test "$(ctr images check -q | grep -c slow)" = 1
ctr images rm --sync "$at/slow:1" >/dev/null
for l in $(ctr leases ls -q); do ctr leases rm --sync "$l" >/dev/null; done

# --- a disk that is full ---------------------------------------------------------------------------------
mkdir -p "$work/small"
mount -t tmpfs -o size=2500k tmpfs "$work/small"
sed "s#root = .*#root = \"$work/small/root\";#; s#state = .*#state = \"$work/small/state\";#" "$GANTRY_CONFIG" >"$work/small.conf"
echo 'metadata-lmdb: { map_size = "1MiB"; };' >>"$work/small.conf"
GANTRY_CONFIG=$work/small.conf try ctr images ls
if [ "$status" = 0 ]; then
	used() { df --output=used -k "$work/small" | tail -1; }
	empty=$(used)
	GANTRY_CONFIG=$work/small.conf try ctr images pull "$at/ok:1"
	is "$status" 1 "a full disk"
	like "$err" "No space left|resource exhausted|full" "says so"
	is "$(GANTRY_CONFIG=$work/small.conf ctr images ls -q; GANTRY_CONFIG=$work/small.conf ctr content ls -q; GANTRY_CONFIG=$work/small.conf ctr content active | tail -n +2; GANTRY_CONFIG=$work/small.conf ctr snapshots ls | tail -n +2)" "" "and leaves nothing"
	[ "$(used)" -le $((empty + 500)) ] && pass "nor takes its space (but for the metadata)" || fail "nor takes its space" "$empty before, $(used) now"
else
	fail "a small disk can be used" "$err"
fi
kill "$registry"; wait "$registry" 2>/dev/null
done_testing
