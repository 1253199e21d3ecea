#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every method of containerd 1.6 to 2.3 is served; and the services that neither of the ctr's calls: mounts
# and sandbox controllers, by services-rig.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
make_image
write_config 'services-local: { startup_delay = "1h"; };'
start_gantryd || { echo "Bail out! gantryd does not serve"; exit 1; }

walk() { timeout 120 "$abs_top_builddir/tests/services-walk" "$gantryd_socket"; }
walk <"$abs_top_srcdir/tests/services.txt" >"$work/walk"
is "$(wc -l <"$work/walk")" "$(wc -l <"$abs_top_srcdir/tests/services.txt")" "every method was called"
is "$(awk '{ print $1 }' "$work/walk" | sort -u | wc -l)" 17 "of 17 services, and one speaks ttrpc"
is "$(grep -E ' (UNIMPLEMENTED|INTERNAL|UNKNOWN|UNAVAILABLE|DATA_LOSS)$' "$work/walk")" "" "and is served"
is "$(printf 'containerd.services.images.v1.Images Nonsense\n' | walk)" \
	"containerd.services.images.v1.Images Nonsense UNIMPLEMENTED" "one that there is not is not"

# --- what plugins say of themselves --------------------------------------------------------
rig() { timeout 60 "$abs_top_builddir/tests/services-rig" "$(plugin_folder)/services-remote.so" "$gantryd_socket" "$@"; }
try rig "$ns" info io.containerd.runtime.v2 task
like "$status/$out" "^0/containerd.types.RuntimeInfo [1-9]" "the runtimes' plugin answers for a runtime"
try rig "$ns" info io.containerd.shim.v1 manager
like "$status/$out" "^0/containerd.types.RuntimeInfo [1-9]" "by its later name as well"
try rig "$ns" info io.containerd.snapshotter.v1 overlayfs
like "$status/$err" "^1/UNIMPLEMENTED: plugin io.containerd.snapshotter.v1.overlayfs has no further information" "another has nothing to say"
try rig "$ns" info io.containerd.snapshotter.v1 none
like "$status/$err" "^1/NOT_FOUND: plugin io.containerd.snapshotter.v1.none not found" "nor has one that is not there"
try "$ctr_program" plugins inspect-runtime --runtime io.containerd.runc.v2
is "$status/$(jq -r '.name != null' <<<"$out")" "0/true" "plugins inspect-runtime through the daemon"
try "$ctr_program" plugins inspect-runtime --runtime io.containerd.nonesuch.v1
like "$status/$err" "^1/.*containerd-shim-nonesuch-v1" "of a runtime that is not installed"

