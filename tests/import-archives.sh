#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Image archives of every shape, good and bad, as a file, through a pipe and compressed. A bad one gives
# one clear line, and leaves nothing in the store or on the disk.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root python3 gzip
write_config

archive() { python3 "$abs_top_srcdir/tests/archive.py" "$work/$1.tar" "$1"; }
rm -f /tmp/gantry-evil

forget() {
	local i
	for i in $(ctr images ls -q); do ctr images rm "$i" >/dev/null; done
	for i in $(ctr snapshots ls | awk 'NR > 1 { print $1 }' | tac); do
		ctr snapshots rm "$i" >/dev/null 2>&1
	done
	while i=$(ctr snapshots ls | awk 'NR == 2 { print $1 }') && [ -n "$i" ]; do
		for i in $(ctr snapshots ls | awk 'NR > 1 { print $1 }'); do
			ctr snapshots rm "$i" >/dev/null 2>&1
		done
	done
	for i in $(ctr content ls -q); do ctr content rm "$i" >/dev/null; done
}

# What the store holds, and what lies on the disk without a record.
left() {
	ctr images ls -q
	ctr content ls -q
	ctr content active | tail -n +2
	ctr snapshots ls | tail -n +2
	ctr leases ls -q
	find "$work/root" -path '*/blobs/*' -type f
	find "$work/root" -path '*/ingest/*' -type f
	find "$work/root" \( -path '*/snapshots/[0-9]*' -o -path '*/snapshots/new-*' \) -prune -print
	ls /tmp/gantry-evil 2>/dev/null
}

# --- good ones -----------------------------------------------------------------

archive oci
try ctr images import "$work/oci.tar"
is "$status/$err" "0/" "OCI layout"
like "$out" 'unpacking docker.io/library/made:1 \(sha256:[0-9a-f]{64}\)...done' "it says what it unpacks"
is "$(ctr images ls -q)" docker.io/library/made:1 "its name"
is "$(ctr content ls -q | wc -l)" 4 "its blobs"
is "$(ctr snapshots ls | tail -n +2 | wc -l)" 2 "its snapshots"
is "$(ctr leases ls -q)" "" "no lease is left"
content=$(ctr content ls)
like "$content" 'containerd.io/gc.ref.content.config=sha256:.*containerd.io/gc.ref.content.l.1=sha256:' \
	"the manifest keeps its children"
like "$content" 'containerd.io/gc.ref.snapshot.overlayfs=sha256:' "the config keeps the snapshots"
like "$content" 'containerd.io/uncompressed=sha256:' "the layers know their diff IDs"
[[ $content != *gc.root* ]]
is "$?" 0 "no label of the image's config is taken over"
reference=$(ctr content ls -q; ctr snapshots ls)
try ctr images import "$work/oci.tar"
is "$status" 0 "the same again"
is "$(ctr content ls -q; ctr snapshots ls)" "$reference" "it changes nothing"
forget
is "$(left)" "" "all of it can be removed"

ctr images import - <"$work/oci.tar" >/dev/null
is "$(ctr content ls -q; ctr snapshots ls)" "$reference" "from standard input"
forget
cat "$work/oci.tar" | ctr images import - >/dev/null
is "$(ctr content ls -q; ctr snapshots ls)" "$reference" "through a pipe"
forget
gzip -k "$work/oci.tar"
ctr images import "$work/oci.tar.gz" >/dev/null
is "$(ctr content ls -q; ctr snapshots ls)" "$reference" "compressed"
forget
ctr images import --snapshotter native "$work/oci.tar" >/dev/null
is "$(ctr snapshots --snapshotter native ls | tail -n +2 | wc -l)" 2 "into another snapshotter"
for i in 2 1; do
	ctr snapshots --snapshotter native rm \
		"$(ctr snapshots --snapshotter native ls | awk 'NR > 1 && NF == 3 { print $1 }' | head -n 1)" \
		>/dev/null 2>&1
	ctr snapshots --snapshotter native rm \
		"$(ctr snapshots --snapshotter native ls | awk 'NR == 2 { print $1 }')" >/dev/null 2>&1
done
forget
is "$(left)" "" "the native snapshotter's can be removed"

try ctr images import --no-unpack --digests --skip-digest-for-named --label a=b --label c "$work/oci.tar"
is "$status/$err$(ctr images ls | awk 'NR > 1 { print $1, $NF }')" "0/docker.io/library/made:1 a=b,c=true" "--skip-digest-for-named, --label"
try ctr images import --no-unpack --digests "$work/oci.tar"
is "$(ctr images ls -q | sed 's/[0-9a-f]\{64\}/D/' | paste -sd,)" "docker.io/library/made:1,import-$(date +%Y-%m-%d)@sha256:D" "--digests: the digest beside the name"
forget

