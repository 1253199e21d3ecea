#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Our ctr over services-remote: against gantryd, which it finds by the root's lock, and against Debian's
# containerd by --address. The same commands give the same results on both.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc containerd jq
make_image
write_config 'services-local: { startup_delay = "1h"; };' # blobs of no image are looked at below

run_all() { # NAME CTR...: every command that both can serve
	local who=$1 digest blob chain pid
	shift
	r() { timeout 120 "$@"; }
	works() { # DESCRIPTION ARGUMENTS...
		local what=$1
		shift
		try r "${CTR[@]}" "$@"
		is "$status" 0 "$who: $what"
	}
	CTR=("$@")

	works "version" version
	like "$out" "Server:.*Version: .*UUID: " "$who: version tells the server's"
	works "plugins ls" plugins ls
	like "$out" "io.containerd.snapshotter.v1 +overlayfs +linux/[a-z0-9]+ +ok" "$who: overlayfs is ok"
	works "namespaces create" namespaces create "$ns-x" a=b
	works "namespaces label" namespaces label "$ns-x" a=c
	works "namespaces ls" namespaces ls
	like "$out" "$ns-x +a=c" "$who: its label"
	works "namespaces rm" namespaces rm "$ns-x"

	works "images import" images import "$image"
	works "images ls" images ls
	like "$out" "$image_name +application/vnd.oci.image.manifest.v1.json" "$who: images ls"
	works "images ls with a filter" images ls -q 'name~=busybox'
	is "$out" "$image_name" "$who: the filter finds it"
	works "images check" images check
	like "$out" "complete \(2/2\).*true" "$who: complete and unpacked"
	works "images tag" images tag "$image_name" example.com/again:1
	try r "${CTR[@]}" images tag "$image_name" example.com/again:1
	like "$status/$err" "^1/.*already exists" "$who: tag twice"
	works "images label" images label example.com/again:1 x=y
	is "$out" "x=y" "$who: images label"
	works "images usage" images usage "$image_name"
	works "images export" images export "$work/$who.tar" "$image_name"
	ok "$who: the archive is whole" tar tf "$work/$who.tar"
	works "images convert" images convert --uncompress "$image_name" example.com/plain:1
	mkdir "$work/mnt"
	works "images mount" images mount "$image_name" "$work/mnt"
	ok "$who: it shows the image" test -x "$work/mnt/bin/busybox"
	works "images unmount" images unmount --rm "$work/mnt"
	rmdir "$work/mnt"
	works "images rm" images rm --sync example.com/plain:1
	works "images inspect" images inspect "$image_name"
	like "$out" "busybox.*application/vnd.oci.image.manifest.v1.json" "$who: images inspect"
	works "oci spec" oci spec
	try r "${CTR[@]}" images rm example.com/none:1
	like "$status/$err" "^0/.*not found" "$who: rm of none"

	works "content ls" content ls -q
	digest=$(r "${CTR[@]}" images ls | awk -v n="$image_name" '$1 == n { print $3 }')
	ok "$who: content get" sh -c "timeout 60 ${CTR[*]} content get $digest | sha256sum | grep -q ${digest#sha256:}"
	head -c 5000000 /dev/urandom >"$work/random"
	blob=sha256:$(sha256sum <"$work/random" | cut -d' ' -f1)
	ok "$who: content ingest" sh -c "timeout 60 ${CTR[*]} content ingest --expected-size 5000000 --expected-digest $blob a <'$work/random'"
	ok "$who: what was ingested comes back" sh -c "timeout 60 ${CTR[*]} content get $blob | cmp - '$work/random'"
	try sh -c "timeout 60 ${CTR[*]} content ingest --expected-digest sha256:$(printf '%064d' 1) b <'$work/random'"
	like "$status/$err" "^1/.*unexpected commit digest" "$who: a wrong digest"
	works "content label" content label "$blob" k=v
	is "$out" "k=v" "$who: content label"
	works "content active" content active
	works "content rm" content rm "$blob"
	is "$out" "$blob" "$who: content rm"

	chain=$(r "${CTR[@]}" snapshots ls | awk '$NF == "Committed" { print $1 }' | head -n 1)
	works "snapshots prepare" snapshots prepare own "$chain"
	works "snapshots mounts" snapshots mounts /nowhere own
	like "$out" "^mount -t overlay" "$who: snapshots mounts"
	works "snapshots info" snapshots info own
	is "$(jq -r .Kind <<<"$out")" Active "$who: snapshots info"
	works "snapshots usage" snapshots usage own
	works "snapshots label" snapshots label own k=v
	works "snapshots tree" snapshots tree
	ok "$who: snapshots diff" sh -c "timeout 60 ${CTR[*]} snapshots diff own | gzip -t"
	works "snapshots view" snapshots view --mounts seen "$chain"
	is "$(jq -r '.[0].Options | any(. == "rw" or startswith("upperdir=")) | not' <<<"$out")" true "$who: snapshots view cannot be written"
	try r "${CTR[@]}" snapshots rm seen # which a collection may have taken: nothing refers to a view
	works "snapshots unpack" snapshots unpack "$digest"
	mkdir -p "$work/opt-$who"
	works "install" install --path "$work/opt-$who" "$image_name"
	ok "$who: install unpacks the image's bin" test -x "$work/opt-$who/bin/busybox"
	works "snapshots commit" snapshots commit own-done own
	works "snapshots rm" snapshots rm own-done
	try r "${CTR[@]}" snapshots info own-done
	like "$status/$err" "^1/.*not found" "$who: info of one that is gone"

	works "leases create" leases create --id l1 a=b
	is "$out" l1 "$who: leases create"
	works "leases ls" leases ls
	like "$out" "l1 .*a=b" "$who: leases ls"
	works "leases rm" leases rm --sync l1

	works "run --rm" run --rm "$image_name" r1 echo hello
	is "$out" hello "$who: its output"
	try r "${CTR[@]}" run --rm "$image_name" r2 sh -c 'exit 7'
	is "$status" 7 "$who: its status"
	tty_run '' timeout 60 "${CTR[@]}" run --rm -t "$image_name" r3 sh -c 'stty size'
	like "$out" "33 99" "$who: a terminal of the right size"
	works "run -d" run -d --null-io "$image_name" d1 sleep 1000
	works "containers ls" containers ls
	like "$out" "d1 +$image_name +io.containerd.runc.v2" "$who: containers ls"
	works "containers info" containers info d1
	is "$(jq -r .ID <<<"$out")" d1 "$who: containers info"
	works "containers label" containers label d1 k=v
	works "tasks ls" tasks ls
	like "$out" "d1 +[0-9]+ +RUNNING" "$who: tasks ls"
	works "tasks exec" tasks exec --exec-id e1 d1 echo inside
	is "$out" inside "$who: its output"
	try r "${CTR[@]}" tasks exec --exec-id e2 d1 sh -c 'exit 3'
	is "$status" 3 "$who: an exec's status"
	works "tasks ps" tasks ps d1
	pid=$(awk 'NR == 2 { print $1 }' <<<"$out")
	ok "$who: its process" test -d "/proc/$pid"
	works "tasks metrics" tasks metrics d1
	works "tasks pause" tasks pause d1
	works "tasks ls" tasks ls
	like "$out" "d1 .*PAUSED" "$who: paused"
	works "tasks resume" tasks resume d1
	try r "${CTR[@]}" containers rm d1
	is "$status" 1 "$who: a running container is not deleted"
	try r "${CTR[@]}" tasks kill -s NONE d1
	is "$status" 1 "$who: an unknown signal"
	works "tasks kill" tasks kill -s KILL d1
	wait_for 20 sh -c "timeout 20 ${CTR[*]} tasks ls | grep -q 'd1 .*STOPPED'"
	works "tasks rm" tasks rm d1
	works "containers rm" containers rm d1
	works "containers create" containers create "$image_name" c1 sh -c 'echo from task'
	works "tasks start" tasks start c1
	is "$out" "from task" "$who: tasks start"
	works "containers rm" containers rm c1
	works "run -d again" run -d --null-io "$image_name" f1 sleep 1000
	if [ "$who" = containerd ]; then
		try r "${CTR[@]}" logs f1
		like "$status/$err" "^1/.*this daemon is containerd 1[^ ]*, which cannot keep a detached process's output: only gantryd can" "$who: logs"
	fi
	works "containers rm --force" containers rm --force f1
	is "$(r "${CTR[@]}" tasks ls -q)" "" "$who: nothing runs"

	"${CTR[@]}" events >"$work/events" 2>/dev/null &
	pid=$!
	sleep 1
	works "images rm" images rm --sync "$image_name" example.com/again:1
	ok "$who: events tell of it" wait_for 20 grep -q '/images/delete {"name":"'$image_name'"}' "$work/events"
	kill $pid
	wait $pid 2>/dev/null
	works "content ls" content ls -q
	is "$out" "" "$who: no content is left"
}

