#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that Gantry is built with; with --tests also those that its tests run
# against. Does nothing where all are there.
set -euo pipefail

build="gcc g++ make autoconf automake libtool libltdl-dev pkg-config libconfig-dev
	libprotobuf-c-dev libprotobuf-dev protobuf-c-compiler protobuf-compiler libarchive-dev
	libisal-dev zlib1g-dev libzstd-dev libssl-dev libjansson-dev libyaml-dev liblmdb-dev libcap-dev
	libseccomp-dev libcurl4-openssl-dev libtomlplusplus-dev libnghttp2-dev libmicrohttpd-dev check busybox-static runc"
tests="clang libclang-rt-14-dev crun containerd containernetworking-plugins nginx-light apparmor iptables
	iproute2 criu strace python3 procps e2fsprogs attr jq bc skopeo docker.io runsc curl
	util-linux zstd libcap2-bin binutils docker-registry apache2-utils openssl ca-certificates nghttp2-client"

wanted=$build
[ "${1:-}" = --tests ] && wanted="$build $tests"
missing=()
for p in $wanted; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" != 0 ]; then
	echo "setup.sh: not root, so these packages cannot be installed: ${missing[*]}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "setup.sh: installing ${missing[*]}" >&2
# A package that brings a service must not start it here.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f $policy' EXIT
fi
log=$(mktemp)
{ apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 || {
	tail -n 20 "$log" >&2
	rm -f "$log"
	echo "setup.sh: could not install ${missing[*]}" >&2
	exit 1
}
rm -f "$log"
