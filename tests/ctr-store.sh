#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ctr content, snapshots, leases and namespaces beside containerd's ctr over a real containerd: the same
# commands, the same output and the same exit status. Then both collect garbage: the same things remain.
# What only ours has (system, --json, snapshots diff and edit of 1.7 and 2.x) comes after.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox containerd python3
write_config
make_image
start_containerd || { fail "containerd starts"; done_testing; }

# Times, ages and padding (for the width of a time or an age) are not compared.
plain() {
	sed -E -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)/TIME/g' \
		-e 's/(Less than a second|About a minute|[0-9]+ seconds?|[0-9]+ minutes?)/AGE/g' \
		-e 's/[[:space:]]+/ /g' -e 's/ $//' \
		-e "s#$work/(root|cd/root)/#ROOT/#g" -e 's#/snapshots/[0-9]+/#/snapshots/N/#g'
}
classes='not found|already exists|invalid argument|failed precondition|unavailable|not implemented|unknown'
# Its output, its status and its error. Help is in words of our own; of an error with a class, the class counts.
said() { # WHO COMMAND...
	local who=$1 status
	shift
	"$who" "$@" >"$work/said" 2>"$work/said.err" <"${input:-/dev/null}"
	status=$?
	if grep -q '^NAME:' "$work/said"; then echo HELP
	elif [ "$*" = "content active" ]; then plain <"$work/said" | sort # as a folder has them, there
	else plain <"$work/said"; fi
	echo "status $status"
	grep -E '^ctr: ' "$work/said.err" | plain |
		sed -E "s/ \\(found in .*\\)$//; s/\"([^\"]*)\"/\\1/g; s/^ctr: .*: ($classes)$/ctr: \\1/"
}
both() { # COMMAND...
	local ours theirs
	ours=$(said ctr "$@") theirs=$(said their_ctr "$@")
	err="" is "$ours" "$theirs" "as containerd's: ctr $*"
}

printf 'hello' >"$work/hello"
printf 'world' >"$work/world"
hello=sha256:$(sha256sum "$work/hello" | cut -d' ' -f1)
world=sha256:$(sha256sum "$work/world" | cut -d' ' -f1)
none=sha256:$(printf 'none' | sha256sum | cut -d' ' -f1)

# --- namespaces
both namespaces create one a=b c=d
both ns c two
both namespace create one
both namespaces create
both namespaces create 'bad/name'
both ns ls
both namespaces list -q
both namespaces label one c= e=f
both ns ls
both namespaces label nowhere x=y
both namespaces label
both ns rm two nowhere
both ns remove -c two
both ns rm
both ns ls

# --- content
keep() { local who; for who in ctr their_ctr; do $who content label "$1" containerd.io/gc.root=test >/dev/null; done; }
input=$work/hello both content ingest first
keep "$hello"
input=$work/hello both content ingest --expected-size 5 --expected-digest "$hello" again
input=$work/world both content ingest --expected-size 5 --expected-digest "$world" second
keep "$world"
input=$work/world both content ingest --expected-digest "$none" wrong
input=$work/world both content ingest --expected-size 50 short
both content ingest
both content ls
both content list -q
both content ls "labels.x==y"
both content ls 'digest~=nothing'
both content get "$hello"
both content get "$none"
both content label "$hello" containerd.io/gc.root=y
both content label "$world" z=1 containerd.io/gc.root=
both content label "$world" z= containerd.io/gc.root=test
both content label "$none" x=y
both content ls 'labels."containerd.io/gc.root"==y'
both content active
both content active ref==short
both content active "ref~=^sh"
both content active --root /nowhere -t 5s nosuch
both content rm "$none"
both content del "$world"
both content ls -q
both content edit --validate json "$hello"
both content edit --editor "" "$hello"
both content edit --editor "sed -i s/hello/howdy/" "$none"
printf howdy >"$work/howdy"
both content edit --editor "cp $work/howdy" "$hello"
keep "sha256:$(printf howdy | sha256sum | cut -d" " -f1)"
both content get "sha256:$(printf howdy | sha256sum | cut -d' ' -f1)"

# --- leases
both leases create --id l1 -x 1h color=red
both leases create --id l2 --expires 0
both leases create --id l1
both leases create --id l3 --expires soon
both leases ls
both leases list -q
both leases ls 'labels.color==red'
both leases ls 'id==l2'
both leases rm l2
both leases remove l2
both leases del --sync l1
both leases ls -q

