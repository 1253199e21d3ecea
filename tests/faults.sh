#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What breaks in the middle: a system call of the shim or of ctr that fails, and a kill -9 at it; the runtime
# program failing, hanging and being killed. strace does it to the programs as they are. Afterwards nothing
# is left, or a forced deletion removes it in time. tests/faults.py says how; here are set-up and clean-up.
# FAULTS=all goes through every point (hours); by default a sample of each kind. FAULTS_ONLY is a part of a
# point's name ("serve: kill"), FAULTS_PART a piece of them ("1/20").
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc python3 strace
if [ "${FAULTS_INSIDE:-}" != 1 ]; then # mountinfo is compared byte by byte: nobody else's mounts come here
	rm -rf "$work"
	trap - EXIT
	FAULTS_INSIDE=1 exec unshare --mount --propagation private bash "$0"
fi
strace -qq -e trace=getpid -e inject=getpid:error=EPERM:when=99 true 2>/dev/null || skip_all "strace cannot trace here"
make_image
cat >"$work/wrap" <<EOF2
#!/bin/sh
exec python3 "$abs_top_srcdir/tests/faults.py" wrap "\$@"
EOF2
chmod +x "$work/wrap"
write_config
sed -i '/^runtime-runc/d' "$GANTRY_CONFIG"
cat >>"$GANTRY_CONFIG" <<EOF2
runtime-runc: {
	shim = "$work/wrap"; start_timeout = "4s"; connect_timeout = "2s"; state_timeout = "2s";
	task_timeout = "3s"; shutdown_timeout = "2s"; cleanup_timeout = "3s";
};
EOF2
ctr images import "$image" >/dev/null || { echo "Bail out! no image"; exit 1; }
SHIM=$abs_top_builddir/containerd-shim-gantry-v1 CTR=$ctr_program WORK=$work IMAGE=$image_name \
	PYTHONDONTWRITEBYTECODE=1 python3 "$abs_top_srcdir/tests/faults.py"
