#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Power: at whatever moment it goes, what `images ls` shows is whole. Seen from the kernel, in a trace of a
# pull and of an import: blobs and their names, and the layers' files, are on disk before the record is
# written that names the image; with fast durability nothing is synced.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root python3 strace
strace -f -o /dev/null true 2>/dev/null || skip_all "strace may not trace here"
python3 "$abs_top_srcdir/tests/registry.py" "$work/port" 2>/dev/null &
registry=$!
wait_for 20 test -s "$work/port" || { echo "Bail out! no registry"; exit 1; }
name=127.0.0.1:$(cat "$work/port")/ok:1
log=$work/log

trace() { # COMMAND...
	ASAN_OPTIONS=detect_leaks=0 strace -f -y -s 5000 -o "$log" -e trace=execve,write,writev,pwrite64,pwritev,fdatasync,fsync,syncfs,renameat2 \
		"$ctr_program" "$@" >"$work/out" 2>"$work/err" || return
	# a call that another thread's stands in the middle of counts where it ended
	awk '{ pid = $1 }
	/<unfinished \.\.\.>$/ { sub(/ <unfinished \.\.\.>$/, ""); begun[pid] = $0; next }
	/<\.\.\. [a-z0-9_]+ resumed>/ { sub(/.*resumed>/, ""); $0 = begun[pid] $0 }
	{ sub(/\) +=/, ") ="); print }' "$log" >"$log.whole" && mv "$log.whole" "$log"
}
line() { grep -nE -- "$1" "$log" | "${2:-head}" -n 1 | cut -d: -f1; }
check() { if eval "$2"; then pass "$1"; else fail "$1" "$(cut -c -160 "$log" | tail -n 25)"; fi; }
order() { # WHAT
	local record blob names folder worker synced
	# the first page that holds the image's name is that of its record
	record=$(line "p?write(64|v)\([0-9]+<.*/meta\.mdb>.*${name##*/}.*")
	blob=$(line 'fdatasync\([0-9]+<.*/ingest/[0-9a-f]{64}/data>\) = 0' tail)
	names=$(line 'renameat2\(.*/ingest/.*"data".*/blobs>, "sha256/[0-9a-f]{64}", RENAME_NOREPLACE\) = 0' tail)
	folder=$(line 'fsync\([0-9]+<.*/blobs/sha256>\) = 0' tail)
	# the last that a worker says, on its result descriptor
	worker=$(for pid in $(sed -nE 's/^([0-9]+) +execve\(".*gantry-layer".*/\1/p' "$log"); do grep -nE "^$pid +write\(3<pipe" "$log"; done | cut -d: -f1 | sort -n | tail -n 1)
	synced=$(line 'syncfs\([0-9]+<.*/snapshots>\) = 0' tail)
	is "$(grep -cE 'renameat2\(.*/ingest/.*"data"' "$log")/$(grep -cE 'fdatasync\(.*/ingest/.*/data>\) = 0' "$log")" 4/4 "$1: each of the four blobs is synced and gets its name"
	check "$1: all blobs' bytes are on disk before the image's record" '[ -n "$record" ] && [ "$blob" -lt "$record" ]'
	check "$1: and so are their names" '[ "$names" -lt "$record" ] && [ "$folder" -gt "$names" ] && [ "$folder" -lt "$record" ]'
	check "$1: the layers' files go to the disk when all are written" '[ -n "$worker" ] && [ "$synced" -gt "$worker" ]'
	check "$1: and before the image's record" '[ "$synced" -lt "$record" ]'
	check "$1: which is itself on disk when the command ends" \
		'tail -n +"$record" "$log" | grep -qE "fdatasync\([0-9]+<.*/meta\.mdb>\) = 0"'
}

write_config 'resolver-http: { use_docker_config = false; hosts_dir = ""; };'
check "a pull" 'trace images pull "$name"'
order pull
ctr images export "$work/image.tar" "$name"
write_config "root = \"$work/second\";"
sed -i "/^root = .*\/root\";/d" "$GANTRY_CONFIG"
check "an import" 'trace images import "$work/image.tar"'
order import
write_config "root = \"$work/fast\";" 'durability = "fast";' 'resolver-http: { use_docker_config = false; hosts_dir = ""; };'
sed -i "/^root = .*\/root\";/d" "$GANTRY_CONFIG"
check "a pull with fast durability" 'trace images pull "$name"'
check "syncs nothing" '! grep -qE "^[0-9]+ +(fdatasync|fsync|syncfs)\(" "$log"'
kill "$registry"; wait "$registry" 2>/dev/null
done_testing