try ctr images import --discard-unpacked-layers "$work/oci.tar"
is "$status/$err" "0/" "--discard-unpacked-layers"
is "$(ctr content ls | grep -c 'gc.ref.content.l.')" 0 "no label keeps the layers"
ctr system gc >/dev/null
is "$(ctr content ls -q | wc -l)/$(ctr snapshots ls | tail -n +2 | wc -l)" 2/2 "a collection leaves manifest, config and snapshots"
like "$(ctr images check)" "incomplete \(1/3\).* true" "check tells what is not here, and that it is unpacked"
try ctr images usage made:1
is "$status" 0 "it is used as any other"
try ctr images import "$work/oci.tar"
is "$status/$(ctr content ls -q | wc -l)/$(ctr images check -q)" "0/4/docker.io/library/made:1" "an import without it brings them back"
forget

try ctr images import --no-unpack "$work/oci.tar"
is "$status/$out/$(ctr snapshots ls | tail -n +2)" "0//" "--no-unpack"
forget

ctr images import "$work/oci.tar" >"$work/one" 2>&1 &
one=$!
ctr images import "$work/oci.tar" >"$work/two" 2>&1
two=$?
wait "$one"
is "$?$two" 00 "two at once"
is "$(ctr content ls -q; ctr snapshots ls)" "$reference" "two at once store it once"
forget

# Layers that are applied at the same time must look as if they had been one after the other: what a layer
# deletes is gone, and a folder that it leaves out keeps the attributes it has below.
tree() { # SNAPSHOTTER
	local top
	top=$(ctr snapshots --snapshotter "$1" ls | awk 'NR > 1 && NF == 3 { print $1 }')
	mkdir -p "$work/view"
	ctr snapshots --snapshotter "$1" view --target "$work/view" view "$top" >"$work/mount.sh"
	unshare -m --propagation private sh -c '. "$1"; cd "$2" && find . -mindepth 1 -printf "%p %M %U %G %s\n" | sort' \
		sh "$work/mount.sh" "$work/view" | awk '$2 ~ /^d/ { $5 = "" } { print }'
	ctr snapshots --snapshotter "$1" rm view
}
archive left-out
ctr images import "$work/left-out.tar" >/dev/null
is "$(tree overlayfs)" "./etc drwxr-xr-x 0 0 
./etc/deep drwxrwxrwt 5 6 
./etc/deep/new -rw-r--r-- 0 0 3
./etc/one -rw-r--r-- 0 0 10000
./gone -rw-r--r-- 0 0 1
./hidden drwxr-xr-x 0 0 
./hidden/b -rw-r--r-- 0 0 1" "layers at the same time look like layers one after the other"
overlay=$(tree overlayfs)
ctr images import --snapshotter native "$work/left-out.tar" >/dev/null
is "$(tree native)" "$overlay" "and so does another snapshotter's"
for i in 1 2; do
	for key in $(ctr snapshots --snapshotter native ls | awk 'NR > 1 { print $1 }'); do
		ctr snapshots --snapshotter native rm "$key" >/dev/null 2>&1
	done
done
forget
ctr images import "$work/oci.tar" >/dev/null
is "$(tree overlayfs | awk '{ print $1 }' | tr '\n' ' ')" "./etc ./etc/one ./etc/two " "what a layer deletes is gone"
forget

archive nested
try ctr images import "$work/nested.tar"
is "$status/$(ctr images ls -q)" "0/docker.io/library/made:1" "an index with a platform that is not here"
is "$(ctr snapshots ls | tail -n +2 | wc -l)" 2 "this machine's platform is unpacked"
forget
try ctr images import --platform linux/s390x "$work/nested.tar"
like "$status/$err" '1/.*not found' "a platform whose blobs are not in the archive"
is "$(left)" "" "it leaves nothing"

archive other-platform
try ctr images import "$work/other-platform.tar"
like "$status/$err" "^1/ctr: the archive has no image for the platform that is wanted; it has linux/s390x: not found$" \
	"an archive for another platform"
is "$(left)" "" "it leaves nothing"
try ctr images import --no-unpack --platform linux/s390x "$work/other-platform.tar"
is "$status/$(ctr images ls -q)" "0/docker.io/library/made:1" "--platform takes it"
forget
archive two-images
try ctr images import "$work/two-images.tar"
is "$status/$(ctr images ls -q)" "0/docker.io/library/made:1" "of two images the one of another platform is left out"
forget
ctr images import --no-unpack --all-platforms "$work/two-images.tar" >/dev/null
is "$(ctr images ls -q | paste -sd' ')" "docker.io/library/made:1 docker.io/library/theirs:1" "--all-platforms takes both"
forget

