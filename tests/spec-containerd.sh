#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What containers are made of, compared with what Debian's containerd makes of the same command line.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root python3 containerd
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
write_config
make_image
start_containerd || { echo "Bail out! containerd does not start"; exit 1; }

# The record without times, and without what differs by intent: powercap is masked here besides.
cat >"$work/plain.py" <<'EOF'
import json, sys
doc = json.load(sys.stdin)
for key in ("CreatedAt", "UpdatedAt", "SandboxID"):
    doc.pop(key, None)
spec = doc.get("Spec", doc)
masked = spec.get("linux", {}).get("maskedPaths") or []
if "/sys/devices/virtual/powercap" in masked:
    masked.remove("/sys/devices/virtual/powercap")
json.dump(doc, sys.stdout, indent=1, sort_keys=True)
EOF
plain() { python3 "$work/plain.py"; }

is "$(ctr oci spec | plain)" "$(their_ctr oci spec | plain)" "ctr oci spec"
ctr images import --snapshotter native "$image" >/dev/null
their_ctr images import --snapshotter native "$image" >/dev/null

same() { # DESCRIPTION, flags and arguments of `containers create`; the container is called c
	local what=$1 ours theirs
	shift
	their_ctr containers create --snapshotter native "$@" || { fail "$what" "containerd"; return; }
	theirs=$(their_ctr containers info c | plain)
	their_ctr containers rm c
	try ctr containers create --snapshotter native "$@"
	[ "$status" = 0 ] || { fail "$what" "$err"; return; }
	ours=$(ctr containers info c | plain)
	ctr containers rm c
	if [ "$ours" = "$theirs" ]; then pass "$what"; else
		fail "$what" "$(diff <(echo "$theirs") <(echo "$ours"))"
	fi
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

done_testing
