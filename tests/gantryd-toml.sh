#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A main configuration in TOML: Gantry's own settings, containerd's config.toml, places in errors, reload; and
# `gantryd publish`.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc containerd python3
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
gantryd=$(built gantryd)
f=$work/gantry.toml
base="root = \"$work/root\"
state = \"$work/state\"
plugin_path = [ \"$(plugin_folder)\" ]
"
toml() { printf '%s' "$base" "$(cat)" >"$f"; }

# --- Gantry's own settings -----------------------------------------------------------------
toml <<'EOT'
durability = "fast"
[log]
level = "debug"
[snapshotter-overlay]
sync_remove = true
mount_options = ["volatile", "noatime"]
[services-local]
mutation_threshold = 7
schedule_delay = "3s"
EOT
try "$gantryd" --config "$f" config dump
is "$status" 0 "config dump reads TOML"
like "$out" "durability = \"fast\"; # $f:4" "a setting with its line"
like "$out" "sync_remove = true; # $f:8" "in a table"
like "$out" "mount_options = \[ \"volatile\", \"noatime\" \]; # $f:9" "a list"
like "$out" "mutation_threshold = 7; # $f:11" "a number"
like "$out" "schedule_delay = \"3s\"; # $f:12" "a duration"
try "$gantryd" config check "$f"
is "$status/$out" "0/$f: ok" "config check takes it"
refused() { # DESCRIPTION WANT, the lines on stdin
	toml
	try "$gantryd" config check "$f"
	is "$status/$err" "1/gantryd: $f:$2" "$1"
}
refused "an unknown setting" "4: durabilty: unknown option (did you mean durability?)" <<<'durabilty = "full"'
refused "an unknown option of a plugin" "5: snapshotter-overlay.sync_remov: unknown option (did you mean sync_remove?)" <<<'[snapshotter-overlay]
sync_remov = true'
refused "a wrong type" '5: snapshotter-overlay.sync_remove: expected true or false, found "yes"' <<<'[snapshotter-overlay]
sync_remove = "yes"'
refused "a date" "4: durability: no setting is a date or a time" <<<'durability = 2026-01-01'
refused "a name that is none" '4: a b: is no name of a setting' <<<'"a b" = 1'
refused "a version that is none" "4: version: expected a version of containerd's configuration, 1 to 4" <<<'version = 9'
toml <<<'durability = '
try "$gantryd" config check "$f"
like "$status/$err" "^1/gantryd: $f:4: " "what is no TOML"

# --- imports, both ways ---------------------------------------------------------------------
printf 'log: { format = "json"; };\n' >"$work/more.conf"
toml <<<'imports = ["more.conf"]'
try "$gantryd" --config "$f" config dump
like "$out" "format = \"json\"; # $work/more.conf:1" "TOML imports libconfig"
printf '%s\nimports = [ "gantry.toml" ];\n' "state = \"$work/state\";" >"$work/outer.conf"
toml <<<'durability = "fast"'
try "$gantryd" --config "$work/outer.conf" config dump
like "$out" "durability = \"fast\"; # $f:4" "and libconfig TOML"

# --- containerd's file -----------------------------------------------------------------------
toml <<EOT
version = 2
oom_score = -999
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.native", "io.containerd.internal.v1.restart",
  "io.containerd.grpc.v1.leases", "io.containerd.gc.v1.scheduler"]
required_plugins = ["io.containerd.grpc.v1.containers", "io.containerd.metadata.v1.bolt", "io.containerd.snapshotter.v1.overlayfs"]
[grpc]
  address = "$work/c.sock"
  uid = 0
  gid = 12
  tcp_address = "127.0.0.1:1"
  max_recv_message_size = 16777216
[ttrpc]
  address = ""
[debug]
  address = "$work/debug.sock"
  level = "warn"
[metrics]
  address = "unix://$work/metrics.sock"
[plugins."io.containerd.gc.v1.scheduler"]
  pause_threshold = 0.05
  mutation_threshold = 42
[plugins."io.containerd.snapshotter.v1.overlayfs"]
  sync_remove = true
[plugins."io.containerd.internal.v1.restart"]
  interval = "33s"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "$work/certs.d"
[plugins."io.containerd.runtime.v2.task"]
  platforms = ["linux/amd64"]
[timeouts]
  "io.containerd.timeout.shim.load" = "5s"
EOT
try "$gantryd" --config "$f" config dump
is "$status" 0 "containerd's config.toml is read"
for want in "address = \"$work/c.sock\"; # $f:10" "gid = 12; # $f:12" "debug_address = \"$work/debug.sock\"; # $f:18" \
	"level = \"warn\"; # $f:19" "address = \"unix://$work/metrics.sock\"; # $f:21" "pause_threshold = \"0.05\"; # $f:23" \
	"mutation_threshold = 42; # $f:24" "sync_remove = true; # $f:26" "interval = \"33s\"; # $f:28" \
	"hosts_dir = \"$work/certs.d\"; # $f:30"; do
	ok "${want%% #*}" grep -qF "$want" <<<"$out"
