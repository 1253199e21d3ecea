#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes an OCI image archive of Debian's busybox: mkimage.sh OUT.tar NAME
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: mkimage.sh OUT.tar NAME" >&2; exit 2; }
out=$1 name=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/gantry-image.XXXXXX")
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/rootfs/bin" "$work/rootfs/etc" "$work/rootfs/tmp" "$work/rootfs/root" "$work/oci/blobs/sha256"
cp /bin/busybox "$work/rootfs/bin/busybox"
for applet in $("$work/rootfs/bin/busybox" --list); do
	[ "$applet" = busybox ] || ln -s busybox "$work/rootfs/bin/$applet"
done
chmod 1777 "$work/rootfs/tmp"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$work/rootfs/etc/passwd"
printf 'root:x:0:\nusers:x:100:nobody\nnogroup:x:65534:\n' >"$work/rootfs/etc/group"

# Stores a file by its digest; prints "DIGEST SIZE".
blob() {
	local hex
	hex=$(sha256sum "$1" | cut -d' ' -f1)
	mv "$1" "$work/oci/blobs/sha256/$hex"
	echo "sha256:$hex $(stat -c %s "$work/oci/blobs/sha256/$hex")"
}
arch=$(uname -m)
case $arch in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; esac
tar -C "$work/rootfs" --numeric-owner --owner=0 --group=0 --sort=name --mtime=@0 -cf "$work/layer.tar" .
diff_id=sha256:$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
gzip -n "$work/layer.tar"
read -r layer layer_size < <(blob "$work/layer.tar.gz")
cat >"$work/config" <<EOF
{"architecture":"$arch","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["/bin/sh"],"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["$diff_id"]}}
EOF
read -r config config_size < <(blob "$work/config")
cat >"$work/manifest" <<EOF
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"$config","size":$config_size},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"$layer","size":$layer_size}]}
EOF
read -r manifest manifest_size < <(blob "$work/manifest")
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/oci/oci-layout"
cat >"$work/oci/index.json" <<EOF
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"$manifest","size":$manifest_size,"platform":{"architecture":"$arch","os":"linux"},"annotations":{"io.containerd.image.name":"$name","org.opencontainers.image.ref.name":"${name##*:}"}}]}
EOF
tar -C "$work/oci" --sort=name --mtime=@0 -cf "$out" oci-layout index.json blobs
