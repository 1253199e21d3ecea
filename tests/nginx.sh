#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debian's nginx in an image, run by the commands that people know, in a network of the test's own. On
# runc and on crun.
[ -n "${GANTRY_TEST_NET:-}" ] || exec env GANTRY_TEST_NET=1 unshare -n -m "$BASH" "$0" "$@"
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root busybox runc ip nsenter python3
nginx=/usr/sbin/nginx
[ -x $nginx ] || skip_all "needs nginx-light"
ip link set lo up
# crun refuses a machine where cgroup v2 is mounted beside v1: not there in this mount namespace
[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified
write_config
nginx_name=docker.io/library/nginx:alpine

make_nginx() {
	local r=$work/nginx f
	mkdir -p "$r"/{usr/sbin,etc/nginx,var/lib/nginx,var/log/nginx,www}
	cp $nginx "$r/usr/sbin/"
	for f in $(ldd $nginx | grep -o '/[^ )]*'); do
		mkdir -p "$r${f%/*}" && cp -L "$f" "$r$f"
	done
	cat >"$r/etc/nginx/nginx.conf" <<-'END'
	daemon off;
	user nobody nogroup;
	error_log stderr;
	pid /run/nginx.pid;
	events {}
	http { access_log off; server { listen 80; root /www; } }
	END
	echo "welcome to nginx" >"$r/www/index.html"
	ADD=$r CONFIG='{"Env":["PATH=/usr/sbin:/bin"],"Entrypoint":["nginx"],"ExposedPorts":{"80/tcp":{}},"StopSignal":"SIGQUIT"}' \
		"$abs_top_srcdir/scripts/mkimage.sh" "$work/nginx.tar" $nginx_name
}
make_nginx || { echo "Bail out! no image"; exit 1; }
try ctr images import "$work/nginx.tar"
is "$status" 0 "import"

# What port 80 answers in this network, or that of a process.
page() { # [PID]
	${1:+nsenter -n -t "$1"} python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1/", timeout=5).read().decode().strip())' 2>&1 | tail -n 1
}
answers() { [ "$(page "$@")" = "welcome to nginx" ]; }
status_of() { ctr tasks ls | awk -v id="$1" '$1 == id { print $3 }'; }
has_status() { [ "$(status_of "$1")" = "$2" ]; }

all() { # flags for containers
	try ctr c create "$@" docker.io/library/nginx:alpine nginx-test
	is "$status/$out$err" "0/" "$rt: ctr c create"
	try ctr container ls
	like "$out" "nginx-test +$nginx_name +io.containerd.runc.v2" "$rt: ctr container ls"
	try ctr container info nginx-test
	is "$(python3 -c 'import json, sys; i = json.load(sys.stdin); print(i["ID"], i["Image"], i["Spec"]["process"]["args"], i["Labels"]["io.containerd.image.config.stop-signal"])' <"$work/out")" \
		"nginx-test $nginx_name ['nginx'] SIGQUIT" "$rt: ctr container info"
	try ctr task start -d nginx-test
	is "$status/$out$err" "0/" "$rt: ctr task start -d"
	pid=$(ctr tasks ls | awk '$1 == "nginx-test" { print $2 }')
	nsenter -n -t "$pid" ip link set lo up
	ok "$rt: it answers on port 80 of its network" wait_for 20 answers "$pid"
	answers && fail "$rt: and not on ours" || pass "$rt: and not on ours"
	echo 'echo in the container; nginx -v' >"$work/script"
	out=$(ctr task exec --exec-id 1 nginx-test /bin/sh <"$work/script" 2>&1)
	is "$?/$(head -n 1 <<<"$out")" "0/in the container" "$rt: ctr task exec"
	like "$out" "nginx version: nginx/" "$rt: nginx is there"
	try ctr run -d --net-host "$@" docker.io/library/nginx:alpine nginx-test2
	is "$status/$out$err" "0/" "$rt: ctr run -d --net-host"
	ok "$rt: it answers on port 80" wait_for 20 answers
	try ctr tasks ls
	is "$(awk 'NR > 1 { print $1, $3 }' <<<"$out" | sort)" "nginx-test RUNNING
nginx-test2 RUNNING" "$rt: ctr tasks ls"
	try ctr tasks pause nginx-test
	is "$status/$(status_of nginx-test)" "0/PAUSED" "$rt: ctr tasks pause"
	try ctr tasks resume nginx-test
	is "$status/$(status_of nginx-test)" "0/RUNNING" "$rt: ctr tasks resume"
	ok "$rt: it answers again" wait_for 20 answers "$pid"
	try ctr tasks kill nginx-test
	is "$status/$out$err" "0/" "$rt: ctr tasks kill"
	ok "$rt: it ends by the image's stop signal" wait_for 20 has_status nginx-test STOPPED
	try ctr tasks delete nginx-test
	is "$status/$out$err" "0/" "$rt: ctr tasks delete: it ended well"
	try ctr container delete nginx-test
	is "$status/$out$err" "0/" "$rt: ctr container delete"
	ctr tasks delete -f nginx-test2 2>/dev/null
	try ctr container delete nginx-test2
	is "$(ctr c ls -q)$(ctr t ls -q)$(our_mounts)$(our_processes)" "" "$rt: nothing is left"
}
rt=runc
all
if command -v crun >/dev/null; then
	rt=crun
	all --runc-binary crun
else
	skip_one "on crun" "no crun here"
fi
done_testing
