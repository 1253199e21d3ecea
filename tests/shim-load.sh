#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Many containers, many execs, many clients that go away: every byte and every exit status arrives, and the
# shim's memory, descriptors, threads and children are the same as before. tests/shim-load.py does it.
#   LOAD=all   10,000 containers, 2,000 execs, 10,000 broken execs and 10,000 attaches; by default a hundredth.
#   LOAD="execs output/4"   of some of output, execs, broken_execs and attaches; a quarter of the long form.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc python3 strace
make_image
write_config
cat >"$work/counting" <<EOF2
#!/bin/sh
echo "\$*" >>"$work/runtime.calls"
exec runc "\$@"
EOF2
chmod +x "$work/counting"
ctr images import "$image" >/dev/null || { echo "Bail out! no image"; exit 1; }
mkdir "$work/xdg"
CTR=$ctr_program XDG_RUNTIME_DIR=$work/xdg WORK=$work IMAGE=$image_name PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$abs_top_srcdir/tests \
	python3 "$abs_top_srcdir/tests/shim-load.py"
