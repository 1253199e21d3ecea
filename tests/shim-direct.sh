#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shim with no daemon: what `start` prints, deadlines and undoing, the event journal, what is left
# when shim or runtime die, many execs. tests/shim-direct.py does it; here is the set-up and the clean-up.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc python3

ns=gantry-$$
mkdir -p "$work/rootfs/bin" "$work/rootfs/proc" "$work/rootfs/dev" "$work/rootfs/tmp" "$work/s" "$work/runc"
cp "$(type -P busybox)" "$work/rootfs/bin/busybox"
"$work/rootfs/bin/busybox" --install -s "$work/rootfs/bin" 2>/dev/null
for f in "$work"/rootfs/bin/*; do [ -L "$f" ] && ln -sf busybox "$f"; done

end_all() {
	local id
	for id in $(runc --root "$work/runc/$ns" list -q); do runc --root "$work/runc/$ns" delete --force "$id"; done
	find /sys/fs/cgroup -depth -type d -path "*/$ns*" -exec rmdir {} +
} >/dev/null 2>&1
trap 'end_all; clean_up' EXIT

SHIM=$abs_top_builddir/containerd-shim-gantry-v1 WORK=$work NS=$ns \
	GANTRY_SHIM_SOCKET_DIR=$work/s GANTRY_EVENT_JOURNAL=$work/journal \
	PYTHONPATH=$abs_top_srcdir/tests PYTHONDONTWRITEBYTECODE=1 \
	python3 "$abs_top_srcdir/tests/shim-direct.py"