# What has a name already keeps its image, where the caller asked for other names.
ctr images import "$work/oci.tar" >/dev/null
ctr images tag --skip-reference-check made:1 docker.io/library/theirs:1 >/dev/null
before=$(ctr images ls)
ctr images import --no-unpack --all-platforms --base-name docker.io/library/made "$work/two-images.tar" >/dev/null
is "$(ctr images ls name==docker.io/library/theirs:1)" "$(ctr images ls name==docker.io/library/theirs:1 | head -n 1)
$(grep theirs: <<<"$before")" "--base-name: a name that is not below it does not move"
forget

archive erofs
try ctr images import "$work/erofs.tar"
like "$status/$err" '^1/ctr: .*layer of media type application/vnd.erofs.layer.v1 \(tar can be unpacked: plain, gzip or zstd\): not implemented$' \
	"a layer as EROFS image is refused in plain words"
is "$(left)" "" "it leaves nothing"
try ctr images import --no-unpack "$work/erofs.tar"
is "$status" 0 "without unpacking it is taken"
like "$(ctr content ls)" 'containerd.io/gc.ref.content.l.1=' "as a layer"
forget
try ctr images import --snapshotter erofs "$work/oci.tar"
like "$status/$err" '^1/ctr: .*no active snapshotter answers to "erofs"' "nor is there a snapshotter for it"
is "$(left)" "" "it leaves nothing"

archive short-name
ctr images import "$work/short-name.tar" >/dev/null
is "$(ctr images ls -q)" "import-$(date +%Y-%m-%d):v1" "a short name gets a prefix"
forget
ctr images import --base-name example.com/x "$work/short-name.tar" >/dev/null
is "$(ctr images ls -q)" "example.com/x:v1" "--base-name"
forget
ctr images import --base-name example.com/x --digests "$work/oci.tar" >/dev/null
is "$(ctr images ls -q | sed 's/@.*/@/')" "example.com/x@" \
	"--base-name: names that are not below it are left alone"
forget
try ctr images import --base-name example.com/x "$work/oci.tar"
is "$status/$(left)" "1/" "--base-name without anything below it"
ctr images import --index-name docker.io/library/all:1 "$work/oci.tar" >/dev/null
is "$(ctr images ls -q | tr '\n' ' ')" "docker.io/library/all:1 docker.io/library/made:1 " "--index-name"
forget
archive no-name
ctr images import --digests "$work/no-name.tar" >/dev/null
like "$(ctr images ls -q)" '^import-[0-9-]+@sha256:[0-9a-f]{64}$' "--digests"
forget

archive docker
archive docker-gzip
for kind in docker docker-gzip; do
	try ctr images import "$work/$kind.tar"
	is "$status/$err" "0/" "$kind"
	is "$(ctr images ls -q | tr '\n' ' ')" "docker.io/library/made:1 quay.io/me/made:2 " "$kind: names"
	is "$(ctr snapshots ls | tail -n +2 | wc -l)" 3 "$kind: snapshots"
	blobs=$(ctr content ls -q)
	forget
	cat "$work/$kind.tar" | ctr images import - >/dev/null
	is "$(ctr content ls -q)" "$blobs" "$kind: through a pipe, and nothing but the image is kept"
	forget
done
is "$(left)" "" "nothing is left of the good ones"

# --- bad ones ------------------------------------------------------------------

for kind in truncated wrong-digest missing-layer missing-config wrong-diff-id few-diff-ids two-faces \
	wrong-size huge-descriptor huge-entry manifest-big config-big wrong-media-type control-name deep not-json wrong-layout dotdot \
	link-out layer-dotdot layer-hardlink layer-through-link layer-whiteout docker-missing docker-few \
	docker-bad-tag garbage empty other-tar; do
	archive "$kind"
	for way in file pipe; do
		if [ "$way" = file ]; then
			try ctr images import "$work/$kind.tar"
		else
			cat "$work/$kind.tar" | ctr images import - >"$work/out" 2>"$work/err"
			status=$? err=$(cat "$work/err")
		fi
		is "$status/$(grep -c '^ctr: ' <<<"$err")/$(wc -l <<<"$err")" "1/1/1" "$kind ($way): one line"
		echo "# $err"
		is "$(left)" "" "$kind ($way): nothing is left"
	done
done

# Documents that claim the world are refused before they cost anything.
for kind in deep huge-entry huge-descriptor; do
	peak=$(python3 - "$ctr_program" "$work/$kind.tar" <<-'EOF'
		import resource, subprocess, sys
		subprocess.run([sys.argv[1], "images", "import", sys.argv[2]], stderr=subprocess.DEVNULL)
		print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
	EOF
	)
	ok "$kind: refused in less than 32 MB ($peak kB)" test "$peak" -lt 32768
done

# One bad archive takes nothing from an image that shares blobs with it.
ctr images import "$work/oci.tar" >/dev/null
before=$(left)
for kind in wrong-diff-id layer-dotdot; do
	try ctr images import "$work/$kind.tar"
	is "$status/$(left)" "1/$before" "$kind: what was there before stays"
done
forget

done_testing
