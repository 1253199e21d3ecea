#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes with clang's libFuzzer, ASan and UBSan, each target for so long: campaign.sh SECONDS [TARGET...]
# (all targets by default), from fuzz/corpus, fuzz/corpora.tar.gz and what earlier campaigns have left. Inputs
# that reach more code stay in build-fuzz/corpus/TARGET, minimised at the end; what crashes, leaks or takes
# longer than 10 seconds is written to build-fuzz/found/TARGET, and the script then exits with 1. What such an
# input taught goes to fuzz/corpus/TARGET under a name that tells what it was: make check runs it. Root's
# targets run as nobody, without any capability. A line of build-fuzz/campaigns.tsv for each: when, target,
# seconds by the clock and of a processor, runs, inputs kept, what was found.
#   FUZZ_BUILD   the build folder (default build-fuzz)
#   FUZZ_BUILT=1 takes what is built there already
#   FUZZ_JOBS    targets at the same time (default: processors)
#   FUZZ_TIMEOUT what an input may take (default 10 seconds by the clock; more where campaigns are stopped now
#                and then)
#   FUZZ_KEEP=N  writes fuzz/corpora.tar.gz: of each target the fewest inputs that reach the same code, the small
#                ones of them up to N bytes in all (24000 is meant to be enough)
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
build=${FUZZ_BUILD:-$top/build-fuzz}
seconds=${1:?campaign.sh SECONDS [TARGET...]; targets: $(cd "$top/fuzz" && ls fuzz-*.c | sed 's/fuzz-\(.*\)\.c/\1/' | paste -sd' ')}
shift
[ $# -gt 0 ] || set -- $(cd "$top/fuzz" && ls fuzz-*.c | sed 's/fuzz-\(.*\)\.c/\1/')
for t in "$@"; do
	[ -f "$top/fuzz/fuzz-$t.c" ] || { echo "campaign.sh: no target $t" >&2; exit 2; }
done

mkdir -p "$build" && cd "$build"
[ -x "$top/configure" ] || "$top/autogen.sh" >autogen.log 2>&1 || { tail -n 20 autogen.log >&2; exit 1; }
[ -f Makefile ] || "$top/configure" --quiet CC=clang CXX=clang++ \
	--enable-sanitizers=address,undefined,fuzzer-no-link >configure.log 2>&1 ||
	{ tail -n 20 configure.log >&2; exit 1; }
[ -n "${FUZZ_BUILT:-}" ] || make -j"$(nproc)" modules $(printf 'fuzz/fuzz-%s ' "$@") >make.log 2>&1 ||
	{ tail -n 20 make.log >&2; exit 1; }

# Where the target may write: its corpus, what it finds, a folder of its own.
nobody=()
[ "$(id -u)" != 0 ] || nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --no-new-privs)
room=$(mktemp -d "${TMPDIR:-/tmp}/gantry-fuzz.XXXXXX")
chmod 755 "$room"
trap 'rm -rf --one-file-system "$room"' EXIT
fuzz() { # TARGET ARGUMENTS...
	local program=$build/fuzz/.libs/fuzz-$1 work=$room/$1/work
	[ -x "$program" ] || program=$build/fuzz/fuzz-$1
	shift
	(cd "$work" && exec env TMPDIR="$work" abs_top_builddir="$build" LD_LIBRARY_PATH="$build/.libs" \
		"${nobody[@]}" "$program" "$@")
}

# The fewest inputs of the target's corpus that reach what all of them do, to build-fuzz/few/TARGET.
few() { # TARGET BYTES
	local f sum=0
	mkdir "$room/$1/few"
	[ ${#nobody[@]} = 0 ] || chown 65534:65534 "$room/$1/few"
	fuzz "$1" -set_cover_merge=1 "$room/$1/few" "$room/$1/less" >"$1.few.log" 2>&1 || return 0 # the old ones stay
	rm -rf "few/$1" && mkdir -p "few/$1"
	for f in $(ls -Sr "$room/$1/few"); do
		sum=$((sum + $(stat -c %s "$room/$1/few/$f")))
		[ "$sum" -le "$2" ] || break
		cp "$room/$1/few/$f" "few/$1/${f:0:12}"
	done
}

pack() {
	[ -d few ] || return 0
	tar -C few --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=644 -cf - $(cd few && ls -d */*) |
		gzip -9n >corpora.tmp.$$
	mv corpora.tmp.$$ "$top/fuzz/corpora.tar.gz"
}

campaign() { # TARGET: false if it found something
	local t=$1 status=0 begin=$SECONDS
	local options=(-max_len=65536 -timeout="${FUZZ_TIMEOUT:-10}" -rss_limit_mb=2048 -print_final_stats=1)
	mkdir -p "corpus/$t" "$room/$t/"{work,in,out,less}
	tar -C "$room/$t/in" --strip-components=1 -xzf "$top/fuzz/corpora.tar.gz" "$t" 2>/dev/null || true
	cp "corpus/$t/"* "$room/$t/in/" 2>/dev/null || true
	[ ${#nobody[@]} = 0 ] || chown -R 65534:65534 "$room/$t/"*
	[ ! -f "$top/fuzz/$t.dict" ] || options+=(-dict="$top/fuzz/$t.dict")
	fuzz "$t" "${options[@]}" -max_total_time="$seconds" -artifact_prefix="$room/$t/out/" "$room/$t/in" \
		"$top/fuzz/corpus/$t" >"$t.log" 2>&1 || status=1
	begin=$((SECONDS - begin))
	times >"$t.times"
	fuzz "$t" -merge=1 "$room/$t/less" "$top/fuzz/corpus/$t" "$room/$t/in" >"$t.merge.log" 2>&1 ||
		cp -n "$room/$t/in/"* "$room/$t/less/"
	rm -rf "corpus/$t" && mkdir "corpus/$t" && cp "$room/$t/less/"* "corpus/$t/"
	[ -z "${FUZZ_KEEP:-}" ] || few "$t" "$FUZZ_KEEP"
	if [ -n "$(ls "$room/$t/out")" ]; then
		mkdir -p "found/$t" && cp "$room/$t/out/"* "found/$t/"
	fi
	printf '%s\t%s\t%s\t%.0f\t%s\t%s\t%s\n' "$(date -u +%FT%H:%M)" "$t" "$begin" \
		"$(awk 'END { split($1, u, /[ms]/); split($2, s, /[ms]/); print u[1] * 60 + u[2] + s[1] * 60 + s[2] }' "$t.times")" \
		"$(awk '/number_of_executed_units/ { print $2 }' "$t.log")" "$(ls "corpus/$t" | wc -l)" \
		"$([ $status = 0 ] && echo clean || echo "see $build/found/$t and $t.log")" | tee -a campaigns.tsv
	return $status
}

status=0
for t in "$@"; do
	while [ "$(jobs -rp | wc -l)" -ge "${FUZZ_JOBS:-$(nproc)}" ]; do wait -n || status=1; done
	campaign "$t" &
done
while [ -n "$(jobs -p)" ]; do wait -n || status=1; done
[ -z "${FUZZ_KEEP:-}" ] || pack
exit $status
