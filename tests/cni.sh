#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `run --cni` with the plugins of containernetworking-plugins, in a network namespace of the test's own:
# bridges, addresses and packet filters are gone with it, whatever happens.
[ -n "${GANTRY_TEST_NET:-}" ] || exec env GANTRY_TEST_NET=1 unshare -n -m "$BASH" "$0" "$@"
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/tests/functions.sh"
requires root busybox runc ip python3
[ -x /usr/lib/cni/bridge ] || skip_all "needs containernetworking-plugins"
ip link set lo up
write_config
sed -i 's|ctr-frontend: {|& cni_conf_dir = "'"$work"'/net.d"; cni_bin_dirs = [ "'"$work"'/bin", "/usr/lib/cni" ];|' "$GANTRY_CONFIG"
make_image
ctr images import "$image" >/dev/null
B=$image_name
mkdir "$work/net.d" "$work/bin"

masq=false
# The kernel may know no packet filters; then that part stays out.
if command -v iptables >/dev/null && iptables -t nat -S >/dev/null 2>&1; then masq=true; fi
network() { # SUBNET [FURTHER-PLUGINS]
	cat >"$work/net.d/10-test.conflist" <<-END
	{"cniVersion":"1.0.0","name":"test-net","plugins":[
	 {"type":"bridge","bridge":"gt-br${1//[!0-9]/}","isGateway":true,"ipMasq":$masq,"ipam":{"type":"host-local",
	  "dataDir":"$work/ipam","ranges":[[{"subnet":"$1"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
	 {"type":"tuning","sysctl":{"net.core.somaxconn":"500"}}${2:-}]}
	END
}
network 10.77.0.0/24

on_bridge() { ip -o link show type bridge_slave | wc -l; }

# What there is of any container's network: interfaces, addresses, filters, records, namespaces' files.
left_now() {
	ip -o link show type veth
	ls "$work/ipam/test-net" 2>/dev/null | grep -v -e '^last_reserved' -e '^lock$'
	if $masq; then iptables -t nat -S | grep -e 'test-net'; fi
	find "$work/root" "$work/state" -path '*/cni/*' -type f -o -path '*/netns/*' -type f
	grep -F "$work/state" /proc/self/mountinfo | grep -F nsfs
}
left() { # the kernel takes a network namespace with its links down in its own time
	local end=$((SECONDS + 5)) now
	while now=$(left_now); [ -n "$now" ] && [ "$SECONDS" -lt "$end" ]; do sleep 0.1; done
	[ -z "$now" ] || echo "$now"
}

# --- a network -------------------------------------------------------------------
try ctr run --rm --cni $B c1 sh -c 'ip -o -4 addr show eth0; ip route; cat /proc/sys/net/core/somaxconn; ping -c 1 -W 5 10.77.0.1 >/dev/null && echo reached'
like "$status/$out" $'0/.* 10\\.77\\.0\\.2/24 .*\ndefault via 10.77.0.1 dev eth0.*\n500\nreached$' "an address, a route, the gateway"
is "$(left)" "" "nothing is left when it has ended"
try ctr c ls -q
is "$out" "" "--rm leaves no container"
try ctr run -d --cni $B c2 sh -c 'echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
is "$status/$err" "0/" "detached"
try ctr run -d --cni --log-uri "file://$work/c3.log" $B c3 sleep 600
is "$status/$err" "0/" "a second one"
address=$(python3 -c '
import glob, json, sys
for f in glob.glob(sys.argv[1] + "/root/**/*c2:eth0", recursive=True):
    print(json.load(open(f))["result"]["ips"][0]["address"].split("/")[0])' "$work")
is "$(wait_for 10 python3 -c 'import sys, urllib.request as u; u.urlopen("http://%s/" % sys.argv[1], timeout=2)' "$address" &&
	python3 -c 'import sys, urllib.request as u; print(u.urlopen("http://%s/" % sys.argv[1]).read().decode().strip())' "$address")" hello "its server answers"
is "$(on_bridge)" 2 "two on the bridge"
$masq && like "$(iptables -t nat -S)" "$ns-c2" "masqueraded"
ok "the record has containerd's extension" python3 -c '
import base64, json, sys
x = json.load(sys.stdin)["Extensions"]["ctr.cni-containerd.metadata"]
assert x["type_url"] == "github.com/containerd/containerd/cmd/ctr/commands/NetworkMetaData", x
assert json.loads(base64.b64decode(x["value"])) == {"EnableCni": True}, x' < <(ctr c info c2)
try ctr c rm c2
is "$status" 1 "containers rm of one that runs"
is "$(on_bridge)" 2 "it keeps its network"
ctr t kill -s KILL c2
wait_for 10 sh -c "'$ctr_program' t ls | grep -q 'c2 .*STOPPED'"
try ctr t rm c2
is "$(left | grep -e "$ns-c2" -e ':c2')" "" "tasks rm takes its network down"
is "$(on_bridge)" 1 "the other has its own still"
try ctr t start -d c2
is "$status/$(on_bridge)" 0/2 "tasks start brings it in again"
ctr t kill -s KILL c2
wait_for 10 sh -c "'$ctr_program' t ls | grep -q 'c2 .*STOPPED'"
try ctr c rm c2
is "$status/$(on_bridge)" 0/1 "containers rm takes task and network"
try ctr t rm -f c3
is "$status/$(left)" "0/" "tasks rm --force, too"
try ctr c rm c3
is "$status" 0 "and its container can be deleted"

# --- what goes wrong ----------------------------------------------------------------
try ctr run --rm --cni $B c4 nope
is "$status/$(left)" "1/" "no such program: no network"
try ctr run --rm --cni --net-host $B c4 true
is "$status/$err" "1/ctr: the container is in this host's network, not in one of its own: failed precondition" "--net-host"
is "$(left)" "" "and no network"
try ctr run --rm --cni $B c4 sh -c 'exit 7'
is "$status" 7 "the exit status is the process's"
ctr run -d --cni $B c4 sleep 600
try ctr run --rm --cni $B c4 true
is "$status/$(on_bridge)" 1/1 "an id that is there keeps its network"
ctr t rm -f c4; ctr c rm c4
network 10.78.0.0/30
ctr run -d --cni $B c5 sleep 600
try ctr run --cni $B c6 true
is "$status" 1 "no address is left"
like "$err" "^ctr: plugin type=\"bridge\" name=\"test-net\" failed \(add\): .*no IP addresses available in range set" "the plugin's own words"
is "$(ctr t ls -q)" c5 "no task either"
ctr c rm c6
ctr t rm -f c5; ctr c rm c5
is "$(left)" "" "nothing is left"
printf '#!/bin/sh\ncat >/dev/null\n[ "$CNI_COMMAND" = DEL ] && [ -e %s/stuck ] && { echo "{\\"code\\":11,\\"msg\\":\\"stuck\\"}"; exit 1; }\n[ "$CNI_COMMAND" = ADD ] && echo "{}"\nexit 0\n' "$work" >"$work/bin/sticky"
chmod 755 "$work/bin/sticky"
network 10.77.0.0/24 ',{"type":"sticky"}'
ctr run -d --cni $B c7 sleep 600
touch "$work/stuck"
ctr t rm -f c7 2>/dev/null
try ctr c rm c7
is "$status" 1 "a plugin that cannot DEL"
like "$err" 'ctr: take .*-c7 out of its network: plugin type="sticky" name="test-net" failed \(delete\): stuck: unavailable$' "its words"
is "$(ctr c ls -q)" c7 "the container stays"
rm "$work/stuck"
try ctr c rm c7
is "$status/$(left)" "0/" "and can be deleted when the plugin can"
printf '#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] && exec echo "{}"\n[ ! -e %s/stuck ] || exec sleep 600\n' "$work" >"$work/bin/sticky"
ctr run -d --cni $B c7 sleep 600
touch "$work/stuck"
before=$SECONDS
try ctr c rm --force c7
is "$status/$(ctr c ls -q)$(ctr t ls -q)" "0/" "containers rm --force does not wait for a plugin that hangs"
like "$err" 'level=warning msg="what plugins keep of it may be left" error=".*plugin type=.*sticky.*longer than its deadline' "but says so"
[ $((SECONDS - before)) -lt 30 ] && pass "it comes to an end" || fail "it comes to an end" "$((SECONDS - before)) s"
rm "$work/stuck"
is "$(find "$work/root" "$work/state" -path '*/cni/*' -type f -o -path '*/netns/*' -type f)" "" "no record is left"
network 10.81.0.0/24 ',{"type":"none"}'
try ctr run --cni $B c8 true
is "$status" 1 "a plugin that is not there"
like "$err" "failed to find plugin \"none\" in path \[$work/bin /usr/lib/cni\]" "where it was looked for"
network 10.77.0.0/24
ctr c rm c8
is "$(ctr c ls -q)/$(left | grep -F "$ns-c8")" "/" "nothing of it is left"
rm -rf "$work/ipam" # of the address that the plugin that hung kept
$masq && iptables -t nat -F && iptables -t nat -X
# --- portmap and loopback ---------------------------------------------------------------------
if $masq; then
	rm "$work/net.d/"*
	network 10.79.0.0/24 ',{"type":"portmap","capabilities":{"portMappings":true},"runtimeConfig":{"portMappings":[
	 {"hostPort":8088,"containerPort":80,"protocol":"tcp"}]}},{"type":"loopback"}'
	try ctr run -d --cni $B m1 sh -c 'ip link show lo >/tmp/lo; echo mapped >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
	is "$status/$err" "0/" "portmap and loopback: runs"
	page() { python3 -c 'import urllib.request as u; print(u.urlopen("http://10.79.0.1:8088/'"$1"'", timeout=2).read().decode().strip())'; }
	is "$(wait_for 20 page index.html && page index.html)" mapped "portmap: the host's port leads to the container's"
	like "$(page lo)" '<LOOPBACK,UP' "loopback: lo is up"
	try ctr c rm --force m1
	is "$status/$err" "0/" "portmap: deleted by force"
	is "$(iptables -t nat -S | grep -e 8088 -e 10.79.0)" "" "portmap: its rules are gone"
	is "$(left)" "" "portmap: nothing is left"
fi
ip -o link show type veth | awk -F'[ :@]+' '{ print $2 }' | while read -r link; do ip link del "$link"; done
rm "$work/net.d/"*
try ctr run --cni $B c9 true
is "$status/$err/$(ctr c ls -q)" "1/ctr: no network config found in $work/net.d: cni plugin not initialized/" "no configuration, no container"

# --- death at every moment --------------------------------------------------------------
# A plugin that is slow makes the moments in and between the plugins last.
printf '#!/bin/sh\nsleep 0.1\nexec /usr/lib/cni/bridge\n' >"$work/bin/bridge" && chmod 755 "$work/bin/bridge"
network 10.79.0.0/24
# The runtime may still be making the container that its ctr died for.
gone() {
	ctr t rm -f "$1"
	ctr c ls -q | grep -qx "$1" || return 0
	ctr c rm "$1"
}
bad=
for delay in 0.01 0.03 0.05 0.08 0.1 0.12 0.15 0.2 0.25 0.3 0.35 0.4; do
	"$ctr_program" run --rm --cni $B k1 sleep 0.1 >/dev/null 2>&1 </dev/null &
	pid=$!
	sleep $delay
	kill -KILL $pid 2>/dev/null
	{ wait $pid; } 2>/dev/null
	wait_for 20 gone k1 || bad="$bad $delay: $(ctr c rm k1 2>&1)"
	ctr snapshots rm k1 >/dev/null 2>&1
	[ -z "$(left)" ] || bad="$bad $delay: $(left)"
done
is "$bad" "" "kill -9 of ctr: the next one takes the network down"
ctr run -d --cni $B k2 sleep 600
for pid in $(our_processes); do
	case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in *containerd-shim-gantry-v1*) kill -KILL "$pid" ;; esac
done
ctr t rm -f k2 >/dev/null 2>&1
try ctr c rm k2
is "$status/$(left)" "0/" "kill -9 of the shim: deleting the container takes the network down"
is "$(our_processes)" "" "no process is left"

# --- as containerd does ---------------------------------------------------------------------
# A plugin that notes what it is told, in the folders that containerd knows: over the machine's own here.
if command -v containerd >/dev/null && [ -x /usr/bin/ctr ] && mkdir "$work/over" && mount -t tmpfs none "$work/over"; then
	over() {
		local up=$work/over/${1//\//-}
		mkdir -p "$up" "$up-work"
		mount -t overlay -o "lowerdir=$1,upperdir=$up,workdir=$up-work" none "$1"
	}
	over /etc && over /var/lib && over /opt
	mkdir -p /etc/cni/net.d /opt/cni/bin
	rm -f /etc/cni/net.d/* "$work/net.d/"*
	cat >/opt/cni/bin/note <<-END
	#!/usr/bin/python3
	import json, os, sys
	env = {k: v for k, v in os.environ.items() if k.startswith("CNI_")}
	env["CNI_NETNS"] = bool(env["CNI_NETNS"])
	env["CNI_PATH"] = "PATH"
	said = json.load(sys.stdin)
	with open("$work/noted", "a") as f:
	    print(json.dumps([env, said], sort_keys=True), file=f)
	if env["CNI_COMMAND"] == "ADD":
	    print(json.dumps({"cniVersion": said["cniVersion"], "ips": [{"version": "4", "address": "10.9.9.2/24"}], "routes": [{"dst": "0.0.0.0/0"}], "dns": {}}))
	END
	chmod 755 /opt/cni/bin/note
	cp /opt/cni/bin/note "$work/bin/"
	echo '{"cniVersion":"0.4.0","name":"noted","plugins":[{"type":"note","a":{"b":[1,null]}},{"type":"note","second":true,"capabilities":{"portMappings":true}}]}' >/etc/cni/net.d/50-x.conflist
	echo 'no JSON' >/etc/cni/net.d/60-not-reached.conf
	cp /etc/cni/net.d/* "$work/net.d/"
	start_containerd || { echo "Bail out! containerd does not start"; exit 1; }
	their_ctr images import --snapshotter native "$image" >/dev/null
	rm -f "$work/noted"
	try their_ctr run --rm --cni --snapshotter native $B c true
	is "$status" 0 "containerd's ctr run --cni"
	mv "$work/noted" "$work/noted.theirs"
	try ctr run --rm --cni $B c true
	is "$status" 0 "ours"
	# Two things differ: a namespace is there for DEL, and capabilities do not reach a plugin, as the
	# specification has it.
	is "$(jq -c 'if .[0].CNI_COMMAND == "DEL" then .[0].CNI_NETNS = false else . end' "$work/noted")" \
		"$(jq -c 'del(.[1].capabilities)' "$work/noted.theirs")" "plugins are told what containerd tells them"
	stop_containerd
else
	skip_one "plugins are told what containerd tells them" "no containerd here, or no overlay file systems"
fi
done_testing