# --- snapshots
both snapshots ls
both snapshots prepare a
both snapshots prepare --target "$work/t" b
both snapshots prepare a
both snapshots prepare
both snapshots prepare x nosuch
both snapshots commit base a
both snapshots commit other nosuch
both snapshots commit base
both snapshots prepare -t "$work/t" c base
both snapshots view --target "$work/t" v base
both snapshots view -t "$work/t" v2 nosuch
both snapshots mounts "$work/t" c
both snapshots m "$work/t" nosuch
both snapshots mounts "$work/t"
both snapshots ls
both snapshot list
both snapshots tree
both snapshots label base containerd.io/gc.root=now
both snapshots label nosuch q=r
both snapshots info nosuch
both snapshots info
both snapshots usage nosuch
both snapshots rm base
both snapshots rm nosuch
both snapshots --snapshotter nosuch ls
both snapshots --snapshotter native prepare n
both snapshots --snapshotter native ls
both snapshots unpack "$hello"
both snapshots diff
# An index is unpacked for this machine, by each into a snapshotter of its own.
case $(uname -m) in x86_64) other=linux/arm64 ;; *) other=linux/amd64 ;; esac
LAYERS=2 make_image "$work/multi.tar" example.com/multi:1 linux/amd64 linux/arm64
for who in ctr their_ctr; do $who images import --no-unpack --all-platforms "$work/multi.tar" >/dev/null; done
index=$(ctr images ls name==example.com/multi:1 | awk 'NR == 2 { print $3 }')
is "$(their_ctr images ls name==example.com/multi:1 | awk 'NR == 2 { print $3 }')" "$index" "the same index in both"
both snapshots unpack "$index"
is "$(ctr snapshots ls | grep ^sha256 | plain)" "$(their_ctr snapshots ls | grep ^sha256 | plain)" "the same snapshots"
both images check
both images check --snapshotter nosuch
both images convert --platform "$other" example.com/multi:1 example.com/other:1
both images check name==example.com/other:1
both images rm example.com/other:1
both images rm --sync example.com/multi:1
for who in ctr their_ctr; do
	$who snapshots info base | python3 -c 'import json, sys; i = json.load(sys.stdin)
print(list(i), i["Kind"], i["Name"], list(i["Labels"]))' >"$work/info.$who"
done
is "$(cat "$work/info.ctr")" "$(cat "$work/info.their_ctr")" "as containerd's: snapshots info, its members and their order"

# --- the same labels on both, then a collection: the same things remain
both ns rm one
ours() { ctr -n gc "$@"; }
theirs() { their_ctr -n gc "$@"; }
for who in ours theirs; do
	digest=()
	$who ns create gc >/dev/null
	# A lease holds all until everything refers to what it shall.
	for i in 0 1 2 3 4 5 6 7 8; do
		printf 'blob %s' "$i" >"$work/blob"
		digest[i]=sha256:$(sha256sum "$work/blob" | cut -d' ' -f1)
		$who content ingest "r$i" <"$work/blob"
		$who content label "${digest[i]}" containerd.io/gc.root=for-now >/dev/null
	done
	for s in s0 s1 s2 s3; do
		$who snapshots prepare "k$s" ${parent:-} && $who snapshots commit "$s" "k$s"
		parent=$s
	done
	parent=
	$who snapshots prepare other && $who snapshots commit lonely other
	$who snapshots view seen lonely
	# 0 is a root, and leads to 1 and s2; 3 and 4 are a cycle; 5 is named oddly; 6 by a slash
	$who content label "${digest[0]}" containerd.io/gc.ref.content.x="${digest[1]}" \
		containerd.io/gc.ref.snapshot.overlayfs=s2 containerd.io/gc.ref.contention="${digest[5]}" \
		containerd.io/gc.ref.content/n="${digest[6]}" >/dev/null
	$who content label "${digest[3]}" containerd.io/gc.ref.content="${digest[4]}" >/dev/null
	$who content label "${digest[4]}" containerd.io/gc.ref.content="${digest[3]}" >/dev/null
	$who content label "${digest[1]}" containerd.io/gc.ref.content.0="${digest[2]}" >/dev/null
	for i in 1 2 3 4 5 6 7 8; do $who content label "${digest[i]}" containerd.io/gc.root= >/dev/null; done
	for s in s0 s1 s2 s3 lonely; do $who snapshots label "$s" containerd.io/gc.root= >/dev/null; done
	$who leases create --id done -x 1h >/dev/null
	$who leases rm --sync "done" >/dev/null
	$who content ls -q | sort >"$work/left.$who"
	$who snapshots ls | awk 'NR > 1 { print $1, $NF }' | sort >>"$work/left.$who"
