#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# States in which others hang: here every command comes to an end, a forced deletion removes the container in
# less than ten seconds, and everything else goes on meanwhile.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc python3 mkfs.ext4 fsfreeze
make_image
write_config
B=$image_name
bundles=$work/state/io.containerd.runtime.v2.task/$ns
ok "import" ctr images import "$image"

pid_of() { ctr tasks ls | awk -v id="$1" '$1 == id { print $2 }'; }
status_is() { [ "$(ctr tasks ls 2>/dev/null | awk -v id="$1" '$1 == id { print $3 }')" = "$2" ]; }
shim_of() { awk '/^PPid/ { print $2 }' "/proc/$(pid_of "$1")/status"; }
gone() { case $(awk '/^State/ { print $2 }' "/proc/$1/status" 2>/dev/null) in Z | X | '') ;; *) return 1 ;; esac; }
run() { ctr run -d --null-io $B "$1" sleep 100000 </dev/null; }
cgroups() { find /sys/fs/cgroup -maxdepth 3 -path "*/$ns/$1" -type d; }

# Time that a command takes, at most SECONDS; its outcome as of try.
within() { # SECONDS DESCRIPTION COMMAND...
	local most=$1 what=$2 begin=$SECONDS
	shift 2
	try timeout 60 "$@"
	ok "$what ends ($((SECONDS - begin)) s, status $status)" test $((SECONDS - begin)) -lt "$most" -a "$status" != 124
}

# forced ID WHAT: its deletion, and that nothing of it stays.
forced() {
	within 10 "delete --force of $2" "$ctr_program" containers delete --force "$1"
	is "$status" 0 "and succeeds: $2"
	is "$(ls -A "$bundles" | grep -v '^keeper$')$(ctr c ls -q | grep -v '^keeper$')" "" "no bundle and no container is left of $2"
	ok "no cgroup either" wait_for 5 test -z "$(cgroups "$1")"
	is "$(our_mounts | grep -c "/$1/rootfs")" 0 "nor a mount"
}

# others: what else there is answers as ever.
others() {
	within 5 "exec in another container" "$ctr_program" tasks exec --exec-id "e$RANDOM$RANDOM" keeper true
	is "$status" 0 "and succeeds, $1"
	within 10 "a new container" "$ctr_program" run --rm $B "new$RANDOM" echo fresh
	is "$out" fresh "and prints, $1"
	within 10 "tasks ls" "$ctr_program" tasks ls
	like "$out" "keeper +[0-9]+ +RUNNING" "and lists the other, $1"
}

run keeper

# --- a shim that is dead ------------------------------------------------------------
run s1
task=$(pid_of s1)
kill -KILL "$(shim_of s1)"
others "with a dead shim"
ok "its task is UNKNOWN" wait_for 5 status_is s1 UNKNOWN
within 5 "kill of a task whose shim is dead" "$ctr_program" tasks kill -s KILL s1
within 5 "exec" "$ctr_program" tasks exec --exec-id e1 s1 true
forced s1 "a task whose shim is dead"
ok "its process has ended" gone "$task"

# --- a shim that is stopped -----------------------------------------------------------
run s2
task=$(pid_of s2) shim=$(shim_of s2)
kill -STOP "$shim"
others "with a stopped shim"
within 10 "state of a task whose shim is stopped" "$ctr_program" tasks ls
like "$out" "s2 +[0-9]+ +UNKNOWN" "and says that nobody knows"
forced s2 "a task whose shim is stopped"
ok "its process has ended" gone "$task"
ok "so has the shim" gone "$shim"

# --- a paused task that is killed -----------------------------------------------------
run s3
ctr tasks pause s3
within 10 "kill of a paused task" "$ctr_program" tasks kill -s KILL s3
ok "it ends" wait_for 10 status_is s3 STOPPED
within 10 "delete" "$ctr_program" tasks delete s3
ctr c rm s3
run s3
task=$(pid_of s3)
ctr tasks pause s3
forced s3 "a paused task"
ok "its process has ended" gone "$task"

# --- a cgroup that somebody else froze -------------------------------------------------
run s4
task=$(pid_of s4)
for f in $(cgroups s4); do
	[ ! -e "$f/freezer.state" ] || echo FROZEN >"$f/freezer.state"
	[ ! -e "$f/cgroup.freeze" ] || echo 1 >"$f/cgroup.freeze"
done
others "with a frozen cgroup"
within 40 "exec in a frozen container" timeout 6 "$ctr_program" tasks exec --exec-id e1 s4 true
forced s4 "a frozen cgroup"
ok "its process has ended" gone "$task"

# --- a process in state D ---------------------------------------------------------------
# A write to a frozen file system waits in the kernel, and no signal ends it.
truncate -s 16M "$work/disk"
mkfs.ext4 -qF "$work/disk"
mkdir "$work/mnt"
if mount -o loop "$work/disk" "$work/mnt"; then
	thaw() { fsfreeze -u "$work/mnt" 2>/dev/null; }
	trap 'thaw; clean_up' EXIT
	ctr run -d --null-io --mount "type=bind,src=$work/mnt,dst=/data,options=rbind:rw" $B s5 \
		sh -c 'while :; do echo x >/data/f; sleep 0.1; done' </dev/null
	wait_for 5 test -s "$work/mnt/f"
	task=$(pid_of s5)
	fsfreeze -f "$work/mnt"
	if wait_for 5 sh -c "grep -q '^State:.D' /proc/$task/status"; then
		pass "a process that no signal ends"
		within 15 "kill of it" "$ctr_program" tasks kill -s KILL s5
		others "with a process in state D"
		within 10 "delete --force of a process in state D" "$ctr_program" containers delete --force s5
		like "$status $err" "^1 .*process [0-9]+ does not end though it was killed: it waits for a device or a file system" \
			"and says why it cannot"
		ok "the task stays, for another try" status_is s5 UNKNOWN
		others "while it does not end"
		thaw
		ok "it ends when the kernel lets it" wait_for 10 gone "$task"
		forced s5 "the same"
	else
		skip_one "a process in state D" "fsfreeze does not hold up a write here"
		thaw
	fi
	ctr containers delete --force s5 >/dev/null 2>&1
	wait_for 5 umount "$work/mnt"
	trap clean_up EXIT
