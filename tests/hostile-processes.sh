#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Processes that are to get out, and images and documents that help them: what went wrong elsewhere, on
# runc and on crun.
[ -n "${GANTRY_TEST_NS:-}" ] || exec env GANTRY_TEST_NS=1 unshare -m "$BASH" "$0" "$@"
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root busybox runc python3 jq
# crun refuses a machine where cgroup v2 is mounted beside v1: not there in this mount namespace
[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified
write_config
outside=$work/outside
mkdir "$outside" && echo secret >"$outside/file"
mkdir -p "$work/add/real"
# Links that lead out of the image: for who would follow them from the host.
ln -s "$outside" "$work/add/out"
ln -s "../../../../../../../..$outside" "$work/add/up"
ln -s /proc/self/fd/3 "$work/add/fd3"
ADD=$work/add make_image
ctr images import "$image" >/dev/null
B=$image_name
for what in dev proc sys; do # each with one folder of the kernel's as a link
	rm -rf "$work/linked" && mkdir "$work/linked"
	ln -s /real "$work/linked/$what" && mkdir "$work/linked/real"
	ADD=$work/linked "$abs_top_srcdir/scripts/mkimage.sh" "$work/linked.tar" "docker.io/library/linked:$what"
	ctr images import "$work/linked.tar" >/dev/null
done
umask 000

nothing_outside() { # DESCRIPTION
	is "$(find "$outside" -printf '%P %m %s\n' | sort)" "$outside_is" "$1: nothing outside has changed"
}
outside_is=$(find "$outside" -printf '%P %m %s\n' | sort)

all() { # flags that choose the runtime program
	# --- capabilities
	try ctr run -d "$@" $B c sleep 600
	sets=$'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000'
	is "$(ctr t exec --exec-id 1 c grep -e ^CapInh -e ^CapAmb /proc/self/status)" "$sets" "$rt: exec: no inheritable, no ambient capabilities"
	is "$(ctr t exec --exec-id 2 --user 1000 c grep -e ^CapInh -e ^CapAmb -e ^CapEff /proc/self/status)" "CapInh:	0000000000000000
CapEff:	0000000000000000
CapAmb:	0000000000000000" "$rt: exec as a user: none at all"
	is "$(ctr t exec --exec-id 3 c sh -c 'ls /proc/self/fd | wc -l; ls /proc/1/fd | tr "\n" " "')" $'4\n0 1 2 ' "$rt: exec: no descriptor of ours"
	ctr t rm -f c 2>/dev/null
	ctr c rm c
	is "$(ctr run --rm "$@" $B c grep -e ^CapInh -e ^CapAmb /proc/self/status)" "$sets" "$rt: run: no inheritable, no ambient capabilities"
	is "$(ctr run --rm "$@" --privileged $B c grep -e ^CapInh -e ^CapAmb /proc/self/status)" "$sets" "$rt: --privileged: nor there"
	is "$(ctr run --rm "$@" --cap-add CAP_SYS_ADMIN --user 1000 $B c grep -e ^CapInh -e ^CapAmb -e ^CapEff /proc/self/status | cut -f2 | sort -u)" 0000000000000000 "$rt: --cap-add for a user: none to inherit"

	# --- descriptors and working folders
	is "$(ctr run --rm "$@" $B c ls /proc/self/fd | tr '\n' ' ')" "0 1 2 3 " "$rt: three descriptors, and that of ls"
	for number in 3 4 5 6 7 8 9 10; do
		try ctr run --rm "$@" --cwd "/proc/self/fd/$number" $B c sh -c "cat ../../../../../../../..$outside/file"
		[ "$status" != 0 ] && [ -z "$out" ] || break
	done
	is "$number/$out" "10/" "$rt: --cwd of a descriptor: nobody gets out"
	try ctr run --rm "$@" --cwd /fd3 $B c sh -c "cat ../../../../../../../..$outside/file"
	isnt_out "$rt: --cwd of a link to a descriptor"
	for cwd in /out /up /real/../up "/../../../../../../../..$outside"; do
		try ctr run --rm "$@" --cwd "$cwd" $B c sh -c "cat file"
		isnt_out "$rt: --cwd $cwd"
	done
	nothing_outside "$rt: working folders"

	# --- mounts
	mkdir -p "$work/volume" && echo volume >"$work/volume/v"
	for dst in /out/x /up/x "/real/../../../../../../../../..$outside/x" /fd3/x; do
		try ctr run --rm "$@" --mount "type=bind,src=$work/volume,dst=$dst,options=rbind:ro" $B c true
	done
	nothing_outside "$rt: --mount through links and .."
	try ctr run --rm "$@" --mount "type=bind,src=$work/volume,dst=/real/../vol,options=rbind:ro" $B c cat /vol/v
	[ "$status" = 0 ] && is "$out" volume "$rt: --mount with .. in the image" || pass "$rt: --mount with .. is refused"
	try ctr run --rm "$@" --mount "type=bind,src=$work/none,dst=/x,options=rbind" $B c true
	like "$status/$err" "1/.*No such file|1/.*no such file" "$rt: a mount whose source is missing"
	for what in dev proc sys; do
		try ctr run --rm "$@" docker.io/library/linked:$what c true
		like "$status/$out/$err" "^1//ctr: failed to create shim task: " "$rt: /$what as a link is refused"
	done

	# --- what is masked
	try ctr run --rm "$@" $B c sh -c '
		for f in /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/sched_debug; do
			[ ! -e $f ] || [ -z "$(head -c 10 $f 2>/dev/null)" ] || echo "readable: $f"
		done
		for d in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do
			[ ! -e $d ] || [ -z "$(ls $d)" ] || echo "filled: $d"
		done
		for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/default_smp_affinity; do
			[ ! -e $f ] || { echo x >$f; } 2>/dev/null && [ -e $f ] && echo "writable: $f"
		done
		true'
	is "$status/$out" "0/" "$rt: masked and read-only paths"
}
isnt_out() { # whatever the runtime made of it, the file outside was not shown
	if [[ $out == *secret* ]]; then fail "$1" "out: $out"; else pass "$1: nobody gets out"; fi
}
rt=runc
all
if command -v crun >/dev/null; then
	rt=crun
	all --runc-binary crun
else
	skip_one "on crun" "no crun here"
fi

# --- text that is more than it looks ------------------------------------------------------------------
nl=$'\n'
refused() { # flags
	try ctr c create "$@" $B c
	like "$status/$err" '^1/ctr: .*(control character|invalid argument)' "refused: $(printf '%q ' "$@")"
}
refused --annotation "a=b${nl}c"
refused --annotation "a${nl}=b"
refused --label "a=b${nl}c"
refused --hostname "a${nl}127.0.0.1 evil"
refused --cwd "/a${nl}b"
refused --cwd "/a"$'\e[2J'
refused --user "root${nl}x"
refused --mount "type=tmpfs,dst=/a${nl}b"
refused --mount "type=tmpfs,dst=/a,options=size=1${nl}m"
refused --rdt-class "a${nl}b"
mknod "$work/null${nl}evil" c 1 3
try ctr c create --device "$work/null${nl}evil" $B c
like "$status/$err" "^1/ctr: .*control character" "refused: a device whose name has a line end"
mkdir "$work/devices" && mknod "$work/devices/a${nl}b" c 1 3
try ctr c create --device "$work/devices" $B c
like "$status/$err" "^1/ctr: .*control character" "refused: a folder of devices with one"
config() { # jq program that changes the default document
	ctr oci spec | jq ".root.path=\"$work/none\" | $1" >"$work/config.json"
	try ctr c create --config "$work/config.json" c
	like "$status/$err" '^1/ctr: .*invalid argument$' "refused: --config with $1"
}
config '.linux.sysctl={"net.core.somaxconn":"1\n2"}'
config '.linux.sysctl={"net.core.somaxconn\n":"1"}'
config '.linux.sysctl={"../../etc/passwd":"1"}'
config '.linux.resources.unified={"cgroup.subtree_control":"+memory"}'
config '.linux.resources.devices=[{"allow":true,"type":"c","access":"r+w"}]'
config '.linux.devices=[{"path":"/dev/a\nb","type":"c","major":1,"minor":3}]'
config '.annotations={"a":"b\u0000c"}'
config '.annotations={"a":"b\nc"}'
config '.linux.cgroupsPath="/a\n/b"'
config '.mounts[0].options=["nosuid\n"]'
config '.process="x"'
printf '{"process":' >"$work/config.json"
try ctr c create --config "$work/config.json" c
like "$status/$err" '^1/ctr: .*invalid argument$' "refused: --config that is no JSON"
mkfifo "$work/fifo"
for flag in config env-file seccomp-profile blockio-config-file; do
	case $flag in config) args=(c) ;; *) args=($B c) ;; esac
	try timeout 20 "$ctr_program" c create --seccomp --$flag "$work/fifo" "${args[@]}"
	like "$status/$err" '^1/ctr: .*no regular file' "--$flag of a FIFO ends"
done
is "$(ctr c ls -q)$(ctr snapshots ls | grep -c Active)" 0 "nothing is left of them"
is "$(our_mounts)$(our_processes)" "" "no mount, no process"
done_testing