start_gantryd || { tail "$work/gantryd.log"; echo "Bail out! gantryd does not serve"; exit 1; }
run_all gantryd "$ctr_program"

# --- what only gantryd serves -------------------------------------------------------
try ctr images import "$image"
try ctr system df --json
is "$status" 0 "system df"
ok "it tells what takes the space" jq -e 'map(select(.type == "content" and .namespace == "'"$ns"'")) | .[0].size > 100000' <<<"$out"
manifest=$(ctr images ls | awk -v n="$image_name" '$1 == n { print $3 }')
try ctr system gc --explain "$image_name"
like "$out" "image $image_name" "system gc --explain"
try ctr system gc --explain "$manifest"
like "$out" "image $image_name.*target.*$manifest" "a digest is kept by its image"
try ctr system gc --explain none.example/none:1
like "$status/$err" "^1/.*not found" "what is not there"
chain=$(ctr snapshots ls | awk '$NF == "Committed" { print $1 }')
ctr snapshots prepare dated "$chain"
upper=$(ctr snapshots mounts /t dated | sed -n 's/.*upperdir=\([^,]*\).*/\1/p')
echo new >"$upper/new"
SOURCE_DATE_EPOCH=86400 try ctr snapshots diff --media-type application/vnd.oci.image.layer.v1.tar dated
like "$status $(tar -tvf "$work/out")" "^0 .* 1970-01-02 00:00 new" "SOURCE_DATE_EPOCH bounds a layer's times in the daemon"
SOURCE_DATE_EPOCH=86400 try ctr images convert --uncompress "$image_name" dated:1
is "$status/$(ctr images inspect dated:1 | grep -c 'Updated: 1970-01-02 00:00:00 ')" 0/1 "and dates what convert makes"
ctr snapshots rm dated
ctr images rm --sync dated:1 >/dev/null
# The daemon collects at its own time, an hour from now.
layer=$(ctr content ls -q 'labels."containerd.io/uncompressed"')
try ctr content prune references --async
is "$status/$out$err" "0/" "content prune references --async"
is "$(ctr content ls | grep -c gc.ref.content.l.0)/$(ctr content ls -q | grep -cx "$layer")" 0/1 "takes labels, and leaves the blob to a later collection"
try ctr system gc
is "$(ctr content ls -q | grep -cx "$layer")" 0 "that removes it"
head -c 100000 /dev/urandom | ctr content ingest --expected-size 100000 stray
try ctr system gc
like "$status/$out" "^0/removed 1 blob; freed 97" "system gc"
try ctr system prune
like "$status" "^0$" "system prune"
try ctr events --since 0 --no-follow --sequence
like "$out" "^1 .*/images/(create|update) .*" "events --since: from the beginning, with their numbers"
last=$(awk 'END { print $1 }' <<<"$out")
try ctr images label "$image_name" since=yes
try ctr events --since "$last" --no-follow --sequence
like "$out" "^$((last + 1)) [^
]*/images/update [^
]*\"since\":\"yes\"[^
]*$" "and from a number on"
"$ctr_program" events --since "$((last + 1))" --sequence >"$work/since" 2>&1 &
pid=$!
ctr images label "$image_name" since=
ok "those that follow have numbers, too" wait_for 20 grep -q "^$((last + 2)) .*/images/update" "$work/since"
kill $pid
wait $pid 2>/dev/null
try ctr events --since 0 --no-follow 'topic~=['
like "$status/$err" "^1/.*filter" "a bad filter"

