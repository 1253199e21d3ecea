#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A disk that is full: writes are refused with a clear error and leave nothing, deleting still works, and
# after it there is room again.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox mkfs.ext4
truncate -s 64M "$work/disk"
mkfs.ext4 -q -m 0 "$work/disk"
mkdir "$work/small"
mount -o loop "$work/disk" "$work/small" 2>/dev/null || skip_all "no loop devices here"
write_config
sed -i "s#^root = .*#root = \"$work/small/root\";#" "$GANTRY_CONFIG"
make_image
ok "import while there is room" ctr images import "$image"
head -c 1000000 /dev/urandom >"$work/some"
ok "a blob" sh -c "'$ctr_program' content ingest some <'$work/some'"
some=sha256:$(sha256sum "$work/some" | cut -d' ' -f1)
ok "which stays" ctr content label "$some" containerd.io/gc.root=yes
ok "an active snapshot" ctr snapshots prepare room

fill() { # until not a byte fits any more: blocks that were set aside for what was not written yet come back
	local i size
	head -c 100M /dev/zero >"$work/small/filler" 2>/dev/null
	for size in 4096 1; do
		for i in $(seq 400); do
			sync -f "$work/small"
			head -c $size /dev/zero >"$work/small/filler.$size.$i" 2>/dev/null || break
		done
	done
}
fill
is "$(df --output=avail "$work/small" | tail -n 1 | tr -d ' ')" 0 "the disk is full"
head -c 5000000 /dev/urandom >"$work/large"
ctr content ingest large <"$work/large" >"$work/out" 2>"$work/err"
like "$?/$(cat "$work/err")" "^1/ctr: .*(No space left|resource exhausted)" "a blob is refused: no space"
for i in $(seq 400); do
	ctr namespaces create "full-$i" "fill=$(head -c 2000 /dev/zero | tr '\0' x)" >"$work/out" 2>"$work/err" || break
done
like "$(cat "$work/err")" "No space left|resource exhausted" "records are refused at last: no space"
ok "what is there can be read" sh -c "'$ctr_program' content get $some | cmp - '$work/some'"
is "$(ctr content ls -q | grep -c "$some")" 1 "and listed"
try ctr snapshots rm room
is "$status/$err" "0/" "a snapshot can be removed on a full disk"
for s in $(ctr ns ls -q | grep '^full-'); do ctr ns rm "$s" >/dev/null 2>"$work/err" || break; done
is "$(ctr ns ls -q | grep -c '^full-')" 0 "records can be removed on a full disk"
try ctr images rm --sync "$image_name"
is "$status/$err" "0/" "an image can be removed, and what it kept is collected"
is "$(ctr content ls -q)" "$some" "its blobs are gone"
try ctr content rm "$some"
is "$status/$err" "0/" "a blob can be removed"
rm -f "$work/small"/filler.4096.* "$work/small"/filler.1.*
try ctr system prune
is "$status/$err" "0/" "prune works on a full disk"
is "$(find "$work/small/root/io.containerd.content.v1.content" -type f | wc -l)" 0 "nothing is left of what was refused"
rm -f "$work/small"/filler*
ok "with room again an import works" ctr images import "$image"
try ctr run --rm "$image_name" r echo runs
is "$status/$out" "0/runs" "and its image runs"
umount "$work/small"
done_testing
