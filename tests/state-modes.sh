#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Under umask 000 every folder of the state has the mode that it should have; one that lost it gets it back
# at the next start; who is not root reaches neither a socket nor a root file system.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc setpriv python3
make_image
write_config
B=$image_name
umask 000
ok "import" ctr images import "$image"
ok "run" ctr run -d --null-io $B c1 sleep 100000 </dev/null
bundles=$work/state/io.containerd.runtime.v2.task

modes() {
	local f
	for f in "$work/root" "$work/state" "$bundles" "$bundles/$ns" "$bundles/$ns/c1" "$bundles/$ns/c1/config.json" \
		"$bundles/$ns/c1/options.json" "$bundles/$ns/c1/shim-binary-path" "$work/state/s" "$work/state/s/"*; do
		echo "$(stat -c %a "$f") $(echo "${f#"$work/"}" | sed "s|$ns|NS|; s|s/[0-9a-f]\{64\}|s/HASH|")"
	done
}
want="700 root
711 state
711 state/io.containerd.runtime.v2.task
711 state/io.containerd.runtime.v2.task/NS
700 state/io.containerd.runtime.v2.task/NS/c1
600 state/io.containerd.runtime.v2.task/NS/c1/config.json
600 state/io.containerd.runtime.v2.task/NS/c1/options.json
600 state/io.containerd.runtime.v2.task/NS/c1/shim-binary-path
700 state/s
600 state/s/HASH"
is "$(modes)" "$want" "modes under umask 000"
is "$(find "$work/root" "$work/state" -xdev ! -type l ! -path '*/rootfs/*' ! -path '*/snapshots/*/fs/*' -perm /022 | head)" "" \
	"nothing can be written by others"

python=$(PATH=/usr/bin:/bin command -v python3) # one that everybody may run
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
refuses() { ! nobody "$@" 2>/dev/null; }
ok "another user does not reach the root file system" refuses ls "$bundles/$ns/c1/rootfs"
ok "nor the snapshots" refuses ls "$work/root/io.containerd.snapshotter.v1.overlayfs"
ok "nor the sockets" refuses ls "$work/state/s"
ok "nor one of them by name" refuses "$python" -c 'import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$work"/state/s/*

# A stranger whom the modes let through is not served all the same.
cp "$abs_top_srcdir/tests/ttrpc_ask.py" "$work/" # where everybody may read it
chmod 755 "$work" "$work/state" "$work/state/s"
chmod 666 "$work"/state/s/*
is "$("$python" "$work/ttrpc_ask.py" "$work"/state/s/* containerd.task.v2.Task Connect)" "an answer" "root calls a shim"
is "$(nobody "$python" "$work/ttrpc_ask.py" "$work"/state/s/* containerd.task.v2.Task Connect)" none "another user does not, whatever the modes"
chmod 600 "$work"/state/s/* # a shim makes its socket once

chmod 777 "$work/root" "$work/state" "$work/state/s" "$bundles" "$bundles/$ns"
ok "run once more" ctr run --rm $B c2 true </dev/null
is "$(modes)" "$want" "modes are repaired at the next start"
ok "delete" sh -c "'$ctr_program' tasks rm -f c1; '$ctr_program' containers rm c1"
done_testing
