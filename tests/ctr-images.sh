#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images, content, snapshots, namespaces and leases, beside containerd's ctr where that is here.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox
write_config
make_image

# --- plugins -------------------------------------------------------------------
try ctr plugins ls
is "$status" 0 "plugins ls"
like "$out" "^TYPE +ID +PLATFORMS +STATUS +" "plugins ls: columns"
like "$out" "io\.containerd\.snapshotter\.v1 +overlayfs +[^ ]+ +ok" "plugins ls: the snapshotter works"
try ctr plugins ls -q id==overlayfs
is "$out" overlayfs "plugins ls -q with a filter"
try ctr plugins ls -d id==overlayfs
like "$out" $'Type: +io\.containerd\.snapshotter\.v1\n.*ID: +overlayfs' "plugins ls -d"
try ctr plugins ls --json
ok "plugins ls --json is JSON" python3 -c 'import json,sys; assert any(p["id"] == "overlayfs" and p["status"] == "ok" for p in json.load(open(sys.argv[1])))' "$work/out"
try ctr version
like "$out" "Client:.*Server:.*UUID: [0-9a-f-]{36}" "version"
try ctr info
ok "info is JSON" python3 -c 'import json,sys; assert json.load(open(sys.argv[1]))["server"]["uuid"]' "$work/out"

# --- import --------------------------------------------------------------------
try ctr images ls
is "$out" "REF TYPE DIGEST SIZE PLATFORMS LABELS " "images ls of an empty store"
try ctr images import "$image"
is "$status" 0 "import"
like "$out" "^unpacking $image_name \(sha256:[0-9a-f]{64}\)\.\.\.done$" "import: what it says"
try ctr images ls -q
is "$out" "$image_name" "images ls -q"
try ctr images check
like "$out" "$image_name .* complete \(2/2\) [0-9.]+ [KM]iB/[0-9.]+ [KM]iB +true$" "images check"
try ctr images import "$image"
is "$status" 0 "import once more"
ctr images import - <"$image" >"$work/out" 2>"$work/err"
is "$?" 0 "import from standard input"
try ctr images import "$work/none.tar"
is "$status/$err" "1/ctr: open $work/none.tar: No such file or directory" "import of no file"
try ctr content ls -q
blobs=$out
head -c 20000 "$image" >"$work/short.tar"
try ctr -n short images import "$work/short.tar"
is "$status" 1 "import of a truncated archive"
like "$err" "^ctr: " "import of a truncated archive: a clear error"
try ctr -n short content ls -q
is "$out" "" "import of a truncated archive leaves nothing"

# An import that is interrupted, and one that is killed.
head -c 60000000 /dev/urandom >"$work/random"
python3 - "$work/random" "$work/large.tar" <<'EOF'
import hashlib, io, json, sys, tarfile
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w") as t:
    t.add(sys.argv[1], arcname="file")
