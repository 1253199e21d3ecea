#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A detached container's output: kept in bounded files by the shim, shown by `ctr logs`, whatever happens.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc
write_config 'services-local: { log_size = "64KiB"; log_files = 3; };'
make_image
try ctr images import "$image"
is "$status" 0 "import"
B=$image_name
logs=$work/root/io.gantry.logs.v1/$ns
stopped() { ctr tasks ls | grep -q "^$1 .*STOPPED"; }

# --- both outputs, apart, every byte ---------------------------------------------------
try ctr run -d $B l1 sh -c 'echo one; echo two >&2; printf "no newline"; sleep 0.2; echo; echo three; exit 4'
is "$status/$out/$err" "0//" "run -d says nothing"
ok "it ends by itself: nobody had to read" wait_for 30 stopped l1
try ctr logs l1
is "$status/$out/$err" "0/one
no newline
three/two" "logs: stdout and stderr apart"
try ctr logs -t l1
like "$out" '^20[0-9-]{8}T[0-9:]{8}\.[0-9]+Z one'$'\n''20[^ ]+Z no newline'$'\n''20[^ ]+Z three$' "logs -t: each line once with its time"
try ctr logs -n 1 l1
is "$out" three "logs -n"
try ctr logs --tail 0 l1
is "$out/$err" / "logs --tail 0"
try ctr logs --tail x l1
is "$status/$err" '1/ctr: "x" is no number of lines' "logs --tail nonsense"
try ctr logs --since 1h l1
is "$out" "one
no newline
three" "logs --since DURATION"
try ctr logs --since "$(ctr logs -t l1 2>/dev/null | sed -n 's/ three$//p')" l1
is "$(tail -n 1 <<<"$out")/$err" "three/" "logs --since TIME"
is "$(grep -c one <<<"$out")" 0 "logs --since TIME: nothing before"
try ctr logs --since 0s l1
is "$out/$err" / "logs --since now"
try ctr logs nobody
is "$status/$err" '1/ctr: container "nobody" in namespace "'"$ns"'": not found' "logs of no container"
try ctr logs
is "$status/$err" '1/ctr: container id must be provided' "logs of nothing"
ctr tasks rm l1 2>/dev/null
try ctr logs l1
is "$out" "one
no newline
three" "they outlive the task"
try ctr tasks start -d l1
wait_for 30 stopped l1
try ctr logs l1
is "$(grep -c '^one$' <<<"$out")" 2 "and go on with the next"
try ctr c rm l1
ok "they go with the container" test ! -e "$logs"

# --- following ---------------------------------------------------------------------------
ctr run -d $B l2 sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.1; done; echo end >&2; exit 3'
try ctr logs -f l2
is "$status/$(tail -n 1 <<<"$out")/$(wc -l <<<"$out")/$err" "0/line 10/10/end" "logs -f: to the end, and ends with it"
ctr c rm l2
ctr run -d $B l3 sh -c 'i=0; while :; do i=$((i + 1)); echo $i; sleep 0.05; done'
"$ctr_program" logs -f l3 >"$work/follow" 2>&1 </dev/null &
f=$!
ok "logs -f: as it comes" wait_for 20 grep -q '^20$' "$work/follow"
kill "$f"; wait "$f"
is "$?" 143 "logs -f: terminated"
ok "the container runs on" sh -c "'$ctr_program' t ls | grep -q 'l3 .*RUNNING'"
head -n 1 <(exec "$ctr_program" logs -f l3 2>/dev/null) >/dev/null
ctr tasks rm -f l3 2>/dev/null; ctr c rm l3

# --- bounds ------------------------------------------------------------------------------
ctr run -d $B l4 sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo "a line that takes some room, number $i"; done'
"$ctr_program" logs -f l4 >"$work/follow" 2>/dev/null </dev/null &
f=$!
ok "much output" wait_for 60 stopped l4
wait "$f"
is "$(ls "$logs/l4" | tr '\n' ' ')" "init.log init.log.1 init.log.2 " "three files"
ok "of at most 64 KiB" test "$(cat "$logs"/l4/* | wc -c)" -le $((3 * 65536))
try ctr logs l4
is "$(tail -n 1 <<<"$out")" "a line that takes some room, number 20000" "the last line is there"
first=$(head -n 1 <<<"$out" | sed 's/.* //')
is "$(wc -l <<<"$out")" $((20001 - first)) "with all those before it that are kept"
is "$(tail -n 1 "$work/follow")" "a line that takes some room, number 20000" "who followed got the last one too"
ctr c rm l4

# --- a full disk ---------------------------------------------------------------------------
mkdir -p "$logs" && mount -t tmpfs -o size=40k tmpfs "$logs"
ctr run -d $B l5 sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo "a line that takes some room, number $i"; done; echo >/ended; sleep 600'
ok "a full disk does not stop it" wait_for 60 ctr tasks exec --exec-id look l5 test -e /ended
ok "nor the shim" sh -c "'$ctr_program' t ls | grep -q 'l5 .*RUNNING'"
try ctr logs l5
is "$(head -n 1 <<<"$out")" "a line that takes some room, number 1" "what fitted is there"
ctr tasks rm -f l5 2>/dev/null; ctr c rm l5
umount "$logs"

# --- other places ---------------------------------------------------------------------------
ctr run -d --null-io $B o1 sleep 600
try ctr logs o1
is "$status/$out" 0/ "--null-io: nothing"
ok "--null-io: no file" test ! -e "$logs/o1"
ctr run -d --log-uri "file://$work/mine" $B o2 sh -c 'echo mine; sleep 600'
wait_for 20 grep -q mine "$work/mine"
try ctr logs o2
is "$status/$err" "1/ctr: the output of o2 goes to file://$work/mine: failed precondition" "--log-uri: logs says where it is"
ctr run -d --fifo-dir "$work/fifos" $B o3 sh -c 'read x; echo "got $x"; echo err >&2; sleep 600'
fifo=$(echo "$work"/fifos/*/o3-stdout)
ok "--fifo-dir: three FIFOs" test -p "${fifo%out}in" -a -p "$fifo" -a -p "${fifo%out}err"
echo word >"${fifo%out}in" &
is "$(timeout 20 head -n 1 <"$fifo")" "got word" "--fifo-dir: for who reads them"
ctr run -d $B o4 sh -c 'read x; echo "got $x"; sleep 600'
try ctr tasks exec -d --exec-id e1 o4 sh -c 'echo from exec'
is "$status" 0 "exec -d"
is "$(find "$work/state/fifo" -name 'e1-*')" "" "exec -d: no FIFO that nobody could write to"
is "$(wait_for 20 sh -c "'$ctr_program' logs --exec-id e1 o4 | grep ." && ctr logs --exec-id e1 o4)" "from exec" "exec -d: logs --exec-id"
ctr run -d -t $B o5 sh -c 'stty size; test -t 1 && echo is a tty; sleep 600'
is "$(wait_for 20 sh -c "'$ctr_program' logs o5 | grep tty" && ctr logs o5 | tr -d '\r' | tail -n 1)" "is a tty" "run -d -t: a terminal's output"
for id in o1 o2 o3 o4 o5; do ctr tasks rm -f $id 2>/dev/null; ctr c rm $id; done
is "$(ls "$work/fifos"; find "$work/state/fifo" -type p)" "" "no FIFO is left"
try ctr run -d --runtime /usr/bin/containerd-shim-runc-v2 $B o6 sh -c 'echo x; exit 5'
is "$status" 0 "another's shim: runs"
wait_for 20 stopped o6
try ctr logs o6
is "$status/$out" 0/ "but keeps no log"
done_testing
