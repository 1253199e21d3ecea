# SPDX-License-Identifier: Apache-2.0
"""Started by faults.sh. Prints TAP: one test for each point at which something breaks.

A life is: run -d, exec, kill, delete the task, delete the container. It is lived once under strace to learn
which system calls the shim and ctr make; then once for each point, where that call fails or its caller
is killed. Each command must come to an end by itself. What follows is what a user would do, a forced
deletion, in less than ten seconds; then everything is as before: mounts byte for byte, processes, cgroups,
all files below the state folder, containers. Snapshots without a container
are for the collector. A bystander runs through all of it.
"""
import glob
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

WORK = os.environ["WORK"]
SHIM, CTR, IMAGE = os.environ["SHIM"], os.environ["CTR"], os.environ["IMAGE"]
NS = os.environ["CONTAINERD_NAMESPACE"]
STATE = WORK + "/state"
ALL = os.environ.get("FAULTS") == "all"
ONLY = os.environ.get("FAULTS_ONLY", "")
PART, PARTS = (int(n) for n in os.environ.get("FAULTS_PART", "0/1").split("/"))
COMMAND_MAX = 40  # seconds; a command that takes longer hangs
FORCE_MAX = 10

# What a call can plausibly fail with. Calls that are not here cannot, or only as a kill does.
ERRORS = {
    "accept4": "EMFILE", "chdir": "EIO", "chmod": "EIO", "clone": "EAGAIN", "clone3": "EAGAIN", "connect": "ECONNREFUSED",
    "dup2": "EBUSY", "epoll_create1": "EMFILE", "epoll_ctl": "ENOSPC", "eventfd2": "EMFILE", "execve": "ENOMEM",
    "fchmodat": "EIO", "fchown": "EIO", "fcntl": "EMFILE", "flock": "ENOLCK", "fork": "EAGAIN",
    "getsockopt": "EIO", "ioctl": "EIO", "linkat": "ENOSPC", "listen": "EADDRINUSE", "bind": "ENOSPC",
    "mkdir": "ENOSPC", "mkdirat": "ENOSPC", "mknodat": "ENOSPC", "mount": "EBUSY", "newfstatat": "EIO",
    "openat": "EMFILE", "openat2": "EMFILE", "pidfd_open": "EMFILE", "pidfd_send_signal": "EPERM", "pipe2": "EMFILE",
    "poll": "ENOMEM", "prctl": "EPERM", "pwrite64": "EIO", "read": "EIO", "recvfrom": "ECONNRESET", "rename": "ENOSPC",
    "renameat": "ENOSPC", "renameat2": "ENOSPC", "rmdir": "EBUSY", "sendto": "ECONNRESET", "setsid": "EPERM",
    "signalfd4": "EMFILE", "socket": "EMFILE", "splice": "EIO", "statfs": "EIO", "symlinkat": "ENOSPC",
    "umount2": "EBUSY", "unlink": "EIO", "unlinkat": "EIO", "vfork": "EAGAIN", "waitid": "ECHILD",
    "write": "ENOSPC",
}


# --- inside: what runs in place of the shim's and the runtime's program --------

def wrap(args):
    """Runs the shim under strace, if this is the role that the fault is for."""
    role, inject = os.environ.get("FAULT_ROLE", ""), os.environ.get("FAULT_INJECT", "").split()
    action = args[-1]
    strace = ["strace", "-DDD", "-qq", "-o", os.environ.get("FAULT_TRACE", "/dev/null")] + inject
    if role == "serve" and action == "start":
        return wrap_serve(strace, args[:-1])
    if role == action:
        os.execvp("strace", strace + [SHIM] + args)
    os.execv(SHIM, [SHIM] + args)


