#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes one target with clang's libFuzzer, ASan and UBSan: fuzz.sh NAME [SECONDS]
# New inputs that reach more code stay in build-fuzz/corpus-NAME; a crash is written beside them. What a
# crash taught goes to fuzz/corpus/NAME, which make check runs.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
name=${1:?which target: $(cd "$top/fuzz" && ls fuzz-*.c | sed 's/fuzz-\(.*\)\.c/\1/' | paste -sd' ')}
seconds=${2:-600}
[ -f "$top/fuzz/fuzz-$name.c" ] || { echo "fuzz.sh: no target $name" >&2; exit 2; }
"$top/scripts/setup.sh" --tests
build=$top/build-fuzz
mkdir -p "$build" && cd "$build"
[ -f Makefile ] || { "$top/autogen.sh" >/dev/null 2>&1 &&
	"$top/configure" --quiet CC=clang CXX=clang++ --enable-sanitizers=address,undefined,fuzzer-no-link; }
make -j"$(nproc)" libgantry.la "fuzz/fuzz-$name" >make.log 2>&1 || { tail -n 20 make.log >&2; exit 1; }
# The same objects, with libFuzzer's main in the place of the replay's.
# shellcheck disable=SC2046
clang++ -fsanitize=fuzzer,address,undefined -o "fuzz-$name-live" "fuzz/fuzz-$name.o" \
	$(find plugins/resolver-http lib/grpc lib/ttrpc lib/wire api lib/filter lib/cni lib/oci lib/mount lib/proc lib/toml core -path '*/.libs/*.a' | sort -u) \
	-L.libs -lgantry -Wl,-rpath,"$build/.libs" -ljansson -lyaml -lm -lcurl -lssl -lcrypto -lnghttp2 -lprotobuf-c -lpthread
mkdir -p "corpus-$name"
exec "./fuzz-$name-live" -max_total_time="$seconds" -max_len=65536 -artifact_prefix="corpus-$name/crash-" \
	"corpus-$name" "$top/fuzz/corpus/$name"
