#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The transfer and streaming services, as containerd's clients from 1.7 on use them.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root runc containerd docker-registry
[ -x /usr/bin/ctr ] || skip_all "needs containerd's ctr"
make_image
write_config "grpc-frontend: { worker = \"$(built gantry-layer)\"; };"
start_gantryd || { tail "$work/gantryd.log"; echo "Bail out! gantryd does not serve"; exit 1; }
client=$abs_top_builddir/tests/transfer-client
t() { timeout 110 "$client" "$gantryd_socket" "$ns" "$@"; }

head -c 5000000 /dev/urandom >"$work/bytes"
t echo <"$work/bytes" >"$work/echoed" 2>"$work/err"
is "$?" 0 "echo"
ok "bytes come back as they went" cmp "$work/bytes" "$work/echoed"

t import "" <"$image" >"$work/out" 2>&1
is "$?" 1 "import without a name"
like "$(cat "$work/out")" "INVALID_ARGUMENT.*no name" "is refused: no name that stands in the archive is made unasked"
t import "" example.com/mine <"$image" >"$work/out" 2>&1
like "$?$(cat "$work/out")" "^1.*NOT_FOUND.*no image below example.com/mine" "nor one that is not below the client's prefix"
is "$(g_ctr -n "$ns" images ls -q)" "" "nothing is there"
t import "" import-2026-01-01 any <"$image" 2>"$work/err"
is "$?" 0 "import that may take any name"
like "$(cat "$work/err")" "progress Importing.*progress saved $image_name.*progress Completed import" "its progress"
like "$(g_ctr images ls -q)" "$image_name" "the image is there"
t export "$image_name" >"$work/out.tar" 2>"$work/err"
is "$?" 0 "export"
ok "the archive is whole" sh -c "tar tf '$work/out.tar' | grep -q '^index.json'"
try t export example.com/nothing:1
like "$err" "NOT_FOUND" "export of what is not there"
try t tag "$image_name" example.com/tagged:1
is "$status" 0 "tag"
like "$(g_ctr images ls -q)" "example.com/tagged:1" "the tag is there"
head -c 100000 /dev/urandom >"$work/garbage"
t import "" <"$work/garbage" >/dev/null 2>"$work/err"
is "$?" 1 "import of garbage"
like "$(cat "$work/err")" "INVALID_ARGUMENT" "is told"

port=$((20000 + $$ % 20000))
cat >"$work/registry.yml" <<EOT
version: 0.1
storage: { filesystem: { rootdirectory: $work/registry } }
http: { addr: 127.0.0.1:$port }
EOT
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry_pid=$!
wait_for 10 bash -c ": </dev/tcp/127.0.0.1/$port"
remote=127.0.0.1:$port/test/busybox:1
try t push "$image_name" "$remote"
is "$status" 0 "push"
like "$err" "progress Pushing to $remote.*progress Completed push to $remote" "its progress"
try t pull "$remote"
is "$status" 0 "pull"
like "$err" "progress Resolving from $remote.*progress Completed pull from $remote" "its progress"
like "$(g_ctr images ls -q)" "$remote" "what was pulled is there"
try t pull "127.0.0.1:$port/test/nothing:1"
like "$err" "NOT_FOUND" "pull of what is not there"
kill $registry_pid
wait $registry_pid 2>/dev/null
end_gantryd TERM
is "$status" 0 "gantryd ends well"
done_testing
