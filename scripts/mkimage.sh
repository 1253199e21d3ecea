#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes an OCI image archive of Debian's busybox: mkimage.sh OUT.tar NAME [PLATFORM...]
# With platforms (linux/amd64, linux/arm64/v8, ...) it is an index of one manifest each; the program in
# them is this machine's all the same. LAYERS (default 1) is the number of layers. CONFIG is the JSON of
# the image's `config`; files in the folder ADD come into the image besides.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: mkimage.sh OUT.tar NAME [PLATFORM...]" >&2; exit 2; }
out=$1 name=$2
shift 2
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
if [ -n "${ADD:-}" ]; then # its links and devices take the place of files, too
	(cd "$ADD" && find . -mindepth 1 ! -type d -printf '%P\0') | (cd "$work/rootfs" && xargs -0 -r rm -rf --)
	cp -a "$ADD/." "$work/rootfs/"
fi
default_config='{"Env":["PATH=/bin"],"Cmd":["/bin/sh"],"WorkingDir":"/"}'

# Stores a file by its digest; prints "DIGEST SIZE".
blob() {
	local hex
	hex=$(sha256sum "$1" | cut -d' ' -f1)
	mv "$1" "$work/oci/blobs/sha256/$hex"
	echo "sha256:$hex $(stat -c %s "$work/oci/blobs/sha256/$hex")"
}
# Packs the folder as a layer; adds to $layers and $diff_ids.
layer() {
	local digest size
	tar -C "$1" --numeric-owner --owner=0 --group=0 --sort=name --mtime=@0 -cf "$work/layer.tar" .
	diff_ids+=${diff_ids:+,}\"sha256:$(sha256sum "$work/layer.tar" | cut -d' ' -f1)\"
	gzip -n "$work/layer.tar"
	read -r digest size < <(blob "$work/layer.tar.gz")
	layers+=${layers:+,}"{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"$digest\",\"size\":$size}"
}
# Makes the image of a platform; sets $line, the descriptor of its manifest without the last brace.
image() { # OS/ARCH[/VARIANT] FOLDER
	local os arch variant layers= diff_ids= config config_size manifest manifest_size i
	IFS=/ read -r os arch variant <<<"$1"
	layer "$2"
	for i in $(seq 2 "${LAYERS:-1}"); do
		rm -rf "$work/more"
		mkdir -p "$work/more/layer"
		echo "layer $i of $1" >"$work/more/layer/$i"
		layer "$work/more"
	done
	cat >"$work/config" <<-END
	{"architecture":"$arch",${variant:+"\"variant\":\"$variant\","}"os":"$os","config":${CONFIG:-$default_config},"rootfs":{"type":"layers","diff_ids":[$diff_ids]}}
	END
	read -r config config_size < <(blob "$work/config")
	cat >"$work/manifest" <<-END
	{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"$config","size":$config_size},"layers":[$layers]}
	END
	read -r manifest manifest_size < <(blob "$work/manifest")
	line="{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"$manifest\",\"size\":$manifest_size,\"platform\":{\"architecture\":\"$arch\",\"os\":\"$os\"${variant:+",\"variant\":\"$variant\""}}"
}
machine=$(uname -m)
case $machine in x86_64) machine=amd64 ;; aarch64) machine=arm64 ;; esac
names="\"annotations\":{\"io.containerd.image.name\":\"$name\",\"org.opencontainers.image.ref.name\":\"${name##*:}\"}"
if [ $# -eq 0 ]; then
	image "linux/$machine" "$work/rootfs"
	top=$line,$names}
else
	lines=
	for platform in "$@"; do
		echo "$platform" >"$work/rootfs/etc/platform"
		image "$platform" "$work/rootfs"
		lines+=${lines:+,}$line}
	done
	echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[$lines]}" >"$work/index"
	read -r index index_size < <(blob "$work/index")
	top="{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"$index\",\"size\":$index_size,$names}"
fi
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/oci/oci-layout"
echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[$top]}" >"$work/oci/index.json"
tar -C "$work/oci" --sort=name --mtime=@0 -cf "$out" oci-layout index.json blobs
