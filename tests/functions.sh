# SPDX-License-Identifier: Apache-2.0
# Sourced by the TAP scripts: a folder of the test's own with a configuration that uses the programs
# and plugins of the build tree, an image, assertions, and a clean-up that runs whatever happens.
#
#   . "$abs_top_srcdir/tests/functions.sh"
#   requires root runc
#   make_image; write_config
#   try ctr images import "$image"; is "$status" 0 "import"
#   done_testing
set -u

: "${abs_top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${abs_top_builddir:=$abs_top_srcdir/build}"
export LC_ALL=C TZ=UTC
unset CONTAINERD_NAMESPACE CONTAINERD_SNAPSHOTTER CONTAINERD_ADDRESS GANTRY_CONFIG

work=$(mktemp -d "${TMPDIR:-/tmp}/gantry-test.XXXXXX")
# The namespace of commands that name none: containers' cgroups lie in /NAMESPACE of the machine, where
# those of two tests must not meet.
ns=gantry-test-$$
export CONTAINERD_NAMESPACE=$ns
chmod 755 "$work"
n=0 failures=0
image=$work/busybox.tar
image_name=docker.io/library/busybox:latest

# --- TAP ---------------------------------------------------------------------

pass() { n=$((n + 1)); echo "ok $n - $1"; }
fail() { # DESCRIPTION [DIAGNOSTICS]
	n=$((n + 1)) failures=$((failures + 1))
	echo "not ok $n - $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/# /'
}
skip_one() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
skip_all() { echo "1..0 # SKIP $*"; exit 0; }
done_testing() { echo "1..$n"; exit $((failures > 0)); }

is() { # GOT WANT DESCRIPTION
	if [ "$1" = "$2" ]; then pass "$3"; else
		fail "$3" "got:  $1
want: $2${err:+
stderr: $err}"
	fi
}
like() { # GOT EXTENDED-REGEX DESCRIPTION
	if [[ $1 =~ $2 ]]; then pass "$3"; else
		fail "$3" "got:  $1
want: $2${err:+
stderr: $err}"
	fi
}
ok() { # DESCRIPTION COMMAND...
	local what=$1 said
	shift
	if said=$("$@" 2>&1); then pass "$what"; else fail "$what" "$said"; fi
}

# Runs a command; its outcome is in $status, $out and $err.
try() {
	"$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	out=$(cat "$work/out") err=$(cat "$work/err")
}

# Waits until a command succeeds, at most SECONDS.
wait_for() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# Runs a command on a terminal of 33x99 and types INPUT (with \n and the like) once it is quiet; all that
# it shows is in $out, its outcome in $status. Needs python3.
tty_run() { # INPUT COMMAND...
	out=$(python3 - "$@" <<'PY'
import os, pty, select, sys, time, fcntl, termios, struct
typed, args = sys.argv[1].encode().decode("unicode_escape").encode(), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(args[0], args)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
seen, end = b"", time.time() + 40
while time.time() < end:
    if select.select([fd], [], [], 0.3)[0]:
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    elif typed:
        os.write(fd, typed)
        typed = b""
sys.stdout.write(seen.decode(errors="replace"))
_, status = os.waitpid(pid, 0)
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 255)
PY
	)
	status=$?
}

requires() { # root | a program
	local what
	for what in "$@"; do
		case $what in
		root) [ "$(id -u)" = 0 ] || skip_all "needs root" ;;
		*) command -v "$what" >/dev/null || skip_all "needs $what" ;;
		esac
	done
}

# --- programs of the build tree ----------------------------------------------

# The program behind libtool's wrapper, so that its start-up is its own.
built() { # NAME
	if [ -x "$abs_top_builddir/.libs/$1" ]; then echo "$abs_top_builddir/.libs/$1"
	else echo "$abs_top_builddir/$1"; fi
}
plugin_folder() { # `make` gathers the modules there
	if [ -d "$abs_top_builddir/modules" ]; then echo "$abs_top_builddir/modules"
	else echo "$abs_top_builddir/.libs"; fi
}
export LD_LIBRARY_PATH=$abs_top_builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
ctr_program=$(built ctr)
# For commands in the background use "$ctr_program" itself: $! of a function is a shell's.
ctr() { timeout 120 "$ctr_program" "$@"; }

