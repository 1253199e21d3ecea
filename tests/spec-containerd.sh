#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What containers are made of, compared with what Debian's containerd makes of the same command line.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root python3 containerd
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
write_config
make_image
start_containerd || { echo "Bail out! containerd does not start"; exit 1; }

# The record without times, and without what differs by intent: powercap is masked here besides; a
# hook is started by this ctr, not by containerd; the test's folders have their names.
cat >"$work/plain.py" <<'EOF'
import json, sys
doc = json.load(sys.stdin)
for key in ("CreatedAt", "UpdatedAt", "SandboxID"):
    doc.pop(key, None)
spec = doc.get("Spec", doc)
masked = spec.get("linux", {}).get("maskedPaths") or []
if "/sys/devices/virtual/powercap" in masked:
    masked.remove("/sys/devices/virtual/powercap")
for hook in spec.get("hooks", {}).get("prestart", []):
    assert hook["path"].startswith("/"), hook
    hook["path"] = "HOOK"
    hook["args"][:hook["args"].index("--")] = ["HOOK"]
    hook["env"] = sorted(e for e in hook["env"] if not e.startswith(("_=", "LD_LIBRARY_PATH=")))
json.dump(doc, sys.stdout, indent=1, sort_keys=True)
EOF
plain() { python3 "$work/plain.py"; }

is "$(ctr oci spec | plain)" "$(their_ctr oci spec | plain)" "ctr oci spec"
ctr images import --snapshotter native "$image" >/dev/null
their_ctr images import --snapshotter native "$image" >/dev/null

# What both make of the same `containers create` or `run`; the container is called c.
compare() { # DESCRIPTION, command line
	local what=$1 ours theirs
	shift
	their_ctr "$@" </dev/null >"$work/said" 2>&1 || { fail "$what" "containerd: $(cat "$work/said")"; return; }
	theirs=$(their_ctr containers info c | plain)
	their_ctr containers rm c
	try ctr "$@"
	[ "$status" = 0 ] || { fail "$what" "$err"; return; }
	ours=$(ctr containers info c | plain)
	ctr containers rm c
	if [ "$ours" = "$theirs" ]; then pass "$what"; else
		fail "$what" "$(diff <(echo "$theirs") <(echo "$ours"))"
	fi
}
same() { # DESCRIPTION, flags and arguments of `containers create`
	local what=$1
	shift
	compare "$what" containers create --snapshotter native "$@"
}
same_run() { # DESCRIPTION, flags and arguments of `run`
	local what=$1
	shift
	compare "run $what" run --snapshotter native "$@"
}
i=$image_name
printf 'A=1\n\nB\nC=x y\n  D=1\n' >"$work/env"
same "no flags" "$i" c
same "arguments" "$i" c echo "a b" ''
same "--env" --env A=1 --env B= --env PATH=/x --env NONE "$i" c
same "--env-file" --env-file "$work/env" --env C=2 "$i" c
same "--cwd" --cwd /tmp "$i" c
same "--tty" --tty "$i" c
same "--net-host" --net-host "$i" c
same "--mount" --mount type=bind,src=/tmp,dst=/mnt,options=rbind:ro --mount type=tmpfs,dst=/t "$i" c
same "--read-only" --read-only "$i" c
same "--privileged" --privileged "$i" c
same "--privileged --cap-drop" --privileged --cap-drop CAP_KILL "$i" c
same "capabilities" --cap-add CAP_SYS_ADMIN --cap-add CAP_CHOWN --cap-drop CAP_KILL "$i" c
same "limits" --memory-limit 1000000 --cpu-quota 50000 --cpu-period 100000 "$i" c
same "labels and annotations" --label a=b --annotation c=d "$i" c
same "--with-ns" --with-ns network:/proc/1/ns/net --with-ns ipc:/proc/1/ns/ipc "$i" c
same "--device" --device /dev/null "$i" c
same "--rootfs-propagation" --rootfs-propagation shared "$i" c
same "--allow-new-privs" --allow-new-privs "$i" c
same "--seccomp" --seccomp "$i" c
same "--seccomp --privileged" --seccomp --privileged "$i" c
all_caps=$(capsh --decode=1ffffffffff | tr a-z, 'A-Z ')
caps_in=() caps_out=()
for cap in ${all_caps#*=}; do caps_in+=(--cap-add "$cap") caps_out+=(--cap-drop "$cap"); done
is "${#caps_in[@]}" 82 "the kernel's capabilities"
same "--seccomp with every capability" --seccomp "${caps_in[@]}" "$i" c
same "--seccomp with none" --seccomp "${caps_out[@]}" "$i" c
for cap in CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_BPF CAP_PERFMON CAP_SYSLOG CAP_SYS_MODULE CAP_SYS_NICE; do
	same "--seccomp and $cap" --seccomp --cap-add $cap --cap-drop CAP_SYS_CHROOT "$i" c
done
cat >"$work/seccomp.json" <<'EOF'
{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["chmod"],"action":"SCMP_ACT_ERRNO","errnoRet":1,"args":[{"index":1,"value":7,"op":"SCMP_CMP_EQ"}]}]}
EOF
same "--seccomp-profile" --seccomp --seccomp-profile "$work/seccomp.json" "$i" c
same "--apparmor-profile" --apparmor-profile some "$i" c
same "--rdt-class" --rdt-class gold "$i" c
same "--cpu-quota 0" --cpu-quota 0 "$i" c
same "--cpu-period alone" --cpu-period 50000 "$i" c
same "--snapshotter-label" --snapshotter-label a=b "$i" c
same "--label without a value" --label a "$i" c
same "--device of a folder" --device /dev/net "$i" c
same "--allow-new-privs --seccomp --net-host --tty" --allow-new-privs --seccomp --net-host --tty "$i" c
same "--runtime" --runtime io.containerd.runc.v2 "$i" c
same "--runtime-config-path" --runtime io.containerd.other.v1 --runtime-config-path /x "$i" c
their_ctr oci spec >"$work/spec.json"
same "--config" --config "$work/spec.json" c
same "--config --label" --config "$work/spec.json" --label a=b c
mkdir "$work/tools" && printf '#!/bin/sh\n' >"$work/tools/nvidia-container-cli" && chmod 755 "$work/tools/nvidia-container-cli"
PATH=$work/tools:$PATH same "--gpus" --gpus 0 --gpus 2 "$i" c
same_run "nothing else" "$i" c true
same_run "--cpus --cpu-shares" --cpus 1.5 --cpu-shares 512 "$i" c true
same_run "--cpu-shares 0" --cpu-shares 0 "$i" c true
same_run "--cgroup" --cgroup "/$ns/other" "$i" c true
same_run "--cgroup ''" --cgroup '' "$i" c true
same_run "--runc-binary --runc-root" --runc-binary "$(command -v runc)" --runc-root "$work/runc" "$i" c true
same_run "--platform" --platform linux "$i" c true
same_run "--uidmap --gidmap" --uidmap 0:100000:65536 --gidmap 0:200000:65536 "$i" c true
same_run "--null-io --no-pivot" --null-io --no-pivot "$i" c true

done_testing
