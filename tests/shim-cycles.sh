#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run and delete, again and again, one in ten broken in one way or another: the mounts are byte for byte what
# they were, and nothing else is left. CYCLES=1000 is the long form; 90 by default.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root busybox runc
if [ "${CYCLES_INSIDE:-}" != 1 ]; then # nobody else's mounts come here
	rm -rf "$work"
	trap - EXIT
	CYCLES_INSIDE=1 exec unshare --mount --propagation private bash "$0"
fi
# Copies of mounts that other tests had when this namespace was made go when theirs do.
awk '$5 ~ /\/gantry-test\./ { print $5 }' /proc/self/mountinfo | tac | while read -r m; do umount -l "$m"; done
cycles=${CYCLES:-90}
make_image
write_config
B=$image_name
ctr images import "$image" >/dev/null || { echo "Bail out! no image"; exit 1; }
bundles=$work/state/io.containerd.runtime.v2.task/$ns
cat >"$work/dies" <<'EOF2'
#!/bin/sh
case "$*" in *" create "*) runc "$@"; kill -KILL $$ ;; esac
exec runc "$@"
EOF2
chmod +x "$work/dies"

pid_of() { ctr tasks ls | awk -v id="$1" '$1 == id { print $2 }'; }
shim_of() { awk '/^PPid/ { print $2 }' "/proc/$(pid_of "$1")/status"; }
run() { ctr run -d --null-io $B "$1" sleep 100000 </dev/null; }
broken() { # ID N: the N-th way
	local pid
	case $(($2 % 9)) in
	0) ctr run --rm $B "$1" /no/such/program </dev/null ;;
	1) ctr run --rm --mount type=bind,src=/no/such/source,dst=/mnt,options=rbind $B "$1" true </dev/null ;;
	2) run "$1" && kill -KILL "$(shim_of "$1")" ;;
	3)
		"$ctr_program" run --rm $B "$1" sleep 1 </dev/null &
		pid=$!
		sleep "0.0$((RANDOM % 9))"
		kill -KILL $pid
		wait $pid
		;;
	4) ctr run --rm --runc-binary "$work/dies" $B "$1" true </dev/null ;;
	5) ctr run --rm --user nobody-here $B "$1" true </dev/null ;;
	6) run "$1" && ctr tasks pause "$1" ;;
	7) run "$1" && kill -STOP "$(shim_of "$1")" ;;
	8) run "$1" && rm -f "$bundles/$1/config.json" "$bundles/$1/bootstrap.json" "$bundles/$1/address" ;;
	esac >/dev/null 2>&1
	ctr containers delete --force "$1" >/dev/null 2>&1
	return 0
}
left() { # all that could be left
	find "$work/state" \( -path '*/rootfs' -o -path '*/state/events*' \) -prune -o -print | sort
	find /sys/fs/cgroup -maxdepth 3 -path "*/$ns/*" -type d
	our_processes | wc -l
	ctr containers ls -q
	ctr snapshots ls | grep -v '^sha256:'
}

run keeper
is "$(ctr run --rm $B c0 echo once </dev/null)" once "a run" # what stays for good is made now
cat /proc/self/mountinfo >"$work/before"
left >"$work/left.before"
bad=
for i in $(seq "$cycles"); do
	if [ $((i % 10)) = 0 ]; then
		broken "c$i" $((i / 10))
	else
		out=$(ctr run --rm $B "c$i" echo "cycle $i" </dev/null 2>&1) && [ "$out" = "cycle $i" ] || bad="$bad $i($out)"
	fi
done
is "$bad" "" "of $cycles cycles, one in ten broken, each other one runs"
same_mounts() {
	cat /proc/self/mountinfo >"$work/after"
	cmp -s "$work/before" "$work/after"
}
ok "mountinfo is byte for byte what it was" wait_for 5 same_mounts
diff "$work/before" "$work/after" | sed 's/^/# /'
nothing_left() {
	left >"$work/left.after"
	cmp -s "$work/left.before" "$work/left.after"
}
ok "no file, cgroup, process, container or snapshot is left" wait_for 10 nothing_left
diff "$work/left.before" "$work/left.after" | sed 's/^/# /'
like "$(ctr tasks ls)" "keeper +[0-9]+ +RUNNING" "the bystander runs"
done_testing