# --- mounts ----------------------------------------------------------------------------
mkdir "$work/a" "$work/b" "$work/c" && echo one >"$work/a/one" && echo two >"$work/b/two"
try rig "$ns" mount plain "bind,$work/a,,rbind"
like "$status/$err" "^1/UNIMPLEMENTED: mount \"plain\": nothing in it needs" "what a caller can mount by himself is his"
try rig "$ns" mount bad "format/bind,{{ mount 3 }},,rbind"
like "$status/$err" "^1/INVALID_ARGUMENT: .*expected \{\{ source N" "a form that cannot be filled"
try rig "$ns" mount over "bind,$work/a,,rbind,ro" "bind,$work/b,,rbind,ro" "format/overlay,overlay,,lowerdir={{ overlay 0 1 }}"
like "$out" "over: active bind $work/a at ([^ ]*) active bind $work/b at ([^ ]*) system overlay overlay,lowerdir=" "those before a form are made"
made=$out
lower=${out##*lowerdir=}
is "$(cat "${lower%%:*}/one" "${lower##*:}/two")" "one
two" "and are mounted where the form says"
try rig "$ns" mount over "bind,$work/a,,rbind" "format/overlay,overlay,,lowerdir={{ mount 0 }}"
like "$status/$err" "^1/ALREADY_EXISTS: .*mount \"over\"" "a name is there once"
try rig "$ns" label over x=y
is "$out" "$made label x=y" "labels"
try rig "$ns" mounts 'labels.x==y'
is "$out" "$made label x=y" "are found"
try rig "$ns" mounts 'labels.x==z'
is "$status/$out" "0/" "or not"
try rig "$ns-x" mounts
is "$status/$out" "0/" "and are in one namespace"
truncate -s 8M "$work/disk" && mkfs.ext4 -q "$work/disk"
try rig "$ns" mount disk -t "loop,$work/disk," "format/ext4,{{ mount 0 }},"
like "$out" "disk: active loop $work/disk at (/dev/loop[0-9]+) active ext4 /dev/loop[0-9]+ at ([^ ]*) system bind [^ ]*,rbind" "a file becomes a device, and that is mounted"
loop=$(sed 's,.*at \(/dev/loop[0-9]*\) .*,\1,' <<<"$out")
ok "it is attached" sh -c "losetup '$loop' | grep -q '$work/disk'"
end_gantryd KILL
start_gantryd
try rig "$ns" mounts
like "$out" "disk: .*over: " "a new daemon knows them"
try rig "$ns" unmount disk
is "$status/$err" "0/" "unmount"
ok "the device is gone" sh -c "! losetup '$loop' 2>/dev/null | grep -q '$work/disk'"
try rig "$ns" unmount disk
like "$status/$err" "^1/NOT_FOUND" "once"
point=${lower%%:*}
(cd "$point" && exec sleep 60) &
busy=$!
wait_for 10 sh -c "[ \"\$(readlink /proc/$busy/cwd)\" = '$point' ]"
try rig "$ns" unmount over
like "$status/$err" "^1/.*over.*busy" "not while it is in use"
kill $busy
wait $busy 2>/dev/null
try rig "$ns" unmount over
is "$status/$err" "0/" "but then"
try rig "$ns" mount broken "bind,$work/a,,rbind" "bind,$work/nowhere,,rbind" "format/bind,{{ mount 1 }},,rbind"
like "$status/$err" "^1/.*broken.*number 1" "one of them cannot be mounted"
g_ctr -n "$ns" leases create --id kept >/dev/null
try rig "$ns/kept" mount leased "bind,$work/a,,rbind" "format/bind,{{ mount 0 }},,rbind"
is "$status" 0 "with a lease"
is "$(our_mounts | grep -c /mounts/)" 1 "nothing else is mounted"
g_ctr -n "$ns" leases rm --sync kept >/dev/null
try rig "$ns" mounts
is "$status/$out" "0/" "it ends with its lease"
is "$(our_mounts | grep -c /mounts/)" 0 "nothing is mounted"

# Prefixes that make what a mount needs: files with file systems, folders.
disks=$work/root/disks
mkdir -p "$disks"
try rig "$ns" mount made -t "mkfs/loop,$disks/a.img,,X-containerd.mkfs.size=8MiB,X-containerd.mkfs.fs=ext4,X-containerd.mkfs.uuid=11111111-2222-3333-4444-555555555555" \
	"format/ext4,{{ mount 0 }}," "format/mkdir/bind,{{ mount 1 }}/sub,,X-containerd.mkdir.path={{ mount 1 }}/sub:0751:7:8,rbind"
like "$out" "made: active loop $disks/a.img at /dev/loop[0-9]+ active ext4 /dev/loop[0-9]+ at [^ ]* active bind [^ ]*/sub at ([^ ]*) system bind [^ ]*,rbind\$" "mkfs/ and mkdir/: a file, its file system, a folder in it"
is "$(stat -c %s "$disks/a.img")" 8388608 "of that size"
ok "of that identity" sh -c "dumpe2fs -h '$disks/a.img' 2>/dev/null | grep -q 11111111-2222-3333-4444-555555555555"
is "$(stat -c '%a %u %g' "$(sed 's/.*active bind \([^ ]*\) .*/\1/' <<<"$out")")" "751 7 8" "the folder: mode and owner"
touch "$(sed 's/.*active bind [^ ]* at \([^ ]*\) .*/\1/' <<<"$out")/kept"
try rig "$ns" unmount made
is "$status/$err" "0/" "unmount"
try rig "$ns" mount made "mkfs/ext4,$disks/a.img,,X-containerd.mkfs.size=8MiB,loop"
is "$out" "made: system ext4 $disks/a.img,loop" "a file that is there is taken as it is; what the caller mounts is left without its options"
mkdir "$work/look" && mount -o loop "$disks/a.img" "$work/look"
is "$(ls "$work/look/sub")" kept "with what was in it"
umount "$work/look"
rig "$ns" unmount made
refused() { # CLASS REGEX DESCRIPTION MOUNT...
	local class=$1 regex=$2 what=$3
	shift 3
	try rig "$ns" mount refused "$@"
	like "$status/$err" "^1/$class: .*$regex" "$what"
}
refused INVALID_ARGUMENT "lies neither below the daemon's root nor below services-local.mount_roots" "a file elsewhere" "mkfs/ext4,$work/b.img,,X-containerd.mkfs.size=1m"
refused INVALID_ARGUMENT "lies neither below" "or a folder" "mkdir/bind,$work/a,,X-containerd.mkdir.path=$work/new,rbind"
ln -s "$work" "$disks/out"
refused INVALID_ARGUMENT "disks/out/b.img" "not through a link either" "mkfs/ext4,$disks/out/b.img,,X-containerd.mkfs.size=1m"
refused INVALID_ARGUMENT "has no last name" "nor by .." "mkdir/bind,$work/a,,X-containerd.mkdir.path=$disks/..,rbind"
refused INVALID_ARGUMENT "needs option X-containerd.mkfs.size" "no size" "mkfs/ext4,$disks/b.img,"
refused INVALID_ARGUMENT "mkfs.size=8x: expected" "a size that is none" "mkfs/ext4,$disks/b.img,,X-containerd.mkfs.size=8x"
refused INVALID_ARGUMENT "expected one of ext2, ext3" "a file system that is not made" "mkfs/ntfs,$disks/b.img,,X-containerd.mkfs.size=8m,X-containerd.mkfs.fs=ntfs"
refused INVALID_ARGUMENT "mkfs.flags=-F: expected" "an option that is none" "mkfs/ext4,$disks/b.img,,X-containerd.mkfs.size=8m,X-containerd.mkfs.flags=-F"
refused INVALID_ARGUMENT "mkdir.path=$disks/d:9: expected" "a mode that is none" "mkdir/bind,$disks,,X-containerd.mkdir.path=$disks/d:9,rbind"
refused FAILED_PRECONDITION "disks is there and no regular file" "a folder in its place" "mkfs/ext4,$disks,,X-containerd.mkfs.size=8m"
refused FAILED_PRECONDITION "open folder $disks/a.img" "or a file in a folder's" "mkdir/bind,$disks,,X-containerd.mkdir.path=$disks/a.img,rbind"
refused UNKNOWN "mkfs.ext4 for $disks/b.img ended with status [0-9]" "a program that fails" "mkfs/ext4,$disks/b.img,,X-containerd.mkfs.size=1"
is "$(ls "$disks")" "a.img
out" "none of them left a file"
# A daemon that dies between taking a loop device and noting which.
if command -v strace >/dev/null; then
	strace -qq -f -p "$gantryd_pid" -e trace=symlink -e inject=symlink:signal=KILL -o "$work/strace" &
	strace_pid=$!
	wait_for 10 sh -c "grep -q 'TracerPid:.*[1-9]' /proc/$gantryd_pid/status"
	try rig "$ns" mount lost -t "loop,$disks/a.img,"
	wait $strace_pid
	wait "$gantryd_pid" 2>/dev/null
	ok "died while it made one: the device goes by itself" wait_for 10 sh -c "! losetup -j '$disks/a.img' | grep -q ."
	start_gantryd
	try rig "$ns" mount lost -t "loop,$disks/a.img,"
	is "$status" 0 "and the name is free again"
	try rig "$ns" unmount lost
	is "$status/$(losetup -j "$disks/a.img")" "0/" "no device is left"
else
	skip_one "died while it made one" "no strace"
fi

# --- sandboxes ---------------------------------------------------------------------------
"$ctr_program" events >"$work/events" 2>&1 &
events_pid=$!
sleep 0.5
try rig "$ns" sandbox start none
like "$status/$err" "^1/NOT_FOUND" "start of none"
try rig "$ns" sandbox create pod io.containerd.nonesuch.v1
like "$status/$err" "^1/NOT_FOUND: .*containerd-shim-nonesuch-v1" "a runtime that is not installed"
try rig "$ns" sandbox create pod io.containerd.runc.v2
is "$status/$err" "0/" "create"
try rig "$ns" sandbox create pod io.containerd.runc.v2
like "$status/$err" "^1/ALREADY_EXISTS" "create it twice"
try rig "$ns" sandbox start pod
like "$out" "pod pid [0-9]+ address ttrpc\+unix://.* version [23]" "start"
address=$(awk '{ print $5 }' <<<"$out")
address=${address/+/\\+}
try rig "$ns" sandbox status pod
like "$out" "pod pid [0-9]+ state SANDBOX_READY address $address" "status"
try rig "$ns" sandbox platform pod
like "$out" "^linux/" "platform"
try rig "$ns" sandbox metrics pod
like "$status/$out" "^0/pod " "metrics"
rig "$ns" sandbox wait pod >"$work/waited" 2>&1 &
wait_pid=$!
end_gantryd KILL
wait $wait_pid 2>/dev/null
like "$(cat "$work/waited")" "UNAVAILABLE" "a wait ends with the daemon"
start_gantryd
kill $events_pid 2>/dev/null
"$ctr_program" events >>"$work/events" 2>&1 &
events_pid=$!
rig "$ns" sandbox wait pod >"$work/waited" 2>&1 &
wait_pid=$!
try rig "$ns" sandbox status pod
like "$out" "state SANDBOX_READY address $address" "a new daemon knows it"
try rig "$ns" sandbox stop pod
is "$status/$err" "0/" "stop"
wait $wait_pid
like "$(cat "$work/waited")" "^exit [0-9]+ at [1-9]" "its end is told"
try rig "$ns" sandbox status pod
like "$out" "state SANDBOX_NOTREADY" "and its status"
try rig "$ns" sandbox shutdown pod
is "$status/$err" "0/" "shutdown"
try rig "$ns" sandbox status pod
like "$status/$err" "^1/NOT_FOUND" "then it is gone"
ok "so are its events told" wait_for 10 sh -c "grep -q sandboxes/create '$work/events' && grep -q sandboxes/start '$work/events' && grep -q sandboxes/exit '$work/events'"
kill $events_pid 2>/dev/null
is "$(find "$work/state/io.containerd.sandbox.controller.v1.shim" -mindepth 2 2>/dev/null | wc -l)" 0 "nothing is left"
done_testing
