#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The floors of the architecture, by search: core names no plugin, no plugin includes another, a lower
# floor includes no higher one, every file has its licence, every header compiles alone.
set -u
shopt -s lastpipe # so that check counts
cd "$abs_top_srcdir" || exit 1
n=0
check() { # DESCRIPTION; what is wrong comes on stdin
	local bad
	bad=$(cat)
	n=$((n + 1))
	if [ -z "$bad" ]; then echo "ok $n - $1"; else
		echo "not ok $n - $1"
		printf '%s\n' "$bad" | head -n 10 | sed 's/^/# /'
	fi
}
modules=$(cd plugins && ls -d -- */ | tr -d /)

for m in $modules; do grep -nwF -- "$m" core/*.c core/*.h | grep -v -e '-test\.c:'; done |
	grep -vE ':[0-9]+:[[:space:]]*(\*|/\*|//)' | check "core names no plugin"
for m in $modules; do
	grep -nE "#include [<\"].*plugins/" plugins/"$m"/*.c plugins/"$m"/*.h 2>/dev/null |
		grep -v "plugins/$m/"
done | check "no plugin includes another"
grep -nE '#include [<"](core|lib|plugins|cmd)/' include/gantry/*.h | check "the SDK includes only itself"
grep -nE '#include <(libconfig|ltdl|google|protobuf-c|archive|jansson|lmdb|openssl|nghttp2|curl|toml)' include/gantry/*.h |
	check "no library's type is in the SDK"
grep -nE '#include [<"](lib|plugins|cmd)/' core/*.c core/*.h | check "core includes only core and SDK"
grep -rnE '#include "(core|plugins|cmd)/' lib --include='*.[ch]' | check "libraries know neither core nor plugins"
grep -rnE '#include "(core|cmd)/' plugins --include='*.[ch]' | grep -v -e '-test\.c:' |
	check "plugins know the core only through the SDK"
for l in $(cd lib && ls -d -- */ | tr -d / | grep -v '^client$'); do
	grep -rnE '#include [<"](lib/)?client/' "lib/$l" --include='*.[ch]'
done | check "use cases are above all other libraries"
git ls-files 2>/dev/null | grep -E '\.(c|h|cc|sh|py|am|ac|proto)$|^scripts/|^\.ci/' |
	while read -r f; do [ -f "$f" ] && { head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$f"; }; done |
	check "every file names its licence"
git ls-files 2>/dev/null | grep -E '(^|/)(util|utils|common|misc|helper|helpers)\.[ch]$' | check "files are named after their subject"
cc=${CC:-gcc}
for h in include/gantry/*.h; do
	printf '#include <gantry/%s>\n' "$(basename "$h")" |
		$cc -std=gnu17 -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c - 2>&1 | head -n 3
done | check "every public header compiles alone"
for h in include/gantry/*.h; do
	printf '#include <gantry/%s>\n' "$(basename "$h")" |
		$cc -std=c11 -D_GNU_SOURCE -Iinclude -fsyntax-only -x c - 2>&1 | head -n 3
done | check "and in C11, for a vendor's compiler"
echo "1..$n"