def wrap_serve(strace, args):
    """The serving process by itself, so that its calls are counted from its own first."""
    name = "%s/gantry.sock/%s/%s" % (STATE, NS, args[args.index("-id") + 1])
    path = "%s/s/%s" % (STATE, hashlib.sha256(name.encode()).hexdigest())
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    p = subprocess.Popen(strace + [SHIM] + args + ["-socket", path], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.time() + 3
    while time.time() < end:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            break
        except OSError:
            if p.poll() is not None:
                print("the shim ended with %d" % p.returncode)
                sys.exit(1)
            time.sleep(0.01)
    print("unix://" + path)


def runtime(args):
    """Runs runc, and breaks where $WORK/runtime.fault says so: "COMMAND HOW"."""
    command = next((a for a in args if a in ("create", "start", "exec", "kill", "delete", "state")), "")
    try:
        with open(WORK + "/runtime.fault") as f:
            which, how = f.read().split(None, 1)
    except FileNotFoundError:
        which = how = ""
    if command != which:
        os.execvp("runc", ["runc"] + args)
    if how == "fails":
        sys.exit(1)
    if how == "hangs":
        time.sleep(1000)
    if how == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if how.startswith("strace "):
        os.execvp("strace", ["strace", "-f", "-qq", "-o", "/dev/null"] + how.split()[1:] + ["runc"] + args)
    status = subprocess.call(["runc"] + args)
    if how == "fails after":
        sys.exit(1)
    if how == "hangs after":
        time.sleep(1000)
    if how == "dies after":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(status)


# --- outside -------------------------------------------------------------------

count = failures = 0


def ok(good, what, *shown):
    global count, failures
    count += 1
    failures += not good
    print("%sok %d - %s" % ("" if good else "not ", count, what), flush=True)
    for line in () if good else shown:
        for part in str(line).splitlines():
            print("# " + part, flush=True)


def run(args, env=None, strace=()):
    """(status, what it said, seconds); a status of None: it had to be killed."""
    begin = time.time()
    p = subprocess.Popen(list(strace) + [CTR] + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, env=dict(os.environ, **(env or {})), start_new_session=True)
    try:
        out = p.communicate(timeout=COMMAND_MAX)[0].decode(errors="replace")
        status = p.returncode
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, status = p.communicate()[0].decode(errors="replace"), None
    return status, out.strip(), time.time() - begin


def live(cid, env=None, strace_of=(None, ()), binary=None):
    """A life; a list of (command, status, output, seconds). 'strace_of' is one command of it and its strace."""
    steps = [
        ("run", ["run", "-d", "--null-io"] + (["--runc-binary", binary] if binary else []) + [IMAGE, cid, "sleep", "1000"]),
        ("exec", ["tasks", "exec", "--exec-id", "e1", cid, "true"]),
        ("kill", ["tasks", "kill", "-s", "KILL", cid]),
        ("delete", ["tasks", "delete", cid]),
        ("remove", ["containers", "delete", cid]),
    ]
    said = []
    for name, args in steps:
        if name == "delete":  # only what has ended can be
            end = time.time() + 3
            while time.time() < end and re.search(r"^%s +\d+ +RUNNING" % cid, run(["tasks", "ls"])[1], re.M):
                time.sleep(0.05)
        said.append((name,) + run(args, env, strace_of[1] if name == strace_of[0] else ()))
    return said


def force(cid):
    """What a user does who wants it gone. Returns what it said and how long it took."""
    begin = time.time()
    status, out, _ = run(["containers", "delete", "--force", cid])
    return status, out, time.time() - begin


def processes():
    """Those that belong to the test's containers or its folder: cmdline by pid."""
    mine, found = os.getpid(), {}
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(path + "/cmdline", "rb") as f:
                cmdline = f.read().replace(b"\0", b" ").decode(errors="replace")
            with open(path + "/cgroup") as f:
                cgroup = f.read()
            with open(path + "/stat") as f:
                state = f.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        pid = int(path[6:])
        if pid == mine or state in "ZX" or "faults.py" in cmdline and "wrap" not in cmdline and "runtime " not in cmdline:
            continue
        if "/%s/" % NS in cgroup or WORK + "/" in cmdline or NS in cmdline:
            found[pid] = cmdline
    return found


def traces():
    """All that a container could leave behind, as text."""
    out = []
    with open("/proc/self/mountinfo") as f:
        out.append(f.read())
    out += ["process %d: %s" % p for p in sorted(processes().items())]
    for path in glob.glob("/sys/fs/cgroup/**/%s/*" % NS, recursive=False) + glob.glob("/sys/fs/cgroup/*/%s/*" % NS):
        if os.path.isdir(path):
            out.append("cgroup " + path)
    for top, folders, files in os.walk(STATE):
        if "/rootfs" in top:
            folders[:] = []
            continue
        out += [os.path.join(top, n) for n in sorted(folders) + sorted(files)]
    out.append(run(["containers", "ls", "-q"])[1])
    out += glob.glob("/run/containerd/runc/" + NS)  # where runc keeps its state if nobody says otherwise
    return "\n".join(out)


def difference(before, after):
    a, b = before.splitlines(), after.splitlines()
    return ["left: " + x for x in b if x not in a] + [
        "lost: " + x for x in a if x not in b and (WORK in x or "/" not in x)]  # other mounts end with their owners


def settled(before):
    """The kernel buries the dead a moment later: the difference after at most three seconds."""
    end = time.time() + 3
    while True:
        left = difference(before, traces())
        if not left or time.time() > end:
            return left
        time.sleep(0.1)


def keeper_runs():
    return re.search(r"^keeper +\d+ +RUNNING", run(["tasks", "ls"])[1], re.M)


worst = 0.0


def check(what, said):
    """After a life with something broken: all came to an end, and all goes."""
    global worst, BEFORE
    hung = [s for s in said if s[1] is None]
    status, out, took = force("f1")
    worst = max(worst, took)
    left = settled(BEFORE)
    alive = keeper_runs()
    if left:  # told once
        BEFORE = traces()
    ok(not hung and took < FORCE_MAX and not left and alive, what, *(
        ["hangs: %s" % (s,) for s in hung] + ["forced deletion: %s in %.1f s: %s" % (status, took, out)] + left +
        ([] if alive else ["the bystander is not RUNNING"]) + ["%s: %s: %s (%.1f s)" % s for s in said]))


def calls(trace, index=None):
    """[(name, n-th of that name, the line)] of one process in a trace."""
    seen, out = {}, []
    with open(trace) as f:
        for line in f:
            m = re.match(r"(?:(\d+) +)?(\w+)\(", line)
            if not m or (index is not None and m.group(1) != index):
                continue
            seen[m.group(2)] = seen.get(m.group(2), 0) + 1
            out.append((m.group(2), seen[m.group(2)], line.strip()[:100]))
    return out


def can_fail(call):
    """Writes to an eventfd cannot: eight bytes that count one up."""
    return call[0] in ERRORS and not (call[0] == "write" and r'"\1\0\0\0\0\0\0\0", 8)' in call[2])


def sample(points, most):
    """All of them, or so many spread over all."""
    if ALL or len(points) <= most:
        return points
    return [points[i * len(points) // most] for i in range(most)]


points_seen = 0


def wanted(what):
    """Whether this point belongs to what FAULTS_ONLY (a part of its name) and FAULTS_PART ("1/4") ask for."""
    global points_seen
    if ONLY not in what:
        return False
    points_seen += 1
    return points_seen % PARTS == PART % PARTS


def inject(name, nth, what):
    return "-e trace=%s -e inject=%s:%s:when=%d" % (name, name, what, nth)


def shim_points(role, found, errors, kills):
    """Lives with one call of the shim in that role failing, and with it killed there."""
    failing = sample([c for c in found if can_fail(c)], errors)
    for how, points in (("error", failing), ("kill", sample(found, kills))):
        for name, nth, line in points:
            effect = "error=" + ERRORS[name] if how == "error" else "signal=KILL"
            what = "%s: %s at %s #%d: %s" % (role, effect, name, nth, line)
            if not wanted(what):
                continue
            env = {"FAULT_ROLE": role, "FAULT_INJECT": inject(name, nth, effect)}
            if role == "delete":  # is run where a shim has died
                said = [("run",) + run(["run", "-d", "--null-io", IMAGE, "f1", "sleep", "1000"])]
                kill_shim("f1")
                said.append(("delete",) + run(["tasks", "delete", "-f", "f1"], env))
            else:
                said = live("f1", env)
            check(what, said)


def kill_shim(cid):
    for pid, cmdline in processes().items():
        if re.search(r"containerd-shim-gantry-v1.* -id %s " % cid, cmdline + " ") and "strace" not in cmdline:
            os.kill(pid, signal.SIGKILL)


def ctr_points(command, errors, kills):
    """The same with the calls that ctr makes while it works on the bundle and the shim."""
    strace = ["strace", "-f", "--detach-on=execve", "-qq", "-o", WORK + "/ctr.trace"]
    live("f1", strace_of=(command, strace))
    force("f1")
    with open(WORK + "/ctr.trace") as f:
        first = f.readline().split()[0]
    found = calls(WORK + "/ctr.trace", first)
    # From the first that has to do with the runtime to the last: what comes before is the linker's.
    work = [i for i, c in enumerate(found) if "runtime.v2.task" in c[2] or "/state" in c[2]]
    found = found[work[0] : work[-1] + 1] if work else []
    for how, points in (("error", sample([c for c in found if can_fail(c)], errors)), ("kill", sample(found, kills))):
        for name, nth, line in points:
            effect = "error=" + ERRORS[name] if how == "error" else "signal=KILL"
            what = "ctr %s: %s at %s #%d: %s" % (command, effect, name, nth, line)
            if not wanted(what):
                continue
            said = live("f1", strace_of=(command, ["strace", "-f", "--detach-on=execve", "-qq", "-o", "/dev/null"] +
                                         inject(name, nth, effect).split()))
            check(what, said)


def runtime_points():
    """runc fails, hangs, is killed: before, after and in the middle of its work."""
    hows = ["fails", "fails after", "dies", "dies after"]
    middles = {
        "create": [("clone", 1), ("mount", 1), ("mount", 6), ("mkdirat", 2), ("pivot_root", 1), ("openat", 60), ("write", 12)],
        "start": [("openat", 12), ("write", 2)], "exec": [("clone", 3), ("openat", 20), ("setns", 1), ("write", 6)],
        "kill": [("openat", 12), ("kill", 1)], "delete": [("rmdir", 1), ("unlinkat", 1), ("openat", 12)],
    }
    if ALL:
        middles = {c: v + [(n, k) for n in ("openat", "write", "mount", "futex") for k in range(1, 60, 6)] for c, v in middles.items()}
    points = [(c, h) for c in middles for h in hows]
    points += [(c, "strace -e trace=%s -e inject=%s:signal=KILL:when=%d" % (n, n, k)) for c in middles for n, k in middles[c]]
    points += [(c, h) for c in ("create", "exec", "kill", "delete") for h in ("hangs", "hangs after")]
    for command, how in points if ALL else sample(points, 12) + [("create", "hangs"), ("delete", "hangs after")]:
        what = "runc %s %s" % (command, how)
        if not wanted(what):
            continue
        with open(WORK + "/runtime.fault", "w") as f:
            f.write("%s %s" % (command, how))
        said = live("f1", binary=WORK + "/runtime")
        os.unlink(WORK + "/runtime.fault")
        check(what, said)


def main():
    global BEFORE
    with open(WORK + "/runtime", "w") as f:
        f.write('#!/bin/sh\nexec python3 "%s" runtime "$@"\n' % os.path.abspath(__file__))
    os.chmod(WORK + "/runtime", 0o755)
    status, out, _ = run(["run", "-d", "--null-io", IMAGE, "keeper", "sleep", "100000"])
    ok(status == 0, "a bystander runs", out)
    said = live("f1", binary=WORK + "/runtime")  # what stays for good is made now
    end = time.time() + 3
    while time.time() < end and any(" -id f1 " in c + " " for c in processes().values()):
        time.sleep(0.02)  # its shim is a moment longer on its way out
    BEFORE = traces()
    ok(all(s[1] == 0 for s in said), "a life where nothing breaks", *said)
    left = settled(BEFORE)
    ok(not left, "leaves nothing", *left)
    found = {}
    for role in ("start", "serve"):
        trace = "%s/%s.trace" % (WORK, role)
        said = live("f1", {"FAULT_ROLE": role, "FAULT_TRACE": trace})
        ok(all(s[1] == 0 for s in said) and not force("f1")[2] > FORCE_MAX, "the same, traced: %s" % role, *said)
        found[role] = [c for c in calls(trace) if c[0] not in ("brk", "mmap", "madvise", "munmap", "exit_group")]
    trace = WORK + "/delete.trace"
    run(["run", "-d", "--null-io", IMAGE, "f1", "sleep", "1000"])
    kill_shim("f1")
    run(["tasks", "delete", "-f", "f1"], {"FAULT_ROLE": "delete", "FAULT_TRACE": trace})
    found["delete"] = [c for c in calls(trace) if c[0] not in ("brk", "mmap", "madvise", "munmap", "exit_group")]
    check("the shim's program cleaning up, traced", [])
    for role in found:
        print("# %s: %d calls" % (role, len(found[role])))
    shim_points("start", found["start"], 3, 2)
    shim_points("serve", found["serve"], 12, 8)
    shim_points("delete", found["delete"], 3, 2)
    for command in ("run", "exec", "kill", "delete"):
        ctr_points(command, 3 if command == "run" else 1, 3 if command == "run" else 1)
    runtime_points()
    print("# the longest forced deletion took %.1f s" % worst)
    run(["containers", "delete", "--force", "keeper"])
    print("1..%d" % count)
    sys.exit(failures > 0)


if sys.argv[1:2] == ["wrap"]:
    wrap(sys.argv[2:])
elif sys.argv[1:2] == ["runtime"]:
    runtime(sys.argv[2:])
else:
    main()
