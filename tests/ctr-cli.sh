#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The command line itself: help, unknown commands, flags; beside containerd's ctr where that is here.
. "${abs_top_srcdir:?}/tests/functions.sh" || exit 1
requires root
write_config

try ctr
is "$status" 0 "no command: exit status"
like "$out" "^NAME:.*COMMANDS:.*GLOBAL OPTIONS:" "no command: help on standard output"
try ctr images
is "$status" 0 "group without command: exit status"
try ctr bogus
is "$status/$err" "3/No help topic for 'bogus'" "unknown command"
try ctr images bogus
is "$status/$err" "3/No help topic for 'bogus'" "unknown command of a group"
try ctr images ls --bogus
is "$status/$err" "1/ctr: flag provided but not defined: -bogus" "unknown flag"
like "$out" "^Incorrect Usage: flag provided but not defined: -bogus" "unknown flag: help on standard output"
try ctr tasks exec x
is "$status/$err" '1/ctr: Required flag "exec-id" not set' "missing required flag"
try ctr --version
like "$out" "^ctr gantry [0-9]+\.[0-9]+\.[0-9]+$" "version"
try ctr run
is "$status/$err" "1/ctr: image ref must be provided" "run without an image"
try ctr run x
is "$status/$err" "1/ctr: container id must be provided" "run without an id"
try ctr containers create
is "$status/$err" "1/ctr: image ref must be provided: invalid argument" "create without an image"
try ctr run --rm -d x y
is "$status/$err" "1/ctr: flags --detach and --rm cannot be specified together" "run --rm -d"
try ctr run -t --null-io x y
is "$status/$err" "1/ctr: tty and null-io cannot be used together" "run -t --null-io"
try ctr images import --skip-digest-for-named x.tar
is "$status/$err" "1/ctr: --skip-digest-for-named must be specified with --digests option" "import: flags that exclude each other"
try ctr version a b
is "$status/$err" "1/ctr: extra arguments: [a b]" "version with arguments"
is "$(ls "$work/root" 2>/dev/null | grep -v "^lock$")" "" "none of this opened a store"

# A daemon that is not there: said at once, or when the time is over.
try ctr --address "$work/none" images ls
is "$status/$err" "1/ctr: cannot access socket \"$work/none\": No such file or directory: unavailable" "--address: no socket"
CONTAINERD_ADDRESS=$work/none try ctr images ls
like "$status/$err" "^1/ctr: cannot access socket \"$work/none\"" "CONTAINERD_ADDRESS: no socket"
echo text >"$work/text"
try ctr -a "$work/text" version
like "$status/$err" "^1/ctr: cannot access socket \"$work/text\": it is none" "-a: a file"
try ctr -a "$(printf '/%0120d' 1)" version
like "$status/$err" "^1/ctr: the path of socket .* is longer than" "-a: a long path"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$work/dead"
try timeout 30 "$ctr_program" --connect-timeout 300ms -a "unix://$work/dead" images ls
like "$status/$err" "^1/ctr: failed to dial \"$work/dead\": context deadline exceeded" "--connect-timeout: nobody listens"
is "$(ls "$work/root" 2>/dev/null | grep -v "^lock$")" "" "and none of these opened a store"
try ctr --debug version
like "$status/$out" "^0/.*Server:" "--debug"

# A full disk behind standard output is an error.
"$ctr_program" images --help >/dev/full 2>"$work/err"
is "$?" 1 "what cannot be written is an error"

# Flags that containerd 1.6 does not have: from 1.7, from 2.x, or our own.
newer() {
	case "$1 $2" in
	*" --json" | " --config" | "images import --local") ;;
	"images tag "* | "images usage "*) ;;
	"images import --discard-unpacked-layers" | "images label --replace-all") ;;
	*" --hostname" | *" --sandbox" | *" --user" | "content list --quiet") ;;
	*" --runc-binary" | *" --runc-root" | *" --runc-systemd-cgroup") ;;
	*" --privileged-without-host-devices" | *" --cpuset-cpus" | *" --cpuset-mems") ;;
	*" --blockio-class" | *" --blockio-config-file" | *" --cpu-burst" | *" --dump-config" | "run --sync-fs") ;;
	*" --rlimit-nofile" | "tasks start --no-pivot") ;;
	*" --sync-fs" | "containers delete --force" | "images import --label") ;;
	*) return 1 ;;
	esac
}
# "--signal value, -s value" of each flag in a help text, the words for the value made equal
flags_of() {
	sed -n '/OPTIONS:$/,$p' | grep -E '^   -' | sed -E 's/^   //; s/  .*//' |
		sed -E 's/(-[a-z-]+) [^,-][^,]*/\1 value/g' | sort
}
if command -v ctr >/dev/null && their=$(command ctr --version 2>/dev/null) && [ -n "$their" ]; then
	while read -r line; do
		read -ra words <<<"$line"
		bad=
		"$ctr_program" "${words[@]}" --help | flags_of >"$work/flags"
		[ -s "$work/flags" ] || bad="none at all"
		while read -r flag; do
			name=${flag%%[ ,]*}
			newer "$line" "$name" && continue
			command ctr "${words[@]}" --help </dev/null 2>/dev/null | flags_of | grep -qxF -- "$flag" ||
				bad="$bad [$flag]"
		done <"$work/flags"
		is "$bad" "" "flags of: ctr $line"
	done <<-EOF
	plugins list
	containers create
	containers delete
	containers info
	containers list
	content ingest
	content list
	images check
	images delete
	images import
	images label
	images list
	leases create
	leases delete
	leases list
	namespaces list
	run
	snapshots
	snapshots prepare
	snapshots unpack
	snapshots usage
	snapshots view
	tasks delete
	tasks exec
	tasks kill
	tasks list
	tasks metrics
	tasks start
	EOF
	# Whatever is no command or no flag there ends in the same words and status here.
	for line in "bogus" "images bogus" "c bogus" "t bogus" "images ls --bogus" "images --bogus" \
		"--bogus" "--timeout x version" "images ls -q=maybe" "images ls ---x" "tasks exec" \
		"content ingest --expected-size abc x" "run" "run x" "help bogus" "i help bogus" \
		"t kill --exec-id" "run --memory-limit -1 x y"; do
		read -ra words <<<"$line"
		try command ctr "${words[@]}"
		want="$status/$err"
		try "$ctr_program" "${words[@]}"
		is "$status/$err" "$want" "as containerd's: ctr $line"
	done
	for group in "" images containers tasks content snapshots namespaces leases plugins; do
		names=
		while read -r name; do
			command ctr $group --generate-bash-completion | grep -qx -- "$name" ||
				names="$names $name"
		done < <("$ctr_program" $group --generate-bash-completion)
		case "$group" in
		images) is "$names" " inspect i prune usage" "names in: ctr $group" ;;
		content) is "$names" " fetch-blob" "names in: ctr $group" ;;
		"") is "$names" " logs log system stats top info sandboxes sandbox sb s deprecations publish" "names in: ctr" ;;
		plugins) is "$names" " inspect-runtime" "names in: ctr $group" ;;
		*) is "$names" "" "names in: ctr $group" ;;
		esac
	done
else
	skip_one "comparison" "containerd's ctr is not here"
fi
done_testing
