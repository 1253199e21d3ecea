#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The user that an image names, as Debian's containerd finds it in the image's files; and users and files
# that must not be believed.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root busybox runc python3 containerd
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
write_config
start_containerd || { echo "Bail out! containerd does not start"; exit 1; }

# --- as containerd does ---------------------------------------------------------------
mkdir -p "$work/files/etc"
cat >"$work/files/etc/passwd" <<'EOF2'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
app:x:1000:1000::/home/app:/bin/sh
second:x:1000:1001:the same number:/:/bin/sh
www-data:x:33:33::/:
# a comment
short:x:40

both:x:50:50::/:/bin/sh
EOF2
cat >"$work/files/etc/group" <<'EOF2'
root:x:0:
app:x:1000:
www-data:x:33:app,nobody
users:x:100:nobody,app
wheel:x:10:root,app
both:x:60:both
more:x:61:both,second
nogroup:x:65534:
app2:x:100:app
EOF2
i=0
# A group of two names comes twice there.
once='.additionalGids |= reduce .[] as $g ([]; if index($g) then . else . + [$g] end)'
compare() { # USER
	local name="docker.io/library/user:$((i += 1))" user ours theirs
	user=$(python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$1")
	ADD=$work/files CONFIG="{\"Cmd\":[\"true\"],\"User\":$user}" \
		"$abs_top_srcdir/scripts/mkimage.sh" "$work/user.tar" "$name"
	their_ctr images import --snapshotter native "$work/user.tar" >/dev/null
	theirs=$(their_ctr containers create --snapshotter native "$name" c 2>&1 &&
		their_ctr containers info --spec c | jq -c ".process.user | $once")
	their_ctr containers rm c 2>/dev/null
	ctr images import "$work/user.tar" >/dev/null
	ours=$(ctr containers create "$name" c 2>&1 && ctr containers info --spec c | jq -c ".process.user | $once")
	ctr containers rm c 2>/dev/null
	is "$ours" "$theirs" "USER ${1:-(none)}"
}
for user in '' root nobody app second both www-data 0 1000 33 65534 4711 2147483647 app:users app:0 app:4711 \
	1000:www-data 1000:33 4711:users 0:0 nobody:nogroup root:10; do
	compare "$user"
done
# Nobody by that name: refused by both.
for user in none none:0 app:none; do
	ADD=$work/files CONFIG="{\"Cmd\":[\"true\"],\"User\":\"$user\"}" \
		"$abs_top_srcdir/scripts/mkimage.sh" "$work/user.tar" docker.io/library/none:1
	their_ctr images import --snapshotter native "$work/user.tar" >/dev/null
	ctr images import "$work/user.tar" >/dev/null
	their_ctr containers create --snapshotter native docker.io/library/none:1 c 2>/dev/null && fail "USER $user: containerd"
	try ctr containers create docker.io/library/none:1 c
	is "$status/$(ctr containers ls -q)$(ctr snapshots ls | grep -c Active)" "1/0" "USER $user"
	like "$err" "$(case $user in app:none) echo "no groups found" ;; *) echo "no users found" ;; esac)" "USER $user: why"
done

# --- not to be believed ---------------------------------------------------------------
B=docker.io/library/user:1
for user in 4294967296 2147483648 -1 0x0 ' 1' '1 ' 1e3 +1 0:4294967296 0:-1 1:2:3 ':1x' 99999999999999999999 \
	$'a\nb' $'root\t' 'a,b' 0:0x0 '0: 1'; do
	try ctr containers create --user "$user" $B c
	is "$status/$(ctr containers ls -q)" "1/" "--user $(printf %q "$user")"
	like "$err" '^ctr: user ".*": .*invalid argument$' "--user $(printf %q "$user"): why"
done
# The image says it: the same.
for user in 4294967296 -1 ' 1' 0:4294967296; do
	CONFIG="{\"Cmd\":[\"true\"],\"User\":\"$user\"}" \
		"$abs_top_srcdir/scripts/mkimage.sh" "$work/user.tar" docker.io/library/bad:1
	ctr images import "$work/user.tar" >/dev/null
	try ctr containers create docker.io/library/bad:1 c
	like "$status/$err" '^1/ctr: user ".*": .*invalid argument$' "USER '$user' of an image"
done

# /etc/passwd and /etc/group that are something else: an error, at once, and nothing read.
hostile() { # DESCRIPTION WANTED COMMAND... , which makes the file $f
	local what=$1 want=$2 file f r=$work/hostile
	shift 2
	for file in passwd group; do
		rm -rf "$r" && mkdir -p "$r/etc" && cp "$work/files/etc/"* "$r/etc/"
		f=$r/etc/$file
		rm "$f" && eval "$*"
		try timeout 20 "$ctr_program" containers create --rootfs --user app:users "$r" c id
		like "$status/$err" "^1/ctr: .*$want" "/etc/$file: $what"
	done
}
hostile "a FIFO" "is no regular file" 'mkfifo $f'
hostile "a device" "is no regular file" 'mknod $f c 1 5'
hostile "a link to the host's /dev/zero" "no (users|groups) found" 'ln -s /dev/zero $f'
hostile "a link to a device" "is no regular file" 'mknod $r/zero c 1 5; ln -s /zero $f'
hostile "a link to itself" "Too many levels" 'ln -s ${f##*/} $f'
hostile "a folder" "is no regular file" 'mkdir $f'
hostile "10 GiB" "longer than" 'truncate -s 10G $f'
# The host's files: a link to them leads to the image's own, which has no such user.
echo "leaked:x:4242:4242::/:" >"$work/host-passwd"
rm -rf "$work/hostile" && mkdir -p "$work/hostile/etc"
ln -s "../../../../../../../..$work/host-passwd" "$work/hostile/etc/passwd"
ADD=$work/hostile "$abs_top_srcdir/scripts/mkimage.sh" "$work/user.tar" docker.io/library/hostile:2
ctr images import "$work/user.tar" >/dev/null
try ctr containers create --user leaked docker.io/library/hostile:2 c
like "$status/$err" "^1/ctr: user \"leaked\": no users found" "a link to the host's passwd"

# --- what the process is then -------------------------------------------------------------
# Its primary group is among the supplementary ones: a file that its group may not read stays closed.
rm -rf "$work/hostile" && mkdir -p "$work/hostile/etc" "$work/hostile/secret"
cp "$work/files/etc/"* "$work/hostile/etc/"
ADD=$work/hostile "$abs_top_srcdir/scripts/mkimage.sh" "$work/user.tar" docker.io/library/groups:1
ctr images import "$work/user.tar" >/dev/null
B=docker.io/library/groups:1
for runtime in runc crun; do
	command -v $runtime >/dev/null || continue
	run() { # crun refuses a machine where cgroup v2 is mounted beside v1: not there for this one
		unshare -m sh -c 'if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi; exec "$@"' sh \
			timeout 60 "$ctr_program" run --rm --runc-binary $runtime "$@"
	}
	try run --user app $B c sh -c 'id -u; id -g; grep ^Groups: /proc/self/status'
	is "$status/$(tr -s ' \t\n' ' ' <<<"$out")" "0/1000 1000 Groups: 10 33 100 1000 " "$runtime: user, group and groups"
	echo denied >"$work/denied" && chown 0:1000 "$work/denied" && chmod 0604 "$work/denied"
	try run --user app --mount "type=bind,src=$work/denied,dst=/denied,options=bind" $B c cat /denied
	is "$status/$out" "1/" "$runtime: what the group is denied stays denied"
	try run --user 4711:33 $B c sh -c 'id -u; id -g; grep ^Groups: /proc/self/status'
	is "$status/$(tr -s ' \t\n' ' ' <<<"$out")" "0/4711 33 Groups: 33 " "$runtime: numbers that nobody has"
done
done_testing
