#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Proxy plugins: gantryd with the snapshots and content services of Debian's containerd behind it, which
# goes and comes again meanwhile; and what a socket does that is not there yet, or where nobody answers. The
# same in ctr without a daemon. tests/proxy-gantryd.sh has another gantryd there.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc containerd python3 jq
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
make_image

sock=$work/cd/sock
silent=$work/silent.sock
# Everything that lasts of images and containers lies over there, but for the records.
proxies() { # FURTHER ENTRIES
	printf '%s\n' 'active: { content = [ ]; snapshotters = [ ]; };' \
		'defaults: { snapshotter = "theirs"; };' \
		'services-local: { startup_delay = "1h"; };' \
		'proxies: { options = [ "connect_timeout=1s", "stall_timeout=3s" ]; timeout = "3s"; };' \
		"proxy_plugins: {
			theirs: { type = \"snapshot\"; address = \"$sock\"; far_id = \"native\"; exports: { root = \"/there\"; }; };
			store: { type = \"io.containerd.content.v1\"; address = \"$sock\"; namespace = \"gantry\"; };
			silent: { type = \"snapshot\"; address = \"$silent\"; platform = \"linux/riscv64\"; capabilities = [ \"x\" ]; };
			$*
		};"
}
g() { ctr "$@"; } # finds the daemon by the root's lock

# --- the configuration ----------------------------------------------------------------
bad() { # ENTRY REGEX DESCRIPTION
	write_config "proxy_plugins: { p: { $1 }; };"
	try "$(built gantryd)" config check "$GANTRY_CONFIG"
	like "$status/$err" "^1/.*gantry.conf:[0-9]+: proxy_plugins.p.*$2" "$3"
}
bad 'type = "snap"; address = "/x";' 'type "snap": expected snapshot, content, diff or sandbox' "a type that is none"
bad 'type = "content";' "address is required" "no address"
bad 'type = "content"; address = 3;' "address: expected" "an address that is no text"
bad 'type = "content"; address = "/x"; adress = "/y";' 'adress: unknown option of services-remote.*did you mean address' "an option that nobody knows"
bad 'type = "content"; address = "/x"; connect_timeout = "soon";' "connect_timeout: expected a duration" "an option's value that is none"
bad 'type = "content"; address = "/x"; exports = "y";' "exports: expected a group" "exports that are no group"
write_config 'proxy_plugins = "x";'
try "$(built gantryd)" config check "$GANTRY_CONFIG"
like "$status/$err" "^1/.*proxy_plugins: expected a group" "no group"
write_config "$(proxies)"
try "$(built gantryd)" config check "$GANTRY_CONFIG"
is "$status/$err" "0/" "what is right is right"
try "$(built gantryd)" config dump
like "$out" "theirs: \{ # .*gantry.conf:[0-9]+.*type = \"io.containerd.snapshotter.v1\".*far_id = \"native\"" "config dump shows the entries"
cat >"$work/config.toml" <<EOT
version = 2
plugin_path = [ "$(plugin_folder)" ]
[proxy_plugins]
  [proxy_plugins.stargz]
    type = "snapshot"
    address = "/run/stargz.sock"
    [proxy_plugins.stargz.exports]
      root = "/var/lib/stargz"
EOT
try "$(built gantryd)" --config "$work/config.toml" config dump
like "$out" "stargz: \{ # .*config.toml:[0-9]+.*root = \"/var/lib/stargz\".*address = \"/run/stargz.sock\"" "as containerd's file has them"

# --- nobody there yet ------------------------------------------------------------------
start_gantryd || { echo "Bail out! gantryd does not serve"; exit 1; }
try g plugins ls
like "$out" "snapshotter.v1 +theirs +linux/[a-z0-9]+ +pending" "a socket that is not there: pending"
like "$out" "content.v1 +store +- +pending" "a content store as well"
like "$out" "snapshotter.v1 +silent +linux/riscv64 +pending" "with the platform of its entry"
try g plugins ls -d id==theirs
like "$out" "Exports:.*root +/there" "and its exports"
like "$out" "connect to $sock: No such file" "the reason names the socket"
try g images import "$image"
like "$status/$err" "^1/.*proxy plugin store at $sock: connect to $sock: No such file.*: unavailable" "what needs it is UNAVAILABLE and told which socket"
try g_ctr namespaces create "$ns-other"
is "$status" 0 "the rest serves"
try g_ctr snapshots --snapshotter theirs ls
like "$status/$out" "^0/" "records are the daemon's own"
try g_ctr snapshots --snapshotter theirs prepare k
like "$status/$err" "^1/.*proxy plugin theirs at $sock: connect to $sock" "containerd's ctr is told the same"
ok "of class UNAVAILABLE" grep -q "unavailable" "$work/err"

# --- containerd's services behind it ------------------------------------------------------
start_containerd || { echo "Bail out! containerd does not serve"; exit 1; }
try g plugins ls
like "$out" "snapshotter.v1 +theirs +linux/[a-z0-9]+ +ok" "adopted when it appears"
try g images import "$image"
is "$status" 0 "import"
is "$(their_ctr -n gantry content ls -q | wc -l)" "$(g content ls -q | wc -l)" "the blobs lie in containerd's content store"
like "$(their_ctr -n "$ns" snapshots --snapshotter native ls)" "$ns/[0-9]+/sha256:" "and the snapshots in its snapshotter"
is "$(find "$work/root" -path '*sha256*' -type f | wc -l)" 0 "none here"
try g run --rm "$image_name" one /bin/sh -c 'echo out; cat /etc/hostname >/dev/null; exit 7'
is "$status/$out" "7/out" "run"
try g run -d "$image_name" lasting /bin/sleep 300
is "$status" 0 "a container runs"
try g_ctr images check --snapshotter theirs
like "$out" "complete \(2/2\).*true" "containerd's ctr sees it complete and unpacked"
digest=$(g images ls | awk -v n="$image_name" '$1 == n { print $3 }')
ok "content is read through both" sh -c "'$ctr_program' content get $digest | sha256sum | grep -q ${digest#sha256:}"
try g snapshots --snapshotter theirs usage
is "$status" 0 "usage"
try g snapshots --snapshotter theirs diff lasting
is "$status" 0 "a difference of its snapshots"
their_gc() { # a lease that is deleted with --sync has containerd collect its garbage
	their_ctr -n "$1" leases create --id gc >/dev/null && their_ctr -n "$1" leases rm --sync gc >/dev/null
}
their_gc gantry; their_gc "$ns"
try g images check --snapshotter theirs
like "$out" "complete \(2/2\).*true" "containerd's garbage collection leaves it alone"

# --- it goes and comes again ----------------------------------------------------------------
stop_it() { kill "$containerd_pid"; wait "$containerd_pid" 2>/dev/null; }
stop_it
try g plugins ls
like "$out" "snapshotter.v1 +theirs +linux/[a-z0-9]+ +pending" "stopped: pending again"
try g run --rm "$image_name" two /bin/true
like "$status/$err" "^[^0].*proxy plugin" "what needs it is refused"
try g tasks exec --exec-id e lasting /bin/echo on
is "$status/$out" "0/on" "its containers run on"
try g images ls -q
is "$out" "$image_name" "and what is the daemon's own is told"
start_containerd
try g run --rm "$image_name" two /bin/echo again
is "$status/$out" "0/again" "started again: it is used again"
try g plugins ls
like "$out" "snapshotter.v1 +theirs +linux/[a-z0-9]+ +ok" "and ok"
(sleep 0.3; kill "$containerd_pid") &
stopper=$!
try g images import --snapshotter theirs "$image"
wait "$stopper" "$containerd_pid" 2>/dev/null
start_containerd
try g images import "$image"
is "$status" 0 "an import that it died under is done again"
try g tasks rm -f lasting
try g containers rm lasting
is "$status" 0 "remove the container"
try g images rm --sync "$image_name"
is "$status" 0 "and the image"
try g system gc
is "$(their_ctr -n gantry content ls -q | wc -l)" 0 "the collection here empties the store there"
is "$(their_ctr -n "$ns" snapshots --snapshotter native ls | tail -n +2 | wc -l)" 0 "and the snapshotter"

# --- one that does not answer -----------------------------------------------------------------
cat >"$work/silent.py" <<'PY'
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
kept = []
while True:
    kept.append(s.accept()[0])
PY
python3 "$work/silent.py" "$silent" &
silent_pid=$!
wait_for 10 test -S "$silent"
try g_ctr snapshots --snapshotter silent prepare k
like "$status/$err" "^1/.*proxy plugin silent at $silent.*unavailable" "a wedged one: UNAVAILABLE after its time"
waiting=()
for i in $(seq 40); do
	g_ctr snapshots --snapshotter silent prepare "k$i" >/dev/null 2>&1 &
	waiting+=($!)
done
began=$SECONDS
for i in $(seq 10); do g_ctr snapshots --snapshotter theirs prepare "other$i" >/dev/null || break; done
is "$i" 10 "others are served meanwhile"
ok "at once" test $((SECONDS - began)) -le 5
wait "${waiting[@]}" 2>/dev/null
try g plugins ls
like "$out" "snapshotter.v1 +silent +linux/riscv64 +pending" "it is pending"
end_gantryd TERM
is "$status" 0 "and holds up no end"
kill "$silent_pid"
wait "$silent_pid" 2>/dev/null

# --- without a daemon --------------------------------------------------------------------------
try ctr plugins ls
like "$out" "snapshotter.v1 +theirs +linux/[a-z0-9]+ +ok" "ctr by itself: ok"
try ctr images import "$image"
is "$status" 0 "ctr by itself: import"
try ctr run --rm "$image_name" alone /bin/echo alone
is "$status/$out" "0/alone" "ctr by itself: run"
done_testing