done
is "$(cat "$work/left.ours")" "$(cat "$work/left.theirs")" "after a collection the same blobs and snapshots remain"
is "$(grep -c sha256 "$work/left.ours")" 4 "and these are the four blobs that something keeps"

# --- what only ours has
try ctr content ingest --expected-size -5 negative
is "$status/$err" "1/ctr: --expected-size -5: no input is that short" "content ingest of a negative size"
ok "an editor that writes another file" ctr content edit --editor "sed -i s/hello/hallo/" "$hello"
try ctr content edit --editor false "$hello"
like "$status/$err" "^1/ctr: false .*: exit status 1" "an editor that fails"
try ctr snapshots unpack
is "$status" 1 "snapshots unpack without a digest"
try ctr -n other content get "$hello"
like "$err" 'not found.*\(found in namespace "' "not found: says in which namespace it is"
try ctr -n other snapshots info base
like "$err" "not found.*\\(found in namespace \"$ns\"" "a snapshot, too"
for group in "content ls" "content active" "snapshots ls" "snapshots usage" "leases ls" "namespaces ls" "system df"; do
	try ctr $group --json
	ok "$group --json is JSON" python3 -c 'import json, sys; assert isinstance(json.load(open(sys.argv[1])), list)' "$work/out"
done
ok "import an image" ctr -n img images import "$image"
top=$(ctr -n img snapshots ls | awk 'NR > 1 { print $1 }')
ok "a container's snapshot" ctr -n img snapshots prepare change "$top"
upper=$(ctr -n img snapshots mounts /t change | sed -n 's/.*upperdir=\([^,]*\).*/\1/p')
echo new >"$upper/new"
before=$(ctr -n img content ls -q | sort)
try ctr -n img snapshots diff --media-type application/vnd.oci.image.layer.v1.tar change
is "$status" 0 "snapshots diff to the parent"
is "$(tar -tf "$work/out")" new "it has what was changed"
SOURCE_DATE_EPOCH=86400 try ctr -n img snapshots diff --media-type application/vnd.oci.image.layer.v1.tar change
like "$status $(tar -tvf "$work/out")" "^0 .* 1970-01-02 00:00 new" "SOURCE_DATE_EPOCH bounds its times"
SOURCE_DATE_EPOCH=1e3 try ctr -n img snapshots diff change
like "$status/$err" '^1/ctr: invalid SOURCE_DATE_EPOCH value "1e3"' "one that is no number"
try ctr -n img snapshots diff --keep --label a=b "$top" change
is "$(tar -tzf "$work/out")" new "snapshots diff of two, compressed"
kept=sha256:$(sha256sum "$work/out" | cut -d' ' -f1)
try ctr -n img content ls "labels.a==b"
like "$out" "$kept" "--keep keeps it, with its label"
try ctr -n img snapshots diff --ref my-own-ref "$top" change
is "$status/$(tar -tzf "$work/out")/$(ctr -n img content active | tail -n +2)" "0/new/" "snapshots diff --ref"
try ctr -n img snapshots prepare --mounts two "$top"
ok "snapshots prepare --mounts is JSON" python3 -c 'import json, sys; m = json.load(open(sys.argv[1]))[0]; assert m["Type"] == "overlay" and len(m["Options"]) > 2' "$work/out"
ctr -n img snapshots rm two
try ctr -n img content active --timeout 5s --root "$work/none" x
is "$status" 0 "content active with the flags that containerd's has, and does not use either"
try ctr -n img system gc
is "$(ctr -n img content ls -q | sort)" "$(printf '%s\n' "$before" "$kept" | sort)" "the other one is gone"
is "$(ctr -n img snapshots ls | grep -c view)" 0 "and no view is left"
try ctr -n img content prune references --dry
like "$status/$err" "^0/.*would remove from sha256:.*gc.ref.content.l.0" "content prune references --dry says what it would do"
is "$(ctr -n img content ls | grep -c gc.ref.content.l.0)" 1 "and does nothing"
try ctr -n img content prune references
is "$status" 0 "content prune references"
is "$(ctr -n img content ls -q | wc -l)" 3 "the layer is gone; manifest, config and what was kept stay"
try ctr -n img snapshots mounts --temp /t change
is "$status" 0 "snapshots mounts --temp"
try ctr -n img snapshots unpack --sync-fs "$(ctr -n img images ls | awk 'NR == 2 { print $3 }')"
is "$status" 0 "snapshots unpack --sync-fs"

