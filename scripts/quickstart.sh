#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 (as root) to a running container: installs what is missing, builds, installs
# into a prefix of its own, imports an image made of Debian's busybox, and runs containers from it.
#   scripts/quickstart.sh [PREFIX]     PREFIX: default build/quickstart
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
prefix=${1:-$top/build/quickstart}
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
step() { printf '\n== %s\n' "$*"; }
show() { printf '\n$ %s\n' "$*"; "$@"; }

step "packages"
"$top/scripts/setup.sh"

step "build and install into $prefix"
"$top/autogen.sh" >/dev/null 2>&1
build=$top/build/$(basename "$prefix")-build
mkdir -p "$build"
cd "$build"
"$top/configure" --quiet --prefix="$prefix" --sysconfdir="$prefix/etc" >build.log 2>&1 &&
	make -j"$(nproc)" >>build.log 2>&1 && make install >>build.log 2>&1 || { tail -n 30 build.log >&2; exit 1; }

step "an image of busybox, and a configuration of two lines"
work=$(mktemp -d /tmp/gantry-quickstart.XXXXXX)
ctr=$prefix/bin/ctr
cleanup() {
	"$ctr" tasks kill -s KILL sleeper >/dev/null 2>&1 || true
	"$ctr" containers delete sleeper >/dev/null 2>&1 || true
	rm -rf --one-file-system "$work" 2>/dev/null || true
}
trap cleanup EXIT
export GANTRY_CONFIG=$work/gantry.conf
printf 'root = "%s/root";\nstate = "%s/state";\n' "$work" "$work" >"$GANTRY_CONFIG"
cat "$GANTRY_CONFIG"
"$top/scripts/mkimage.sh" "$work/busybox.tar" docker.io/library/busybox:latest

step "import it, run it"
show "$ctr" images import "$work/busybox.tar"
show "$ctr" images ls
show "$ctr" run --rm docker.io/library/busybox:latest hello echo "Hello from a container of Gantry"
show "$ctr" run -d --null-io docker.io/library/busybox:latest sleeper sleep 600
show "$ctr" tasks ls
show "$ctr" plugins ls
