#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gantryd behind gantryd: the conformance suites of content stores, snapshotters, differs and sandbox controllers
# through a socket; then a daemon that has all four of them there, while the far one is killed and comes again.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc jq
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
make_image

far_socket=$work/far/state/gantry.sock
write_config 'services-local: { startup_delay = "1h"; };'
sed "s,$work/root,$work/far/root,; s,$work/state,$work/far/state," "$GANTRY_CONFIG" >"$work/far.conf"
mkdir "$work/far"
start_far() {
	"$(built gantryd)" --config "$work/far.conf" 2>>"$work/far.log" &
	far_pid=$!
	wait_for 20 far version
}
end_far() { # SIGNAL
	kill -"$1" "$far_pid"
	wait "$far_pid" 2>/dev/null
}
far() { timeout 60 /usr/bin/ctr --address "$far_socket" "$@"; }
start_far || { echo "Bail out! the far gantryd does not serve"; exit 1; }

# --- each kind's suite --------------------------------------------------------------------
suite() { # TYPE DESCRIPTION [OPTION...]
	local type=$1 what=$2 o options=()
	shift 2
	for o in "address=$far_socket" "$@"; do options+=(--option "$o"); done
	unshare --mount --propagation private timeout 300 "$abs_top_builddir/gantry-plugin-test" --dir "$work" \
		--proxy "$type" "${options[@]}" "$(plugin_folder)/services-remote.so" >"$work/suite" 2>&1
	status=$?
	if [ "$status" = 0 ] && grep -q '^1\.\.[1-9]' "$work/suite"; then
		pass "$what: $(grep -c '^ok' "$work/suite") tests of its suite"
	else
		fail "$what (status $status)" "$(grep -A2 -E '^(not ok|Bail)' "$work/suite" | head -n 40)"
	fi
}
suite content "a content store"
suite snapshot "a snapshotter" far_id=native namespace=suite
suite diff "a differ"
suite sandbox "a sandbox controller" far_id=shim

# --- a daemon that has all four there -------------------------------------------------------
write_config 'active: { content = [ ]; snapshotters = [ ]; differs = [ ]; sandboxers = [ ]; };' \
	'defaults: { snapshotter = "layers"; };' \
	'services-local: { startup_delay = "1h"; };' \
	'proxies: { options = [ "connect_timeout=1s" ]; };' \
	"proxy_plugins: {
		store: { type = \"content\"; address = \"$far_socket\"; };
		layers: { type = \"snapshot\"; address = \"$far_socket\"; far_id = \"overlayfs\"; };
		applier: { type = \"diff\"; address = \"$far_socket\"; };
		pods: { type = \"sandbox\"; address = \"$far_socket\"; far_id = \"shim\"; };
	};"
start_gantryd || { echo "Bail out! gantryd does not serve"; exit 1; }
g() { ctr "$@"; } # finds the daemon by the root's lock
try g plugins ls
is "$(grep -cE 'content.v1 +store .* ok|snapshotter.v1 +layers .* ok|differ.v1 +applier .* ok|sandbox.controller.v1 +pods .* ok' <<<"$out")" 4 "all four are ok"
try g images import "$image"
is "$status/$err" "0/" "import: received, stored and unpacked there"
is "$(find "$work/root" -path '*sha256*' -type f | wc -l)" 0 "none of its bytes are here"
like "$(far -n "$ns" snapshots ls)" "$ns/[0-9]+/sha256:" "its layers are there"
try g run --rm "$image_name" one /bin/sh -c 'echo out; exit 7'
is "$status/$out" "7/out" "run"
try g run -d "$image_name" lasting /bin/sh -c 'echo written >/file; exec sleep 300'
is "$status/$err" "0/" "a container runs"
wait_for 10 g tasks exec --exec-id w lasting test -s /file
try g snapshots --snapshotter layers diff lasting
is "$status/$(tar -xzO file 2>/dev/null <"$work/out")" "0/written" "a difference, made there and read here"
rig() { timeout 60 "$abs_top_builddir/tests/services-rig" "$(plugin_folder)/services-remote.so" "$gantryd_socket" "$@"; }
rig "$ns" sandbox create pod io.containerd.runc.v2
try rig "$ns" sandbox start pod
like "$status/$out" "^0/pod pid [0-9]+ address ttrpc\+unix://" "a sandbox"
like "$(ls "$work/far/state/"*sandbox*/"$ns" 2>/dev/null)" "pod" "held there"
rig "$ns" sandbox wait pod >"$work/waited" 2>&1 &
wait_pid=$!

# --- the far one is killed ------------------------------------------------------------------
end_far KILL
wait $wait_pid
like "$(cat "$work/waited")" "UNAVAILABLE" "killed: a wait ends, and says so"
try g plugins ls
is "$(grep -cE '(content|snapshotter|differ|sandbox.controller).v1 +(store|layers|applier|pods) .* pending' <<<"$out")" 4 "all four are pending"
try g images import "$image"
like "$status/$err" "^1/.*proxy plugin .* at $far_socket: .*unavailable" "what needs them is refused"
try rig "$ns" sandbox status pod
like "$status/$err" "^1/UNAVAILABLE: .*proxy plugin pods" "by the one that it needs"
try g tasks exec --exec-id e lasting /bin/echo on
is "$status/$out" "0/on" "the container runs on"
start_far
try rig "$ns" sandbox status pod
like "$out" "state SANDBOX_READY" "it comes again: the sandbox is there"
try rig "$ns" sandbox shutdown pod
is "$status/$err" "0/" "and ends"
try g run --rm "$image_name" two /bin/echo again
is "$status/$out" "0/again" "and all is as before"
try g tasks rm -f lasting
try g containers rm lasting
try g images rm --sync "$image_name"
try g system gc
is "$(far -n gantry content ls -q; far -n "$ns" snapshots ls | tail -n +2)" "" "the collection here empties what is there"
end_gantryd
is "$status" 0 "the near one ends"
end_far TERM
done_testing