else
	skip_one "a process in state D" "no loop device"
fi

# --- a bundle that is not there -----------------------------------------------------------
run s6
task=$(pid_of s6) shim=$(shim_of s6)
umount -l "$bundles/s6/rootfs"
rm -rf --one-file-system "${bundles:?}/s6"
others "with a bundle missing"
within 5 "tasks kill" "$ctr_program" tasks kill -s KILL s6
forced s6 "a task without a bundle"
ok "its process has ended" gone "$task"
ok "so has the shim" gone "$shim"
is "$(ls "$work/state/runc/$ns" | grep s6)" "" "the runtime program has forgotten it"
is "$(ctr c ls -q)" keeper "the container is gone"
run s6b
: >"$bundles/s6b/config.json"
rm -f "$bundles/s6b/address" "$bundles/s6b/bootstrap.json"
forced s6b "a bundle without an address and a document"

# --- a root file system that is in use ------------------------------------------------------
run s7
(cd "$bundles/s7/rootfs" && exec sleep 100000) &
holder=$!
disown
wait_for 5 test "$(readlink /proc/$holder/cwd)" = "$bundles/s7/rootfs"
forced s7 "a busy root file system"
ok "who used it is not touched" test -e "/proc/$holder/status"
run s7
(exec 9<"$bundles/s7/rootfs/bin/busybox" && exec sleep 100000) &
holder2=$!
disown
sleep 0.2
ctr tasks kill -s KILL s7
ok "it ends" wait_for 10 status_is s7 STOPPED
within 10 "delete of a busy root file system" "$ctr_program" tasks delete s7
within 10 "containers delete" "$ctr_program" containers delete s7
is "$(our_mounts | grep -c "/s7/rootfs")" 0 "no mount is left of it"
kill -KILL $holder $holder2 2>/dev/null

# --- a state folder that is full, or read-only ----------------------------------------------
umount_state() { umount -R "$small" 2>/dev/null; }
small=$work/small
mkdir "$small"
mount -t tmpfs -o size=1m,mode=755 none "$small"
conf=$work/small.conf
sed "s|^state = .*|state = \"$small\";|" "$GANTRY_CONFIG" >"$conf"
on_small() { GANTRY_CONFIG=$conf timeout 60 "$ctr_program" -n "$ns-2" "$@"; }
try on_small images import "$image"
try on_small run -d --null-io $B f1 sleep 1000
is "$status" 0 "a container in a small state folder"
head -c 2000000 /dev/zero >"$small/ballast" 2>/dev/null
within 20 "run where the state folder is full" env GANTRY_CONFIG="$conf" "$ctr_program" -n "$ns-2" run -d --null-io $B f2 sleep 1000
like "$status $err" "^1 .*No space left on device" "and says so"
within 10 "exec where the state folder is full" env GANTRY_CONFIG="$conf" "$ctr_program" -n "$ns-2" tasks exec --exec-id e1 f1 true
within 10 "kill where the state folder is full" env GANTRY_CONFIG="$conf" "$ctr_program" -n "$ns-2" tasks kill -s KILL f1
is "$status" 0 "and succeeds"
within 10 "delete --force where the state folder is full" env GANTRY_CONFIG="$conf" "$ctr_program" -n "$ns-2" containers delete --force f1
is "$status" 0 "and succeeds"
on_small containers delete --force f2 >/dev/null 2>&1
is "$(find "$small" -mindepth 3 -maxdepth 3 -path '*runtime.v2*' 2>/dev/null)" "" "no bundle is left"
rm "$small/ballast"
try on_small run -d --null-io $B f3 sleep 1000
is "$status" 0 "with space again, a container runs"
mount -o remount,ro "$small"
within 20 "run where the state folder is read-only" env GANTRY_CONFIG="$conf" "$ctr_program" -n "$ns-2" run -d --null-io $B f4 sleep 1000
like "$status $err" "^1 .*Read-only file system" "and says so"
within 10 "tasks ls where it is read-only" env GANTRY_CONFIG="$conf" "$ctr_program" -n "$ns-2" tasks ls
like "$out$err" "Read-only file system" "and says why it shows nothing"
within 20 "delete --force where it is read-only" env GANTRY_CONFIG="$conf" "$ctr_program" -n "$ns-2" containers delete --force f3
others "with a read-only state folder"
mount -o remount,rw "$small"
for id in f3 f4; do on_small containers delete --force $id >/dev/null 2>&1; done
is "$(find "$small" -mindepth 3 -maxdepth 3 -path '*runtime.v2*' 2>/dev/null)" "" "once it can be written, all goes"
is "$(on_small c ls -q)" "" "no container is left"
wait_for 5 umount "$small"
rmdir /sys/fs/cgroup/"$ns-2" /sys/fs/cgroup/*/"$ns-2" 2>/dev/null

# --- at the end -------------------------------------------------------------------------------
forced keeper "a task in good health"
is "$(our_mounts)" "" "no mount is left"
is "$(our_processes | wc -l)" 0 "no process is left"
done_testing
