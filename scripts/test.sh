#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every test, from a fresh Debian 12 (as root): installs what is missing; builds with gcc, runs
# units, conformance suites and system tests; builds with clang; builds with ASan and UBSan and runs
# units and conformance suites under them. The last line counts: "N passed, N failed, N skipped".
#   scripts/test.sh [gcc|clang|sanitizers|threads]...     default: the first three; threads: TSan
set -uo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
what=${*:-gcc clang sanitizers}
jobs=$(nproc)
pass=0 fail=0 skip=0

say() { printf '\n== %s\n' "$*"; }
failed() { fail=$((fail + 1)); echo "not ok: $*"; }

# Adds up the results that the test driver left in a build folder, and shows what failed.
count() {
	local f p s n
	p=$(find "$1" -name '*.trs' -exec grep -hc '^:test-result: \(PASS\|XFAIL\)' {} + | paste -sd+ | bc)
	n=$(find "$1" -name '*.trs' -exec grep -hcE '^:test-result: (FAIL|XPASS|ERROR)' {} + | paste -sd+ | bc)
	s=$(find "$1" -name '*.trs' -exec grep -hc '^:test-result: SKIP' {} + | paste -sd+ | bc)
	pass=$((pass + ${p:-0})) fail=$((fail + ${n:-0})) skip=$((skip + ${s:-0}))
	echo "$1: ${p:-0} passed, ${n:-0} failed, ${s:-0} skipped"
	find "$1" -name '*.trs' | while read -r f; do
		if grep -qE '^:test-result: (FAIL|XPASS|ERROR)' "$f"; then
			echo "--- ${f%.trs}.log"
			grep -E -B12 '^(not ok|Bail|ERROR|FAIL)' "${f%.trs}.log" | tail -n 60
		fi
	done
	find "$1" -name '*.trs' -exec grep -h '^:test-result: SKIP' {} + | sort | uniq -c | sort -rn | head -n 20
}

build() { # folder, configure arguments...
	local dir=$1
	shift
	rm -rf "$dir" && mkdir -p "$dir" && cd "$dir" || return 1
	"$top/configure" --quiet "$@" >configure.log 2>&1 || { tail -n 20 configure.log; return 1; }
	make -j"$jobs" >make.log 2>&1 || { grep -E -m20 'error|Error' make.log; return 1; }
}

run_gcc() {
	say "gcc: build, install, all tests"
	build "$top/build-gcc" CC=gcc CXX=g++ --prefix="$top/build-gcc/prefix" \
		--sysconfdir="$top/build-gcc/prefix/etc" || { failed "build with gcc"; return; }
	make install >install.log 2>&1 || { tail -n 20 install.log; failed "make install"; return; }
	make -k -j"$jobs" check >check.log 2>&1
	[ -f test-suite.log ] || { tail -n 30 check.log; failed "make check (gcc)"; }
	count "$top/build-gcc"
}

run_clang() {
	say "clang: build in a source tree, unit tests"
	rm -rf "$top/build-clang" && mkdir "$top/build-clang"
	tar -C "$top" --exclude=./.git --exclude=./build --exclude='./build-[cgs]*' -cf - . |
		tar -C "$top/build-clang" -xf - && cd "$top/build-clang" || { failed "copy the tree"; return; }
	./configure --quiet CC=clang CXX=clang++ >configure.log 2>&1 && make -j"$jobs" >make.log 2>&1 ||
		{ grep -E -m20 'error|Error' configure.log make.log; failed "build with clang"; return; }
	make -k -j"$jobs" check-units >check.log 2>&1
	[ -f test-suite.log ] || { tail -n 30 check.log; failed "make check-units (clang)"; }
	count "$top/build-clang"
}

sanitized() { # folder, which
	say "$2 sanitizers: build, unit tests, conformance suites"
	build "$1" CC=gcc CXX=g++ --enable-sanitizers="$2" || { failed "build with $2 sanitizers"; return; }
	make -k -j"$jobs" check-units >check.log 2>&1
	make -k -j"$jobs" check-conformance >>check.log 2>&1
	[ -f test-suite.log ] || { tail -n 30 check.log; failed "make check ($2 sanitizers)"; }
	count "$1"
}

run_sanitizers() { sanitized "$top/build-san" address,undefined; }
run_threads() { sanitized "$top/build-threads" thread; }

"$top/scripts/setup.sh" --tests || exit 1
cd "$top" || exit 1
./autogen.sh >autogen.log 2>&1 || { tail -n 20 autogen.log; exit 1; }
rm -f autogen.log
for w in $what; do
	"run_$w"
done
echo "$pass passed, $fail failed, $skip skipped"
[ "$fail" -eq 0 ] && [ "$pass" -gt 0 ]
