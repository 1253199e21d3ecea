#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two pulls from a docker-registry, an import, a removal with --sync and a collection, all at once, again and
# again; then the same with some of them killed. After each round every blob re-hashes right and nothing is
# lost that has a name; at the end nothing is left that has none.
#   STORE_ROUNDS  how many (default 10; a campaign: 200)
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox python3 docker-registry
rounds=${STORE_ROUNDS:-10}
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/registry.yml" <<END
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $work/registry } }
http: { addr: 127.0.0.1:$port }
END
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry=$!
wait_for 20 bash -c "exec 9<>/dev/tcp/127.0.0.1/$port" || { echo "Bail out! no registry"; exit 1; }
mkdir -p "$work/hosts/docker.io"
echo "server = \"http://127.0.0.1:$port\"" >"$work/hosts/docker.io/hosts.toml"
write_config "resolver-http: { hosts_dir = \"$work/hosts\"; use_docker_config = false; };"
blobs=$work/root/io.containerd.content.v1.content/blobs/sha256
layers=$work/root/io.containerd.snapshotter.v1.overlayfs/snapshots

# Three images whose second layer is the same: a and c are in the registry, b is imported.
for i in a b c; do
	mkdir -p "$work/add.$i/etc"
	echo $i >"$work/add.$i/etc/which"
	ADD=$work/add.$i LAYERS=2 make_image "$work/$i.tar" docker.io/library/$i:1
done
for i in a c; do
	ok "image $i comes" ctr -n seed images import --no-unpack "$work/$i.tar"
	ok "and goes to the registry" ctr -n seed images push -q docker.io/library/$i:1
	ctr -n seed images rm --sync docker.io/library/$i:1 >/dev/null
done
is "$(find "$blobs" -type f | wc -l)" 0 "the store is empty"

rehash() { # prints what is wrong
	local f
	for f in "$blobs"/*; do
		[ -e "$f" ] || continue
		# one that goes meanwhile is none of ours
		sum=$(sha256sum <"$f" 2>/dev/null | cut -d' ' -f1)
		[ "$sum" = "${f##*/}" ] || [ ! -e "$f" ] || echo "${f##*/}"
	done
}
# Everything that a named image of a namespace consists of is there, and its container runs.
whole() { # NAMESPACE
	local name
	for name in $(ctr -n "$1" images ls -q); do
		ctr -n "$1" images check "name==$name" | grep -q ' complete ' || echo "$1: $name incomplete"
		ctr -n "$1" images export "$work/out.tar" "$name" >/dev/null 2>"$work/why" || echo "$1: $name: $(cat "$work/why")"
	done
}
kill_soon() { # PID MILLISECONDS
	sleep "0.$(printf %03d "$2")"
	kill -KILL "$1" 2>/dev/null
}

# What the pulls bring is here, in part or not at all, as the removals of the rounds before left it.
one_round() { # NUMBER KILL
	local i=$1 kill=$2 pids=() killers=() p second gone
	second=$([ $((i % 3)) = 0 ] && echo a || echo c)
	case $((i % 4)) in 0) gone="n1 b" ;; 1) gone="n1 a" ;; 2) gone="n2 $second" ;; 3) gone="n2 a" ;; esac
	"$ctr_program" -n n1 images pull -q docker.io/library/a:1 >"$work/log.1" 2>&1 & pids+=($!)
	"$ctr_program" -n n2 images pull -q docker.io/library/$second:1 >"$work/log.2" 2>&1 & pids+=($!)
	"$ctr_program" -n n1 images import "$work/b.tar" >"$work/log.3" 2>&1 & pids+=($!)
	"$ctr_program" -n "${gone% *}" images rm --sync "docker.io/library/${gone#* }:1" >"$work/log.4" 2>&1 & pids+=($!)
	"$ctr_program" system gc >"$work/log.5" 2>&1 & pids+=($!)
	if [ "$kill" = yes ]; then
		for p in 0 1 2 4; do kill_soon "${pids[p]}" $((RANDOM % 150)) & killers+=($!); done
	fi
	failed=
	for p in 0 1 2 3 4; do
		wait "${pids[p]}" || failed="$failed $((p + 1)):$(tail -n 1 "$work/log.$((p + 1))")"
	done
	[ "$kill" = no ] || wait "${killers[@]}" # never without a pid: the registry does not end
}

bad='' bad_names='' bad_status=''
for i in $(seq "$rounds"); do
	one_round "$i" no
	[ -z "$failed" ] || bad_status="$bad_status [$i:$failed]"
	bad=$bad$(rehash) bad_names=$bad_names$(whole n1)$(whole n2)
done
is "$bad_status" "" "$rounds rounds of two pulls, an import, a removal and a collection: all end well"
is "$bad" "" "every blob re-hashes right after each"
is "$bad_names" "" "nothing is lost that has a name"

bad='' bad_names=''
for i in $(seq "$rounds"); do
	one_round "$i" yes
	bad=$bad$(rehash) bad_names=$bad_names$(whole n1)$(whole n2)
done
is "$bad" "" "the same while they are killed: every blob re-hashes right"
is "$bad_names" "" "nothing is lost that has a name"

ok "the next import of what was killed" ctr -n n1 images import "$work/b.tar"
ok "the next pull" ctr -n n1 images pull -q docker.io/library/a:1
ok "and elsewhere" ctr -n n2 images pull -q docker.io/library/a:1
try ctr -n n1 run --rm docker.io/library/a:1 r1 echo runs
is "$status/$out" "0/runs" "its image runs"
is "$(whole n1)$(whole n2)" "" "all is whole"
try ctr system prune
is "$status" 0 "prune"
records() { for s in n1 n2; do ctr -n "$s" content ls -q; done | sort -u; }
is "$(find "$blobs" -type f | sed 's#.*/#sha256:#' | sort)" "$(records)" "no blob is there but those that are listed"
nothing=
for s in n1 n2; do for d in $(ctr -n "$s" content ls -q) $(ctr -n "$s" snapshots ls | awk 'NR > 1 { print $1 }'); do
	ctr -n "$s" system gc --explain "$d" | grep -q "^nothing keeps" && nothing="$nothing $s/$d"
done; done
is "$nothing" "" "nothing stays that nothing keeps"
is "$(for s in n1 n2; do ctr -n "$s" leases ls -q; done)" "" "no lease of theirs"
is "$(find "$layers" -mindepth 1 -maxdepth 1 | wc -l)" \
	"$(for s in n1 n2; do ctr -n "$s" snapshots ls | tail -n +2; done | wc -l)" "no folder of a snapshot without record"

for s in n1 n2; do for name in $(ctr -n "$s" images ls -q); do ctr -n "$s" images rm --sync "$name" >/dev/null; done; done
is "$(find "$blobs" -type f | wc -l) $(find "$layers" -mindepth 1 -maxdepth 1 | wc -l)" "0 0" "with the names all goes"

# --- the lease of a killed import runs out: the disk use is what it was before
used() { du -sb --exclude='*.mdb*' "$work/root" | cut -f1; }
before=$(used)
lease=$(ctr -n n3 leases create -x 1s)
ok "a blob" ctr -n n3 content ingest big <"$work/a.tar"
# Listed by a lease that ends in a second, as what an import that was killed left.
try ctr -n n3 leases ls
like "$out" "$lease" "the lease"
sleep 2
try ctr system gc
is "$(ctr -n n3 leases ls -q)$(ctr -n n3 content ls -q)" "" "what a lease kept goes when it has expired"
is "$(used)" "$before" "and the disk use is what it was before"

kill "$registry" && wait "$registry" 2>/dev/null
done_testing
