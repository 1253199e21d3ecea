#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gantryd config default, dump and check; what a bad configuration is answered with.
set -u
dir=$(mktemp -d "${TMPDIR:-/tmp}/gantry-conf.XXXXXX")
trap 'rm -rf "$dir"' EXIT
gantryd=$abs_top_builddir/gantryd
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; shift; printf '%s\n' "$@" | sed 's/^/# /'; }
base="root = \"$dir/root\"; state = \"$dir/state\"; plugin_path = [ \"$abs_top_builddir/modules\" ];"

# refuse DESCRIPTION EXPECTED SETTINGS...: check must fail with just that text, and make nothing.
refuse() {
	local what=$1 want=$2 out status
	shift 2
	{ printf '%s\n' "$base"; printf '%s\n' "$@"; } >"$dir/c.conf"
	out=$("$gantryd" config check "$dir/c.conf" 2>&1)
	status=$?
	if [ $status = 1 ] && [ "$out" = "gantryd: $dir/c.conf:$want" ] && [ ! -e "$dir/root" ]; then
		ok "$what"
	else
		not_ok "$what" "status $status" "got:  $out" "want: gantryd: $dir/c.conf:$want"
	fi
}

printf '%s\n' "$base" >"$dir/c.conf"
out=$("$gantryd" config check "$dir/c.conf" 2>&1) && [ "$out" = "$dir/c.conf: ok" ] &&
	ok "a file of its folders alone is complete" || not_ok "a file of its folders alone is complete" "$out"

"$gantryd" --config "$dir/c.conf" config default >"$dir/default.conf" 2>"$dir/err" &&
	grep -q '# Where everything lives that lasts' "$dir/default.conf" &&
	grep -q '^snapshotter-overlay: {' "$dir/default.conf" &&
	ok "default prints the core's settings and each plugin's, with their texts" ||
	not_ok "default prints the core's settings and each plugin's, with their texts" "$(cat "$dir/err")"
sed "s|^plugin_path = .*|plugin_path = [ \"$abs_top_builddir/modules\" ];|" "$dir/default.conf" >"$dir/again.conf"
out=$("$gantryd" config check "$dir/again.conf" 2>&1) && ok "what default prints is a valid configuration" ||
	not_ok "what default prints is a valid configuration" "$out"

{ printf '%s\n' "$base"; printf 'imports = [ "more.conf" ];\nsnapshotter-overlay: {\n sync_remove = true;\n};\n'; } >"$dir/c.conf"
printf '\nlog: { level = "debug"; };\nsnapshotter-overlay: { upperdir_label = true; };\n' >"$dir/more.conf"
out=$("$gantryd" --config "$dir/c.conf" config dump 2>&1)
echo "$out" | grep -qF "sync_remove = true; # $dir/c.conf:4" &&
	echo "$out" | grep -qF "upperdir_label = true; # $dir/more.conf:3" &&
	echo "$out" | grep -qF "level = \"debug\"; # $dir/more.conf:2" &&
	echo "$out" | grep -qF 'format = "text"; # default' &&
	ok "dump shows each value with the file and line that set it, imports merged key by key" ||
	not_ok "dump shows each value with the file and line that set it, imports merged key by key" "$out"

refuse "syntax" "2: syntax error" "durability = ;"
refuse "unknown setting, nearest name" "2: durabilty: unknown option (did you mean durability?)" 'durabilty = "full";'
refuse "unknown plugin group, nearest name" \
	"2: snapshoter-overlay: no plugin and no group of that name (did you mean snapshotter-overlay?)" \
	'snapshoter-overlay: { };'
refuse "unknown option of a plugin, nearest name" \
	"2: snapshotter-overlay.sync_remov: unknown option (did you mean sync_remove?)" \
	'snapshotter-overlay: { sync_remov = true; };'
refuse "wrong type" "3: snapshotter-overlay.sync_remove: expected true or false, found \"yes\"" \
	'snapshotter-overlay: {' 'sync_remove = "yes"; };'
refuse "a plugin that is not active is checked too" \
	"3: snapshotter-native.rot: unknown option (did you mean root?)" \
	'active: { snapshotters = "snapshotter-overlay"; };' 'snapshotter-native: { rot = "/x"; };'
refuse "choice" "2: durability: expected one of full, fast, found \"slow\"" 'durability = "slow";'

out=$("$gantryd" config check "$dir/none.conf" 2>&1)
[ $? = 1 ] && [ "$out" = "gantryd: configuration: open $dir/none.conf: No such file or directory" ] &&
	ok "a missing file is named" || not_ok "a missing file is named" "$out"
printf '%s\nactive: { snapshotters = "snapshotter-nothere"; };\n' "$base" >"$dir/c.conf"
out=$("$gantryd" config check "$dir/c.conf" 2>&1)
[ $? = 1 ] && case $out in *"snapshotter-nothere: no file snapshotter-nothere.so in plugin_path"*) true ;; *) false ;; esac &&
	ok "an active module that is not there is named" || not_ok "an active module that is not there is named" "$out"
printf '%s\ndefaults: { snapshotter = "zfs"; };\n' "$base" >"$dir/c.conf"
out=$("$gantryd" config check "$dir/c.conf" 2>&1)
[ $? = 1 ] && case $out in *'defaults.snapshotter: no active snapshotter answers to "zfs" (active: overlayfs, native)'*) true ;; *) false ;; esac &&
	ok "a default that no plugin answers to is named" || not_ok "a default that no plugin answers to is named" "$out"
out=$("$gantryd" frobnicate 2>&1)
[ $? = 2 ] && ok "an unknown command is refused" || not_ok "an unknown command is refused" "$out"
echo "1..$n"
