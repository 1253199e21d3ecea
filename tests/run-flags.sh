#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the flags of run do to a container that runs, on runc and on crun. (That the documents are
# containerd's is tests/spec-containerd.sh's to show.)
[ -n "${GANTRY_TEST_NS:-}" ] || exec env GANTRY_TEST_NS=1 unshare -m "$BASH" "$0" "$@"
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root busybox runc python3 jq
# crun refuses a machine where cgroup v2 is mounted beside v1: not there in this mount namespace
[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified
write_config
sed -i 's|ctr-frontend: {|& cdi_dirs = [ "'"$work"'/cdi" ];|' "$GANTRY_CONFIG"
mkdir -p "$work/add/etc" "$work/add/data"
printf 'root:x:0:0::/:\napp:x:1000:1000::/:\n' >"$work/add/etc/passwd"
echo mine >"$work/add/data/file" && chmod 0640 "$work/add/data/file"
ADD=$work/add make_image
ctr images import "$image" >/dev/null
B=$image_name
mkdir "$work/tools"

all() { # flags that choose the runtime program
	# --- seccomp
	try ctr run --rm "$@" $B c sh -c 'unshare -m true && echo made'
	seccomp_free=$status/$out
	try ctr run --rm "$@" --seccomp $B c sh -c 'unshare -U true 2>&1; mkdir /tmp/r && chroot / true && echo chroot'
	like "$status/$out" "^0/unshare: .*Operation not permitted.chroot$" "$rt: --seccomp: no new namespaces, but chroot"
	try ctr run --rm "$@" $B c sh -c 'unshare -U true 2>&1 && echo made'
	is "$status/$out" "0/made" "$rt: without it, a user namespace"
	try ctr run --rm "$@" --seccomp --cap-add CAP_SYS_ADMIN $B c sh -c 'unshare -m true && echo made'
	is "$status/$out" "0/made" "$rt: --seccomp --cap-add CAP_SYS_ADMIN: namespaces"
	try ctr run --rm "$@" --seccomp $B c grep ^Seccomp: /proc/self/status
	is "$out" $'Seccomp:\t2' "$rt: --seccomp: a filter"
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":27}]}' >"$work/profile"
	try ctr run --rm "$@" --seccomp --seccomp-profile "$work/profile" $B c mkdir /x
	like "$status/$err" "1/mkdir: .*File too large" "$rt: --seccomp-profile"

	# --- user namespaces
	for snapshotter in overlayfs native; do
		try ctr run --rm "$@" --snapshotter $snapshotter --uidmap 0:100000:65536 --gidmap 0:200000:65536 $B c \
			sh -c 'id -u; stat -c %u:%g /data/file; cat /data/file; cat /proc/self/uid_map /proc/self/gid_map; touch /new && stat -c %u /new'
		is "$status/$(tr -s ' \n' ' ' <<<"$out")" "0/0 0:0 mine 0 100000 65536 0 200000 65536 0 " "$rt: --uidmap, --gidmap on $snapshotter"
		try ctr run -d "$@" --snapshotter $snapshotter --uidmap 0:100000:65536 --gidmap 0:200000:65536 --user app $B c sleep 600
		pid=$(ctr t ls | awk '$1 == "c" { print $2 }')
		is "$(stat -c %u:%g "/proc/$pid")" "101000:201000" "$rt: the process's ids outside"
		try ctr t exec --exec-id e --user app c sh -c 'id -u; cat /data/file'
		like "$status/$out/$err" "^1/1000/cat: .*Permission denied" "$rt: exec: what its group may not read stays closed"
		ctr t rm -f c 2>/dev/null
		ctr c rm c
	done
	try ctr run --rm "$@" --uidmap 0:100000:65536 --gidmap 0:200000:65536 --remap-labels $B c stat -c %u /data/file
	is "$status/$out" "0/65534" "$rt: --remap-labels: the snapshotter has made the root folder the container's"
	ctr run "$@" --uidmap 0:100000:65536 --gidmap 0:200000:65536 --remap-labels --snapshotter-label a=b $B c true
	is "$(ctr snapshots info c | jq -c '.Labels | del(."gantry.io/maker")')" '{"a":"b","containerd.io/snapshot/gidmapping":"0:200000:65536","containerd.io/snapshot/uidmapping":"0:100000:65536"}' "$rt: its labels"
	ctr c rm c
	try ctr run --rm "$@" --uidmap 0:100000:1000 --uidmap 1000:300000:1000 --gidmap 0:100000:2000 $B c cat /proc/self/uid_map
	is "$status/$(tr -s ' \n' ' ' <<<"$out")" "0/ 0 100000 1000 1000 300000 1000 " "$rt: two mappings"

	# --- limits and the like
	try ctr run --rm "$@" --rlimit-nofile 100:200 $B c sh -c 'ulimit -Sn; ulimit -Hn'
	is "$status/$out" $'0/100\n200' "$rt: --rlimit-nofile"
	try ctr run --rm "$@" --hostname box --cwd /data --read-only $B c sh -c 'hostname; pwd; touch x 2>&1'
	like "$status/$out" $'^1/box\n/data\ntouch: x: Read-only' "$rt: --hostname, --cwd, --read-only"
	try ctr run --rm "$@" --allow-new-privs $B c grep NoNewPrivs /proc/self/status
	is "$out" $'NoNewPrivs:\t0' "$rt: --allow-new-privs"
	try ctr run --rm "$@" $B c grep NoNewPrivs /proc/self/status
	is "$out" $'NoNewPrivs:\t1' "$rt: without it, none"
	try ctr run --rm "$@" --no-pivot $B c echo here
	is "$status/$out" "0/here" "$rt: --no-pivot"
	try ctr run --rm "$@" --device /dev/fuse $B c ls /dev/fuse
	[ -e /dev/fuse ] && is "$status/$out" "0//dev/fuse" "$rt: --device"
	try ctr run --rm "$@" --with-ns network:/proc/self/ns/net $B c readlink /proc/self/ns/net
	is "$out" "$(readlink /proc/self/ns/net)" "$rt: --with-ns"
	try ctr run --rm "$@" --privileged $B c sh -c 'grep CapEff /proc/self/status; ls /dev | grep -c .; grep -c " /sys/devices/virtual/powercap " /proc/mounts'
	like "$out" "^CapEff:.$(awk '/^CapEff/ { print $2 }' /proc/self/status)" "$rt: --privileged: all that we have"

	# --- a hook that brings graphics processors in
	cat >"$work/tools/nvidia-container-cli" <<-END
	#!/bin/sh
	printf '%s\n' "\$@" >$work/gpu
	pid=\$(printf '%s\n' "\$@" | sed -n 's/^--pid=//p')
	readlink /proc/\$pid/ns/mnt >>$work/gpu
	END
	chmod 755 "$work/tools/nvidia-container-cli"
	try env PATH="$work/tools:$PATH" timeout 60 "$ctr_program" run "$@" --gpus 0 --gpus 3 $B c readlink /proc/self/ns/mnt
	is "$status/$out" "0/$(tail -n 1 "$work/gpu")" "$rt: --gpus: the tool ran on the container's process"
	like "$(cat "$work/gpu")" $'^--load-kmods\nconfigure\n--device=0,3\n--compute\n--compat32\n--graphics\n--utility\n--video\n--display\n--pid=[0-9]+\n/.*rootfs\n' "$rt: --gpus: what it was told"
	ctr c rm c
	printf '#!/bin/sh\necho no driver here >&2\nexit 1\n' >"$work/tools/nvidia-container-cli"
	try env PATH="$work/tools:$PATH" timeout 60 "$ctr_program" run --rm "$@" --gpus 0 $B c true
	is "$status" 1 "$rt: --gpus: a tool that fails"

	# --- devices by the names of CDI
	mkdir -p "$work/cdi"
	cat >"$work/cdi/a.json" <<-END
	{"cdiVersion":"0.6.0","kind":"example.com/disk","containerEdits":{"env":["ALL=yes"]},"devices":[
	 {"name":"d0","containerEdits":{"env":["D0=yes"],
	  "deviceNodes":[{"path":"/dev/mine","hostPath":"/dev/zero","fileMode":292},
	   {"path":"/dev/ctl","hostPath":"/dev/loop-control","permissions":"r"}],
	  "mounts":[{"hostPath":"$work/add/data","containerPath":"/lib/driver","options":["ro","rbind"]}],
	  "hooks":[{"hookName":"createRuntime","path":"/bin/sh","args":["sh","-c","cat >$work/hooked"]}],
	  "additionalGids":[44]}}]}
	END
	printf 'cdiVersion: "0.5.0"\nkind: example.com/net\ndevices:\n- name: n0\n  containerEdits:\n    env: [N0=yes]\n' >"$work/cdi/b.yaml"
	rm -f "$work/hooked"
	try ctr run --rm "$@" --device example.com/disk=d0 --device example.com/net=n0 --device /dev/full $B c sh -c 'echo $ALL$D0$N0; head -c 3 /dev/mine | od -An -tx1; cat /lib/driver/file; id -G; test -c /dev/full && echo full; : </dev/ctl && echo read; (: >/dev/ctl) 2>/dev/null || echo only'
	is "$status/$out" $'0/yesyesyes\n 00 00 00\nmine\n0 44\nfull\nread\nonly' "$rt: --device VENDOR/CLASS=NAME: variables, node, mount, group"
	is "$(jq -r .id "$work/hooked")" c "$rt: its hook ran"

	# --- attach, checkpoint, deletion by force
	ctr run -d "$@" $B c sh -c 'read x; echo "got $x"; exit 5'
	echo word >"$work/typed"
	timeout 60 "$ctr_program" t attach c <"$work/typed" >"$work/attached"
	is "$?/$(cat "$work/attached")/$(ctr t ls -q)" "5/got word/" "$rt: attach: in, out and the exit status"
	ctr c rm c
	ctr run -d "$@" $B c sleep 1000
	try ctr t checkpoint c
	if [ "$status" = 0 ]; then
		pass "$rt: checkpoint works here"
		ctr images rm "$out" >/dev/null
	else
		like "$err" '^ctr: OCI runtime checkpoint failed: .*(CRIU says|unknown command checkpoint)' "$rt: checkpoint: the error says which cannot, and why"
	fi
	like "$(ctr t ls)" $'\nc +[0-9]+ +RUNNING' "$rt: checkpoint: the container runs on"
	ctr t pause c
	try ctr c rm --force c
	is "$status/$err/$(ctr c ls -q)$(ctr t ls -q)" "0//" "$rt: a paused one deleted by force"
	ctr run -d "$@" $B c sh -c 'trap "" TERM; while :; do sleep 1; done'
	try ctr t rm -f c
	is "$status" 0 "$rt: tasks rm --force"
	ctr c rm c
	is "$(our_mounts)$(our_processes)" "" "$rt: nothing is left"
}
rt=runc
all
if command -v crun >/dev/null; then
	rt=crun
	all --runc-binary crun
else
	skip_one "on crun" "no crun here"
fi

# --- what is wrong, in plain words ------------------------------------------------------------
wrong() { # TEXT, flags
	local want=$1
	shift
	try ctr run --rm "$@" $B c true
	is "$status/$err" "1/ctr: $want" "$*"
}
wrong 'exec: "nvidia-container-cli": executable file not found in $PATH: not found' --gpus 0
wrong 'CDI device injection failed: unresolvable CDI devices example.com/disk=no: not found' --device example.com/disk=no
wrong "user namespace mappings require the format \`container-id:host-id:size\`" --uidmap 0:1 --gidmap 0:1:1
wrong 'invalid container id for user namespace remapping: strconv.ParseUint: parsing "a": invalid syntax' --uidmap a:1:1 --gidmap 0:1:1
wrong 'invalid host id for user namespace remapping: strconv.ParseUint: parsing "4294967296": value out of range' --uidmap 0:4294967296:1 --gidmap 0:1:1
wrong 'a user namespace needs mappings of user and of group ids: invalid argument' --uidmap 0:1:1
wrong 'id mapping 0:1:0 is out of range: invalid argument' --uidmap 0:1:0 --gidmap 0:1:1
wrong 'the Linux namespace type specified in --with-ns is not valid: foo' --with-ns foo:/x
wrong "joining a Linux namespace using --with-ns requires the format 'nstype:path'" --with-ns net
wrong 'apparmor-profile conflicts with apparmor-default-profile' --apparmor-profile a --apparmor-default-profile b
wrong 'RDT class "a/b" is no name of a folder: invalid argument' --rdt-class a/b
wrong 'blockio-class error: no BlockIO parameters for class "x": not found' --blockio-class x
wrong "blockio-config-file error: open $work/none: No such file or directory: not found" --blockio-config-file "$work/none" --blockio-class x
echo 'Classes: { x: [ { Weight: 5 } ] }' >"$work/blockio"
wrong 'blockio-class error: class x: line 1: value of "Weight" (5) is not from 10 to 1000: invalid argument' --blockio-config-file "$work/blockio" --blockio-class x
wrong 'cpus and quota/period should be used separately' --cpus 1 --cpu-quota 5
wrong 'capabilities must be specified with '"'CAP_' prefix" --cap-drop KILL
if [ ! -e /sys/fs/resctrl/schemata ]; then
	try ctr run --rm --rdt-class gold $B c true
	like "$err" "RDT class gold: no resctrl is mounted at /sys/fs/resctrl" "--rdt-class where the kernel has none: a warning"
fi
is "$(ctr c ls -q)$(ctr snapshots ls | grep -c Active)" 0 "nothing is left of them"

# --- classes of block I/O -----------------------------------------------------------------------
# A block device that belongs to nobody: the node of an unused loop device.
mknod "$work/disk" b 7 250
cat >"$work/blockio" <<END
Classes:
  slow:
  - Weight: 80
  - Devices: [ "$work/di?k", "$work/none" ]
    ThrottleReadBps: 1M
    ThrottleWriteIOPS: 10k
    Weight: 50
  - Devices: [ "$work/disk" ]
    Weight: 60
END
try ctr c create --blockio-config-file "$work/blockio" --blockio-class slow $B c
like "$status/$err" "^0/.*blockio class slow: $work/none matches no device" "--blockio-class: what is not there is said"
is "$(ctr c info --spec c | jq -c .linux.resources.blockIO)" '{"weight":80,"weightDevice":[{"major":7,"minor":250,"weight":60}],"throttleReadBpsDevice":[{"major":7,"minor":250,"rate":1000000}],"throttleWriteIOPSDevice":[{"major":7,"minor":250,"rate":10000}]}' "--blockio-class: the spec"
ctr c rm c

# --- AppArmor -------------------------------------------------------------------------------------
if [ ! -e /sys/kernel/security/apparmor ]; then
	wrong 'open /sys/kernel/security/apparmor/profiles: No such file or directory: unavailable' --apparmor-default-profile gantry-test
	if mount -t tmpfs none /sys/kernel/security 2>/dev/null; then
		mkdir /sys/kernel/security/apparmor
		echo "other (enforce)" >/sys/kernel/security/apparmor/profiles
		printf '#!/bin/sh\necho "$@" >%s/parser; cat >%s/loaded\n' "$work" "$work" >"$work/tools/apparmor_parser"
		chmod 755 "$work/tools/apparmor_parser"
		try env PATH="$work/tools:$PATH" timeout 60 "$ctr_program" c create --apparmor-default-profile gantry-test $B c
		is "$status/$(cat "$work/parser")/$(ctr c info --spec c | jq -r .process.apparmorProfile)" "0/-Kr/gantry-test" "--apparmor-default-profile loads it"
		like "$(cat "$work/loaded")" 'profile "gantry-test" flags=' "its text"
		ctr c rm c
		if command -v apparmor_parser >/dev/null; then
			ok "which apparmor_parser understands" apparmor_parser -QKT "$work/loaded"
		fi
		rm "$work/parser"
		echo "gantry-test (enforce)" >>/sys/kernel/security/apparmor/profiles
		try env PATH="$work/tools:$PATH" timeout 60 "$ctr_program" c create --apparmor-default-profile gantry-test $B c
		is "$status/$(ls "$work/parser" 2>/dev/null)" "0/" "one that is loaded is left alone"
		ctr c rm c
		printf '#!/bin/sh\necho syntax error; exit 1\n' >"$work/tools/apparmor_parser"
		try env PATH="$work/tools:$PATH" timeout 60 "$ctr_program" c create --apparmor-default-profile third $B c
		is "$status/$err" "1/ctr: load AppArmor profile third: apparmor_parser: syntax error" "what apparmor_parser says"
		umount /sys/kernel/security
	fi
fi

# --- the rest -----------------------------------------------------------------------------------
try ctr run --dump-config "$work/dump" --cpu-burst 5 --cpu-quota 100 --cpu-period 200 --cpuset-cpus 0 --cpuset-mems 0 $B c true
is "$status/$(jq -c .linux.resources.cpu "$work/dump")" '0/{"quota":100,"period":200,"burst":5,"shares":1024,"cpus":"0","mems":"0"}' "--dump-config, --cpu-burst, --cpuset-cpus, --cpuset-mems"
is "$(ctr c ls -q)$(ctr snapshots ls | grep -c Active)" 0 "--dump-config makes no container"
ctr c create --privileged $B c
ctr run -d --null-io --privileged --privileged-without-host-devices $B c2 sleep 600
ok "--privileged: the host's devices" test "$(ctr c info --spec c | jq '.linux.devices | length')" -gt 0
is "$(ctr c info --spec c2 | jq -c '.linux.devices // []')" '[]' "--privileged-without-host-devices: none of them"
is "$(ctr c info --spec c2 | jq -c .process.capabilities.effective)" "$(ctr c info --spec c | jq -c .process.capabilities.effective)" "but its capabilities"
try ctr t exec --exec-id e c2 ls /dev/loop-control
is "$status" 1 "in the container as well"
ctr c rm --force c c2
try ctr run -d --null-io --runc-root "$work/runc-root" $B c sleep 600
is "$status/$(ls "$work/runc-root/$ns")" "0/c" "--runc-root: where the runtime's program keeps its state"
ctr c rm --force c
is "$(ls "$work/runc-root/$ns")" "" "and deletion finds it there"
try ctr run --rm --runc-systemd-cgroup --cgroup gantry.slice:test:c $B c true
if [ -d /run/systemd/system ]; then is "$status" 0 "--runc-systemd-cgroup"
else like "$status/$err" '^1/ctr: failed to create shim task: .*systemd' "--runc-systemd-cgroup where there is no systemd: says so"; fi
make_image "$work/two.tar" docker.io/library/two:1 linux/amd64 linux/arm64
ctr images import --all-platforms --no-unpack "$work/two.tar" >/dev/null
try ctr run --rm --platform linux/s390x docker.io/library/two:1 c true
like "$status/$err" '^1/ctr: image docker.io/library/two:1: no match for platform in manifest sha256:' "--platform that the image has not"
for platform in linux/amd64 linux/arm64; do # of programs that are the same
	try ctr run --rm --platform $platform docker.io/library/two:1 c echo here
	is "$status/$out" 0/here "--platform $platform"
done

# --- tasks start takes what is the process's, not the container's
ctr c create $B c sh -c 'echo started; sleep 600'
started() { # flags
	try ctr t start -d "$@" c
	is "$status" 0 "tasks start $*"
}
ended() { ctr t rm -f c 2>/dev/null; }
started --pid-file "$work/start.pid" --log-uri "file://$work/start.log"
is "$(cat "$work/start.pid")" "$(ctr t ls | awk '$1 == "c" { print $2 }')" "its --pid-file"
ok "its --log-uri" wait_for 20 grep -qx started "$work/start.log"
ended
started --fifo-dir "$work/start-fifos"
is "$(timeout 20 head -n 1 <"$(echo "$work"/start-fifos/*/c-stdout)")" started "its --fifo-dir"
ended
started --null-io --no-pivot
is "$(ctr logs c)" "" "its --null-io"
ended
ctr c rm c

is "$(ctr oci spec --platform windows/amd64 | jq -c .)" '{"ociVersion":"1.0.2-dev","process":{"user":{"uid":0,"gid":0},"cwd":"C:\\"},"root":{"path":""},"windows":{"layerFolders":null}}' "oci spec --platform windows"
is "$(ctr oci spec --platform linux/arm64)" "$(ctr oci spec)" "oci spec --platform linux/arm64"
printf '{"id":"i","pid":42,"bundle":"%s","status":"creating","annotations":{"k":"v w"}}' "$work" >"$work/state.json"
echo '{"root":{"path":"r"}}' >"$work/config.json"
is "$("$ctr_program" oci hook -- /bin/echo '{{id}}' '{{ pid }}' 'x{{rootfs}}y' '{{annotation "k"}}' '{{status}}{{bundle}}' '{{' <"$work/state.json")" \
	"i 42 x$work/ry v w creating$work {{" "oci hook: its words"
try "$ctr_program" oci hook -- /bin/echo '{{nope}}'
is "$status" 1 "oci hook without a state"
done_testing