# output that is kept, processes, their use, sandboxes
try ctr run -d "$image_name" loud sh -c 'echo one; echo two >&2; trap "exit 3" TERM; while :; do sleep 0.1; done'
is "$status/$err" "0/" "run -d without a place for its output"
ok "logs: what a detached container prints" wait_for 20 sh -c "[ \"\$('$ctr_program' logs loud 2>&1 | sort | paste -sd' ')\" = 'one two' ]"
is "$(ctr logs loud 2>/dev/null)" one "its standard error apart"
"$ctr_program" logs -f loud >"$work/follow" 2>/dev/null &
pid=$!
"$ctr_program" tasks attach loud >/dev/null 2>&1 &
attached=$!
sleep 0.5
try ctr tasks kill loud
wait $pid
is "$?/$(cat "$work/follow")" "0/one" "logs -f ends with it"
wait $attached
is $? 3 "tasks attach ends with its status"
try ctr containers rm --force loud
is "$status" 0 "containers rm --force"
try ctr logs loud
like "$status/$err" '^1/.*not found' "and its output went with it"
try ctr run -d --null-io "$image_name" told sleep 1000
is "$status" 0 "run -d"
try ctr top told
like "$status/$out" "^0/.*sleep 1000" "top"
try ctr stats --no-stream told
like "$status/$out" "^0/.*told " "stats"
try ctr containers rm --force told
is "$status" 0 "and it goes"
ctr oci spec >"$work/pod.json"
try ctr sandboxes run "$work/pod.json" pod
is "$status/$out" "0/pod" "sandboxes run"
try ctr sandboxes ls
like "$status/$out" "^0/.*pod +20" "sandboxes ls"
is "$(ctr sandboxes info pod | jq -r .ID)" pod "sandboxes info"
try ctr sandboxes rm --force pod
is "$status/$(ctr sandboxes ls | grep -c pod)" "0/0" "sandboxes rm"
try ctr images rm --sync "$image_name"

ok "the command line was in the daemon's hands" sh -c "'$ctr_program' info | grep -q '\"pid\": $gantryd_pid'"
end_gantryd
is "$status" 0 "gantryd ends"
try ctr images ls -q
is "$status/$out" "0/" "with no daemon the root is the command line's again"

start_containerd
run_all containerd "$ctr_program" --address "$work/cd/sock"
for command in "system df" "system gc" "system gc --explain x"; do
	try ctr --address "$work/cd/sock" $command
	like "$status/$err" "^1/.*this daemon is containerd 1[^ ]*, which cannot .*: only gantryd can" "containerd: $command"
done
done_testing