try ctr -n img system df -b
like "$out" "content +img +image $image_name +2 +[0-9]+" "system df: content by image"
like "$out" "snapshots/overlayfs +img +label containerd.io/gc.root" "snapshots by label"
like "$out" 'content +\(all\) +\(on disk\)' "sums"
try ctr -n img system gc --explain "$top"
like "$out" "^image $image_name
  target -> content sha256:[0-9a-f]{64}
  containerd.io/gc.ref.content.config -> content sha256:[0-9a-f]{64}
  containerd.io/gc.ref.snapshot.overlayfs -> snapshot $top \\(overlayfs\\)" "system gc --explain: the chain"
like "$out" "snapshot change \\(overlayfs\\)
  parent -> snapshot $top" "and the other one"
try ctr -n img system gc --explain busybox
is "$out" "image $image_name is a root: an image" "an image as people write it"
try ctr -n img system gc --json --explain "$top"
ok "the chains as JSON" python3 -c 'import json, sys; c = json.load(open(sys.argv[1])); assert [len(x) for x in c] == [3, 1] and c[0][0]["why"] == "target"' "$work/out"
try ctr system gc --explain nosuch
like "$status/$err" '^1/ctr: nothing by the name "nosuch": not found' "of nothing"
try ctr system gc --explain "$kept"
like "$err" 'found in namespace "img"' "of something in another namespace"
printf garbage >"$work/garbage"
ctr content ingest garbage <"$work/garbage"
try ctr system gc --explain "sha256:$(sha256sum "$work/garbage" | cut -d' ' -f1)"
like "$out" "^nothing keeps sha256:.*: the next collection removes it" "of garbage"
try ctr system gc --json
ok "system gc --json" python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["blobs"] >= 1' "$work/out"

# --- what killed commands leave
mkfifo "$work/fifo"
"$ctr_program" -n killed content ingest stuck <"$work/fifo" &
pid=$!
exec 9>"$work/fifo"
head -c 300000 /dev/zero >&9
ok "a writer at work" wait_for 20 sh -c "'$ctr_program' -n killed content active | grep -q stuck"
try ctr system prune
is "$(ctr -n killed content active | grep -c stuck)" 1 "prune leaves an ingest that is written"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
exec 9>&-
try ctr -n killed leases create --id of-the-dead gantry.io/maker="$(cat /proc/sys/kernel/random/boot_id)/$(stat -Lc %i /proc/self/ns/pid)/$pid/1"
try ctr -n killed leases create --id of-a-living gantry.io/maker="$(cat /proc/sys/kernel/random/boot_id)/$(stat -Lc %i /proc/self/ns/pid)/$$/$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)"
mkdir -p "$work/root/io.containerd.content.v1.content/blobs/sha256"
printf orphan >"$work/root/io.containerd.content.v1.content/blobs/sha256/$(printf orphan | sha256sum | cut -d' ' -f1)"
try ctr system gc
is "$(ctr -n killed content active | grep -c stuck)" 1 "a collection leaves an ingest for a day"
try ctr system prune
like "$out" "removed 1 lease, 1 ingest.*; freed " "prune removes what killed commands left"
is "$(ctr -n killed content active | grep -c stuck)" 0 "the ingest is gone"
is "$(ctr -n killed leases ls -q)" of-a-living "so is the dead one's lease, and no other"
is "$(find "$work/root/io.containerd.content.v1.content/ingest" -mindepth 1 | wc -l)" 0 "no ingest is on the disk"
is "$(find "$work/root/io.containerd.content.v1.content/blobs" -type f | wc -l)" \
	"$({ for s in $(ctr ns ls -q); do ctr -n "$s" content ls -q; done; } | sort -u | wc -l)" "no blob is there but those that are listed"
done_testing