def blob(data, kind, **more):
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return dict(more, mediaType="application/vnd.oci.image." + kind, digest="sha256:" + digest, size=len(data))
blobs = {}
layer = blob(layer.getvalue(), "layer.v1.tar")
config = blob(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode(), "config.v1+json")
manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode(), "manifest.v1+json", annotations={"io.containerd.image.name": "example.com/large:1"})
with tarfile.open(sys.argv[2], "w") as t:
    def add(name, data):
        i = tarfile.TarInfo(name)
        i.size = len(data)
        t.addfile(i, io.BytesIO(data))
    add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    add("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
    for digest, data in blobs.items():
        add("blobs/sha256/" + digest, data)
EOF
# Feeds half of it and waits, so that the signal comes in the middle.
interrupted() { # SIGNAL
	mkfifo "$work/feed"
	"$ctr_program" -n large images import - <"$work/feed" >"$work/out" 2>"$work/err" &
	local pid=$! status
	exec 7>"$work/feed"
	head -c 30000000 "$work/large.tar" >&7
	kill "-$1" "$pid"
	{ wait "$pid"; } 2>/dev/null
	status=$?
	exec 7>&-
	rm "$work/feed"
	return "$status"
}
disk() { du -s --block-size=1M "$work/root" | cut -f1; }
before=$(disk)
interrupted TERM
is "$?" 143 "an interrupted import"
like "$(cat "$work/err")" "^ctr: .*context canceled$" "an interrupted import says so"
is "$("$ctr_program" -n large images ls -q)$("$ctr_program" -n large content ls -q)$("$ctr_program" -n large content active | tail -n +2)$("$ctr_program" -n large leases ls -q)" "" "an interrupted import leaves nothing"
[ "$(disk)" -le $((before + 1)) ] && pass "nor on the disk" || fail "nor on the disk" "$before MB before, $(disk) MB now"
interrupted KILL
is "$?" 137 "a killed import"
is "$("$ctr_program" -n large images ls -q)" "" "a killed import has made no image"
try ctr -n large images import "$work/large.tar"
is "$status" 0 "after it the import goes through"
rm "$work/random"
try ctr -n large images rm --sync example.com/large:1
is "$status" 0 "and the image can be removed"

# --- names ---------------------------------------------------------------------
try ctr images tag busybox short-name
is "$status/$out" "0/short-name" "tag, by a short name"
try ctr images tag busybox short-name
is "$status/$err" '1/ctr: image "short-name": already exists' "tag on a name that is there"
try ctr images tag --force busybox short-name
is "$status" 0 "tag --force"
try ctr images label short-name a=b c
is "$out" "a=b,c=true" "label"
try ctr images label short-name a=
is "$out" "c=true" "label with an empty value clears it"
try ctr images rm --sync short-name nothing
is "$status/$out" "0/short-name" "rm"
like "$err" 'level=warning msg="nothing: image not found"' "rm of what is not there"
try ctr -n other run --rm busybox x true
is "$status/$err" "1/ctr: image \"busybox\": not found (found in namespace \"$ns\")" "not found here, but there"
# Each command that takes an image takes its name as people write it, and says where one is that is not here.
mkdir "$work/on"
for line in "images usage busybox" "images label busybox k=v" "images inspect busybox" "images tag --force busybox again" \
	"images export $work/any.tar busybox" "images convert busybox any:1" "images mount busybox $work/on" \
	"images unmount --rm $work/on" "containers create busybox any" "containers rm any" "images check name==$image_name" \
	"images rm any:1 again" "images label busybox k="; do
	read -ra words <<<"$line"
	try ctr "${words[@]}"
	is "$status/$err" "0/" "ctr $line"
done
ctr namespaces create empty
for line in "images usage busybox" "images label busybox k=v" "images inspect busybox" "images tag busybox again" \
	"images export $work/any.tar busybox" "images convert busybox any:1" "images mount busybox $work/on" \
	"images push 127.0.0.1:1/x:1 busybox" "containers create busybox any" "content get $(ctr images ls | awk 'NR == 2 { print $3 }')" \
	"content label $(ctr images ls | awk 'NR == 2 { print $3 }') a=b" "snapshots info $(ctr snapshots ls | awk 'NR == 2 { print $1 }')"; do
	read -ra words <<<"$line"
	try ctr -n empty "${words[@]}"
	like "$status/$err" "^1/ctr: .*not found \\(found in namespace \"$ns\"\\)\$" "elsewhere: ctr ${words[*]:0:2}"
done
try ctr -n empty images rm busybox
like "$status/$err" "^0/.*busybox: image not found \\(found in namespace.*$ns" "elsewhere: ctr images rm"
ctr namespaces rm empty >/dev/null
try ctr images usage busybox
like "$out" $'^KEY +SIZE +INODES \nsha256:[0-9a-f]{64} [0-9.]+ [KM]iB +[0-9]+ +$' "images usage"

# --- content -------------------------------------------------------------------
# The second one finds what the first one noted.
is "$(ctr images ls)" "$(ctr images ls)" "images ls again"
digest=$(ctr images ls | awk 'NR == 2 { print $3 }')
try ctr content get "$digest"
is "sha256:$(sha256sum "$work/out" | cut -d' ' -f1)" "$digest" "content get"
try ctr content label "$digest" my=label
like "$out" "my=label" "content label"
printf hello >"$work/in"
ctr content ingest --expected-size 5 key <"$work/in" 2>"$work/err"
is "$?" 0 "content ingest"
hello=sha256:$(sha256sum "$work/in" | cut -d' ' -f1)
try ctr content get "$hello"
is "$out" hello "content get of what was ingested"
ctr content ingest --expected-size 6 key2 <"$work/in" 2>"$work/err"
is "$?/$(cat "$work/err")" "1/ctr: failed to read expected number of bytes: unexpected EOF" "content ingest: too short"
try ctr content active
like "$out" "^REF	SIZE	AGE	" "content active"
like "$out" "key2	+5B	" "content active: the ingest that failed"
try ctr content rm "$hello" "$hello"
is "$status/$out" "0/$hello" "content rm"
try ctr content get "$hello"
is "$status" 1 "content get of what is not there"
try ctr content get sha256:x
is "$status" 1 "content get of no digest"

# --- snapshots -----------------------------------------------------------------
top=$(ctr snapshots ls | awk 'NR == 2 { print $1 }')
try ctr snapshots prepare --target /mnt k "$top"
like "$out" "^mount -t overlay overlay /mnt -o " "snapshots prepare --target"
try ctr snapshots mounts /mnt k
like "$out" "^mount -t overlay overlay /mnt -o " "snapshots mounts"
try ctr snapshots view --mounts v "$top"
ok "snapshots view --mounts is JSON" python3 -c 'import json,sys; assert json.load(open(sys.argv[1]))[0]["Type"]' "$work/out"
try ctr snapshots commit done k
is "$status" 0 "snapshots commit"
try ctr snapshots info done
ok "snapshots info" python3 -c 'import json,sys; i = json.load(open(sys.argv[1])); assert i["Kind"] == "Committed" and i["Parent"] == sys.argv[2] and "containerd.io/gc.root" in i["Labels"]' "$work/out" "$top"
try ctr snapshots tree
is "$out" " $top
  \\_ done
  \\_ v" "snapshots tree"
try ctr snapshots rm "$top"
is "$status" 1 "snapshots rm of one with children"
like "$err" "^ctr: failed to remove \"$top\": .*: failed precondition$" "snapshots rm: why not"
try ctr snapshots rm v done
is "$status" 0 "snapshots rm"
try ctr -n other snapshots info "$top"
is "$status/$err" "1/ctr: snapshot $top: not found (found in namespace \"$ns\")" "a snapshot of another namespace"
try ctr snapshots info
is "$status" 0 "snapshots info without a key: help"
try ctr snapshots usage -b "$top"
like "$out" "$top [0-9]{6,} +[0-9]+ " "snapshots usage -b"
try ctr snapshots --snapshotter native ls
is "$out" "KEY PARENT KIND " "another snapshotter has its own"
try ctr snapshots --snapshotter native unpack "$digest"
like "$out" "^unpacking $digest \(application/vnd.oci.image.manifest.v1\+json\)\.\.\.done$" "snapshots unpack"
try ctr snapshots --snapshotter native ls
like "$out" "$top +Committed " "unpacked into that one"

# --- namespaces and leases -----------------------------------------------------
try ctr ns create one a=b c
is "$status" 0 "ns create"
try ctr ns create one
is "$status/$err" '1/ctr: namespace "one": already exists' "ns create twice"
try ctr ns ls
like "$out" "one +a=b,c=true " "ns ls"
try ctr ns label one a=
is "$status" 0 "ns label"
try ctr ns rm "$ns"
is "$status" 1 "ns rm of one that is not empty"
try ctr ns rm one none
is "$status/$out" "0/one
none" "ns rm"
try ctr -n 'a b' images ls
is "$status" 1 "a name that is none"
try ctr -n '' images ls
is "$status/$err" "1/ctr: failed to list images: namespace is required: failed precondition" "no namespace"
try ctr leases create --id L x=y
is "$status/$out" "0/L" "leases create"
try ctr leases ls
like "$out" "^ID CREATED AT +LABELS +.*L  [0-9T:-]+Z containerd.io/gc.expire=[0-9T:-]+Z,x=y " "leases ls"
try ctr leases rm L M
is "$status/$out/$err" '1/L/ctr: lease "M": not found' "leases rm"

# --- every listing as JSON -------------------------------------------------------
for line in "plugins ls" "images ls" "images check" "images usage $image_name" "content ls" \
	"content active" "snapshots ls" "snapshots usage" "ns ls" "leases ls" "containers ls" "tasks ls" "sandboxes ls" \
	"deprecations list" "system df" "top" "stats"; do
	read -ra words <<<"$line"
	try ctr "${words[@]}" --json
	ok "JSON: ctr $line" python3 -c 'import json,sys; assert type(json.load(open(sys.argv[1]))) is list' "$work/out"
done

# --- beside containerd -----------------------------------------------------------
if command -v containerd >/dev/null && start_containerd; then
	their_ctr images import "$image" >/dev/null
	# ages and times are not the same; labels of content are in any order there
	plain() { sed -E 's/(Less than a second|About a minute|[0-9]+ seconds?|[0-9]+ minutes)/AGE/; s/\t+/\t/g' | sort; }
	for line in "images ls" "images ls -q" "images check" "snapshots ls" "snapshots tree" "ns ls" \
		"containers ls" "tasks ls" "content ls -q"; do
		read -ra words <<<"$line"
		ours=$("$ctr_program" "${words[@]}" 2>&1 | plain | grep -vE '^(short|large) ')
		theirs=$(their_ctr "${words[@]}" 2>&1 | plain)
		case $line in # what this script has ingested
		"content ls -q") ours=$(grep -v "$hello" <<<"$ours") ;;
		esac
		is "$ours" "$theirs" "as containerd's: ctr $line"
	done
	for line in "images rm" "images tag" "images tag a" "images tag a b" "images label" "c info" "c info x" \
		"c rm" "c label x a=b" "t kill x" "t start" "t pause x" "t exec --exec-id e" "ns create" "ns label" \
		"leases rm M" "-n  images ls" "images import"; do
		IFS=' ' read -ra words <<<"$line"
		[ "$line" = "-n  images ls" ] && words=(-n "" images ls)
		want=$(their_ctr "${words[@]}" 2>&1 >/dev/null; echo "$?")
		got=$("$ctr_program" "${words[@]}" 2>&1 >/dev/null; echo "$?")
		is "${got,,}" "${want,,}" "as containerd's: ctr $line"
	done
else
	skip_one "comparison" "containerd is not here"
fi
done_testing