# A configuration of the test's own; further lines of it as arguments.
write_config() {
	export GANTRY_CONFIG=$work/gantry.conf
	{
		echo "root = \"$work/root\";"
		echo "state = \"$work/state\";"
		echo "plugin_path = [ \"$(plugin_folder)\" ];"
		echo "ctr-frontend: { worker = \"$(built gantry-layer)\"; };"
		echo "differ-archive: { worker = \"$(built gantry-layer)\"; };"
		echo "runtime-runc: { shim = \"$(built containerd-shim-gantry-v1)\"; };"
		echo "sandboxer-shim: { shim = \"$(built containerd-shim-gantry-v1)\"; };"
		printf '%s\n' "$@"
	} >"$GANTRY_CONFIG"
}

make_image() { # [FILE NAME [PLATFORM...]]
	"$abs_top_srcdir/scripts/mkimage.sh" "${1:-$image}" "${2:-$image_name}" "${@:3}" || {
		echo "Bail out! no image"
		exit 1
	}
}

# --- the daemon -----------------------------------------------------------------

# gantryd on the test's configuration; g_ctr is containerd's own ctr in front of it.
gantryd_socket=$work/state/gantry.sock
start_gantryd() { # [FLAGS...]
	"$(built gantryd)" "$@" 2>>"$work/gantryd.log" &
	gantryd_pid=$!
	wait_for 20 g_ctr version
}
g_ctr() { command timeout 120 /usr/bin/ctr --address "$gantryd_socket" "$@"; }
end_gantryd() { # [SIGNAL]; its exit status goes to $status
	kill -"${1:-TERM}" "$gantryd_pid" 2>/dev/null
	wait "$gantryd_pid" 2>/dev/null
	status=$?
	gantryd_pid=
}

# --- clean-up ----------------------------------------------------------------

# Processes whose command line names the test's folder: its shims, and nobody else's.
our_processes() {
	local f
	for f in /proc/[0-9]*/cmdline; do
		[ "${f#/proc/"$$"/}" = "$f" ] || continue
		tr '\0' ' ' <"$f" | grep -qF "$work/" && echo "${f//[!0-9]/}"
	done 2>/dev/null
}

our_mounts() { awk -v w="$work/" 'index($5, w) == 1 { print $5 }' /proc/self/mountinfo; }

clean_up() {
	local space id pid
	trap - EXIT INT TERM HUP
	[ -z "${gantryd_pid:-}" ] || end_gantryd 2>/dev/null
	if [ -n "${GANTRY_CONFIG:-}" ]; then
		for space in $(timeout 20 "$ctr_program" ns ls -q 2>/dev/null); do
			for id in $(timeout 20 "$ctr_program" -n "$space" tasks ls -q 2>/dev/null); do
				timeout 20 "$ctr_program" -n "$space" tasks rm -f "$id" >/dev/null 2>&1
			done
		done
	fi
	[ "$(type -t stop_containerd)" = function ] && stop_containerd
	for pid in $(our_processes); do kill -KILL "$pid" 2>/dev/null; done
	our_mounts | sort -r | while read -r m; do umount -l "$(printf '%b' "$m")"; done
	rm -rf --one-file-system "$work"
	# the runtime program leaves the empty parent of its cgroups
	rmdir /sys/fs/cgroup/"$ns" /sys/fs/cgroup/*/"$ns" 2>/dev/null
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- containerd's own, to compare with -----------------------------------------

# A containerd with folders and socket of its own; their_ctr talks to it.
start_containerd() {
	mkdir -p "$work/cd"
	cat >"$work/cd/config.toml" <<EOF
version = 2
root = "$work/cd/root"
state = "$work/cd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/cd/sock"
[ttrpc]
  address = "$work/cd/sock.ttrpc"
EOF
	containerd --config "$work/cd/config.toml" >"$work/cd/log" 2>&1 &
	containerd_pid=$!
	wait_for 20 their_ctr version
}
their_ctr() { command ctr --address "$work/cd/sock" "$@"; }
stop_containerd() {
	local id
	[ -n "${containerd_pid:-}" ] || return 0
	for id in $(their_ctr tasks ls -q 2>/dev/null); do
		their_ctr tasks rm -f "$id" >/dev/null 2>&1
	done
	kill "$containerd_pid" 2>/dev/null
	wait "$containerd_pid" 2>/dev/null
	containerd_pid=
}