done
for want in "5: oom_score" "6: disabled_plugins/io.containerd.gc.v1.scheduler" "13: grpc/tcp_address" "14: grpc/max_recv" \
	"32: plugins/io.containerd.runtime.v2.task/platforms" "34: timeouts/io.containerd.timeout.shim.load"; do
	ok "a warning: $want" grep -qF "$f:$want" <<<"$err"
done
is "$(grep -c 'means nothing here' <<<"$err")" 6 "and no other"
sed -i 's/^plugin_path.*/plugin_path = [ "'"$(plugin_folder | sed 's/[&/\]/\\&/g')"'" ]/' "$f"
export GANTRY_CONFIG=$f
gantryd_socket=$work/c.sock
start_gantryd || { tail "$work/gantryd.log"; echo "Bail out! gantryd does not serve"; exit 1; }
ok "a daemon serves where it says" test -S "$work/c.sock"
is "$(stat -c %g:%a "$work/c.sock")" 12:660 "with that group"
ok "metrics, too" sh -c "curl -s --unix-socket '$work/metrics.sock' http://m/v1/metrics | grep -q '^process_open_fds'"
ok "and the debug socket" test -S "$work/debug.sock"
try ctr plugins ls
ok "a plugin that is disabled is not there" sh -c "! grep -qE 'snapshotter.v1 +native|grpc.v1 +restart' '$work/out'"
ok "the others are" grep -qE 'snapshotter.v1 +overlayfs .* ok' "$work/out"
try g_ctr leases ls
like "$status/$err" "^1/.*unknown service containerd.services.leases.v1.Leases" "a service that is disabled is not served"
try g_ctr images ls
is "$status" 0 "the others are"
for want in io.containerd.grpc.v1.cri io.containerd.snapshotter.v1.native snapshotter-native; do
	sed "s/^required_plugins.*/required_plugins = [\"$want\"]/; s/^root.*/root = \"${work//\//\\\/}\/other\"/" "$f" >"$work/required.toml"
	try timeout 20 "$gantryd" --config "$work/required.toml"
	like "$status/$err" "^1/.*required plugin $want is not active" "required, and not there: $want"
done
containerd config default 2>/dev/null >"$work/default.toml"
try "$gantryd" --config "$work/default.toml" config dump
is "$status" 0 "what containerd config default prints is read"

# --- reload ------------------------------------------------------------------------------------
sed -i 's/level = "warn"/level = "debug"/' "$f"
kill -HUP "$gantryd_pid"
ok "SIGHUP: the log's level" wait_for 20 grep -q 'level=info.*was loaded again' "$work/gantryd.log"
echo 'nonsense = 1' >"$work/bad"
cat "$f" >"$work/good"
{ cat "$work/bad" "$work/good"; } >"$f"
kill -HUP "$gantryd_pid"
ok "a file that is wrong changes nothing" wait_for 20 grep -q "nonsense: unknown option" "$work/gantryd.log"
cat "$work/good" >"$f"

# --- publish ------------------------------------------------------------------------------------
# An Any of the type example.Event with two bytes in it.
python3 -c 'import sys; t = b"example.Event"; sys.stdout.buffer.write(b"\x0a" + bytes([len(t)]) + t + b"\x12\x02hi")' >"$work/event"
publish_from() { local from=$1; shift; timeout 60 "$gantryd" "$@" <"$from"; }
"$ctr_program" events >"$work/events" 2>&1 &
events_pid=$!
wait_for 20 sh -c "curl -s --unix-socket '$work/debug.sock' http://d/debug/calls | grep -q '^ *1 .*Events/Subscribe'"
try publish_from "$work/event" --address "$work/c.sock" publish --topic /example/topic --namespace "$ns"
is "$status/$err" "0/" "gantryd publish, as shims call it"
ok "a subscriber has it" wait_for 20 grep -q "$ns /example/topic" "$work/events"
try publish_from "$work/event" --address "$work/c.sock" publish --topic topic --namespace "$ns"
like "$status/$err" "^1/.*event topic .topic. must begin with" "a bad topic"
try publish_from "$work/event" --address "$work/c.sock" publish --namespace "$ns"
like "$status/$err" "^1/.*--topic is required" "no topic"
try publish_from "$work/default.toml" --address "$work/c.sock" publish --topic /a/b --namespace "$ns"
is "$status" 1 "what is no event"
kill $events_pid
end_gantryd
is "$status" 0 "gantryd ends"
try publish_from "$work/event" --address "$work/none.sock" publish --topic /a/b --namespace "$ns"
is "$status" 1 "nobody to publish to"
unset GANTRY_CONFIG
done_testing
