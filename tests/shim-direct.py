# SPDX-License-Identifier: Apache-2.0
"""Started by shim-direct.sh, which has made a root file system and cleans up. Prints TAP."""
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import threading
import time

from shim_client import Shim, decode, field

SHIM, WORK, NS = os.environ["SHIM"], os.environ["WORK"], os.environ["NS"]
ADDRESS = WORK + "/x.sock"  # of no daemon
JOURNAL = os.environ["GANTRY_EVENT_JOURNAL"]
ENV = {k: v for k, v in os.environ.items() if k != "TTRPC_ADDRESS"}
count = failures = 0


def ok(good, what, *shown):
    global count, failures
    count += 1
    failures += not good
    print("%sok %d - %s" % ("" if good else "not ", count, what), flush=True)
    if not good:
        for line in shown:
            print("# %s" % (line,), flush=True)


def same(got, want, what):
    ok(got == want, what, "got:  %r" % (got,), "want: %r" % (want,))


def until(test, seconds=10):
    end = time.time() + seconds
    while not test():
        if time.time() > end:
            return False
        time.sleep(0.02)
    return True


def bundle(cid, args, **more):
    """A bundle whose container runs args."""
    path = "%s/b/%s" % (WORK, cid)
    os.makedirs(path)
    caps = ["CAP_KILL", "CAP_DAC_OVERRIDE"]
    spec = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0}, "args": args, "env": ["PATH=/bin"], "cwd": "/",
            "capabilities": {k: caps for k in ("bounding", "effective", "permitted")},
        },
        "root": {"path": WORK + "/rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                   {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}],
        "annotations": {},
        "linux": {"cgroupsPath": "/%s/%s" % (NS, cid),
                  "namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network")]},
    }
    for key, value in more.items():
        if isinstance(value, list):
            spec[key].extend(value)
        else:
            spec[key].update(value)
    with open(path + "/config.json", "w") as f:
        json.dump(spec, f)
    return path


def start(cid, path, stdin=b""):
    r = subprocess.run([SHIM, "-namespace", NS, "-address", ADDRESS, "-id", cid, "start"],
                       cwd=path, env=ENV, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    return r.returncode, r.stdout.decode()


def options(**kw):
    """An Any of containerd.runc.v1.Options."""
    numbers = {"shim_cgroup": 3, "binary_name": 6, "root": 7}
    kw.setdefault("root", WORK + "/runc")
    value = b"".join(field(numbers[k], v) for k, v in sorted(kw.items(), key=lambda i: numbers[i[0]]))
    return field(1, "containerd.runc.v1.Options") + field(2, value)


def connect(cid, path, **kw):
    code, address = start(cid, path)
    assert code == 0, address
    return Shim(address[len("unix://"):])


def create(shim, cid, path, opts=None, more=(), **kw):
    return shim.call("Create", [(1, cid), (2, path)] + list(more) + [(10, opts or options())], **kw)


def process(args):
    spec = json.dumps({"user": {"uid": 0, "gid": 0}, "args": args, "env": ["PATH=/bin"], "cwd": "/"})
    return field(1, "types.containerd.io/opencontainers/runtime-spec/1/Process") + field(2, spec)


def gone(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def shim_pid(shim):
    return dict(decode(shim.call("Connect", [(1, "x")])[2]))[1]


def fds(pid):
    """How many it has at rest: one that is just being closed does not count."""
    least = 1 << 20
    for _ in range(10):
        least = min(least, len(os.listdir("/proc/%d/fd" % pid)))
        time.sleep(0.03)
    return least


def program(name, text):
    path = "%s/%s" % (WORK, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def mounts():
    with open("/proc/self/mountinfo") as f:
        return sum(" %s/" % WORK in line for line in f)


def finish(shim, cid, **kw):
    shim.call("Kill", [(1, cid), (3, 9)])
    shim.call("Wait", [(1, cid)])
    return shim.call("Delete", [(1, cid)])[0]


def test_start():
    path = bundle("a1", ["sleep", "1000"])
    code, address = start("a1", path)
    want = "unix://%s/s/%s" % (WORK, hashlib.sha256(("%s/%s/a1" % (ADDRESS, NS)).encode()).hexdigest())
    same((code, address), (0, want), "start prints the address by containerd's rule")
    with open(path + "/address") as f:
        same(f.read(), want, "and writes it into the bundle")
    same(start("a1", path), (0, want), "a second start prints the same")
    sock = want[len("unix://"):]
    same(stat.S_IMODE(os.stat(sock).st_mode), 0o600, "the socket's mode")
    shim = Shim(sock)
    pid = shim_pid(shim)
    same(os.getsid(pid), pid, "a session of its own")
    with open("/proc/%d/oom_score_adj" % pid) as f, open("/proc/self/oom_score_adj") as mine:
        same(int(f.read()), min(1000, int(mine.read()) + 1), "oom_score_adj is one more than ours")
    same(os.readlink("/proc/%d/cwd" % pid), os.path.realpath(path), "its folder is the bundle")
    same(shim.call("Shutdown", [(1, "a1")])[0], 0, "shutdown")
    ok(until(lambda: gone(pid)), "it ends")
    ok(not os.path.exists(sock), "and takes its socket with it")
    # What a dead shim left is replaced.
    import socket
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(sock)
    dead.close()
    same(start("a1", path), (0, want), "start where a dead shim left its socket")
    Shim(sock).call("Shutdown", [(1, "a1")])
    code, text = start("a/1", path)
    ok(code == 1 and "a/1" in text, "start refuses a bad id", text)
    path = "%s/b/bad" % WORK
    os.makedirs(path)
    with open(path + "/config.json", "w") as f:
        f.write("{ nonsense")
    code, text = start("bad", path)
    ok(code == 1 and "config.json is no JSON object" in text, "start refuses a broken config.json", text)


def test_bootstrap():
    path = bundle("boot", ["true"])
    params = field(1, "boot") + field(9, WORK + "/s2")
    env = ENV.pop("GANTRY_SHIM_SOCKET_DIR")
    code, address = start("boot", path, params)
    ENV["GANTRY_SHIM_SOCKET_DIR"] = env
    made = json.loads(address) if code == 0 else {}
    ok(made.get("address", "").startswith("unix://%s/s2/" % WORK), "BootstrapParams name the socket's folder", address)
    same((made.get("version"), made.get("protocol")), (3, "ttrpc"), "who writes them is told of version 3")
    if code == 0:
        Shim(made["address"][7:]).call("Shutdown", [(1, "boot")])
    code, text = start("boot", path, b"\xff\xff\xff")
    ok(code == 1, "malformed input is refused", text)


def test_errors():
    path = bundle("e1", ["sleep", "1000"])
    shim = connect("e1", path)
    pid = shim_pid(shim)
    before = fds(pid)
    same(create(shim, "e/1", path)[0], 3, "create: a bad id")
    same(create(shim, "e1", "relative")[0], 3, "create: a relative bundle")
    same(create(shim, "e1", path + "-none")[0], 2, "create: no bundle")
    same(create(shim, "e1", path, opts=field(1, "strange.Type"))[0], 3, "create: options of a strange type")
    code, text, _ = create(shim, "e1", path, more=[(6, "weird://x")])
    same((code, text), (2, "unknown STDIO scheme weird"), "create: a strange scheme")
    code, text, _ = create(shim, "e1", path, more=[(6, path + "/no-fifo")])
    ok(code == 2 and "no-fifo" in text, "create: no FIFO", text)
    mount = field(1, "bind") + field(2, "/no/such/source") + field(4, "rbind")
    code, text, _ = create(shim, "e1", path, more=[(3, mount)])
    ok(code != 0 and "/no/such/source" in text, "create: a mount without a source", text)
    code, text, _ = create(shim, "e1", path, opts=options(binary_name="no-such-runtime"))
    ok("no-such-runtime" in text, "create: no runtime program", text)
    # A runtime that fails, one that makes nothing, one that is killed.
    for name, body, want in [
        ("fails", "exit 3", "OCI runtime create failed: %s/fails did not terminate successfully: exit status 3" % WORK),
        ("lies", "exit 0", "init.pid"),
        ("dies", "kill -KILL $$", "signal: Killed"),
    ]:
        binary = program(name, 'case "$*" in *" create "*) %s;; esac\n' % body)
        code, text, _ = create(shim, "e1", path, opts=options(binary_name=binary))
        ok(code == 2 and want in text,
           "create: a runtime that %s" % name, text)
    same(fds(pid), before, "no descriptor is left after all that")
    same(mounts(), 0, "and no mount")
    same(shim.call("State", [(1, "e1")])[:2], (5, "container not created: not found"), "and no container")

    # One that hangs: the caller's deadline ends it, others are not held up.
    marker = WORK + "/hangs.pid"
    binary = program("hangs", 'case "$*" in *" create "*) echo $$ >%s; sleep 1000;; *" delete "*) echo deleted >>%s.deleted;; esac\n' % (marker, marker))
    other = Shim(shim.sock.getpeername())
    begin = time.time()
    shim.send("Create", [(1, "e1"), (2, path), (10, options(binary_name=binary))], timeout=1500000000)
    time.sleep(0.3)
    same(other.call("Connect", [(1, "e1")])[0], 0, "a shim whose runtime hangs answers others")
    same(create(other, "e1", path)[0], 6, "the id is taken meanwhile")
    _, code, text, _ = shim.answer()
    took = time.time() - begin
    same((code, text), (4, "context deadline exceeded"), "a runtime that hangs: the deadline ends the call")
    ok(took < 4, "in time", took)
    with open(marker) as f:
        hung = int(f.read())
    ok(until(lambda: gone(hung)), "and the runtime")
    ok(until(lambda: os.path.exists(marker + ".deleted")), "and what it may have made is deleted")
    ok(until(lambda: other.call("State", [(1, "e1")])[0] == 5), "and the container is forgotten")
    same(create(other, "e1", path)[0], 0, "the id is free again: create")
    same(other.call("Start", [(1, "e1")])[0], 0, "start")
    same(finish(other, "e1"), 0, "kill, wait, delete")
    other.call("Shutdown", [(1, "e1")])
    ok(until(lambda: gone(pid)), "shutdown")


# The format is described in lib/journal/journal.h.
def envelopes():
    with open(JOURNAL, "rb") as f:
        data = f.read()
    same(data[:8], b"gtjrnl1\n", "the journal begins with its magic")
    (seq,) = struct.unpack("<Q", data[16:24])
    data = data[64:]
    out = []
    while data:
        n, _, number = struct.unpack("<IIQ", data[:16])
        assert number == seq, (number, seq)
        out.append(dict(decode(data[16 : 16 + n])))
        data = data[16 + n :]
        seq += 1
    return out


def test_journal():
    if os.path.exists(JOURNAL):
        os.unlink(JOURNAL)
    path = bundle("j1", ["sleep", "1000"])
    shim = connect("j1", path)
    create(shim, "j1", path)
    shim.call("Start", [(1, "j1")])
    shim.call("Exec", [(1, "j1"), (2, "x1"), (7, process(["true"]))])
    shim.call("Start", [(1, "j1"), (2, "x1")])
    shim.call("Wait", [(1, "j1"), (2, "x1")])
    shim.call("Delete", [(1, "j1"), (2, "x1")])
    shim.call("Pause", [(1, "j1")])
    shim.call("Resume", [(1, "j1")])
    shim.call("Kill", [(1, "j1"), (3, 9)])
    shim.call("Wait", [(1, "j1")])
    shim.call("Delete", [(1, "j1")])
    shim.call("Shutdown", [(1, "j1")])
    found = envelopes()
    same([e[3].decode() for e in found],
         ["/tasks/" + t for t in ("create", "start", "exec-added", "exec-started", "exit", "paused", "resumed", "exit", "delete")],
         "the journal has the events, in order")
    same({e[2].decode() for e in found}, {NS}, "with their namespace")
    same(dict(decode(found[0][4]))[1], b"containerd.events.TaskCreate", "and their type")
    exits = [dict(decode(dict(decode(e[4]))[2])) for e in found if e[3] == b"/tasks/exit"]
    same([(e[2], e.get(4, 0)) for e in exits], [(b"x1", 0), (b"j1", 137)], "exits tell whose and how")


def test_death():
    # A shim that is told to end leaves the container; `delete` ends that.
    path = bundle("k1", ["sleep", "1000"])
    shim = connect("k1", path)
    pid = dict(decode(create(shim, "k1", path)[2]))[1]
    shim.call("Start", [(1, "k1")])
    server, sock = shim_pid(shim), shim.sock.getpeername()
    os.kill(server, signal.SIGTERM)
    ok(until(lambda: gone(server)), "SIGTERM ends the shim")
    ok(not os.path.exists(sock), "its socket is gone")
    ok(not gone(pid), "the container runs on")
    r = subprocess.run([SHIM, "-namespace", NS, "-id", "k1", "-bundle", path, "delete"], cwd=path, env=ENV,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=30)
    answer = dict(decode(r.stdout))
    same((r.returncode, answer.get(1), answer.get(2)), (0, pid, 137), "delete answers")
    ok(until(lambda: gone(pid)), "and the container has ended")

    # killed in the middle of a create, with the runtime stopped
    path = bundle("k2", ["sleep", "1000"])
    marker = WORK + "/stops.pid"
    binary = program("stops", 'case "$*" in *" create "*) echo $$ >%s; runc "$@"; sleep 1000;; *) exec runc "$@";; esac\n' % marker)
    shim = connect("k2", path)
    server, sock = shim_pid(shim), shim.sock.getpeername()
    shim.send("Create", [(1, "k2"), (2, path), (10, options(binary_name=binary))])
    until(lambda: os.path.exists(path + "/init.pid"))
    with open(path + "/init.pid") as f:
        pid = int(f.read())
    os.kill(server, signal.SIGKILL)
    with open(marker) as f:
        os.killpg(int(f.read()), signal.SIGKILL)
    r = subprocess.run([SHIM, "-namespace", NS, "-id", "k2", "-bundle", path, "delete"], cwd=path, env=ENV,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=30)
    same(r.returncode, 0, "delete after shim and runtime were killed in the middle of create")
    ok(until(lambda: gone(pid)), "no process is left")
    ok(not os.path.exists(sock), "no socket")
    same(glob.glob("/sys/fs/cgroup/*/%s/k2" % NS) + glob.glob("/sys/fs/cgroup/%s/k2" % NS), [], "no cgroup")


def test_execs():
    path = bundle("x1", ["sleep", "1000"])
    shim = connect("x1", path)
    pid = shim_pid(shim)
    create(shim, "x1", path)
    shim.call("Start", [(1, "x1")])

    def run(i):
        s = Shim(shim.sock.getpeername())
        log = "%s/out-%s" % (WORK, i)
        assert s.call("Exec", [(1, "x1"), (2, i), (5, "file://" + log), (7, process(["sh", "-c", "echo %s; exit 7" % i]))])[0] == 0
        answer = s.call("Start", [(1, "x1"), (2, i)])
        assert answer[0] == 0, answer
        status = dict(decode(s.call("Wait", [(1, "x1"), (2, i)])[2]))[1]
        assert s.call("Delete", [(1, "x1"), (2, i)])[0] == 0
        with open(log) as f:
            good.append(status == 7 and f.read() == i + "\n")
        os.unlink(log)

    def rss():
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Pss_Anon:"))

    def batch(name, rounds, at_once):
        for n in range(rounds):
            threads = [threading.Thread(target=run, args=("%s-%d-%d" % (name, n, k),)) for k in range(at_once)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()

    good = []
    batch("warm", 2, 8)
    first, open_fds = rss(), fds(pid)
    batch("many", 8, 10)
    last = rss()
    same((len(good), all(good)), (96, True), "96 execs, up to ten at once: each output and status")
    with open(SHIM, "rb") as f:
        if b"__asan_init" in f.read():
            first = last  # what is freed is kept there, on purpose
    ok(last - first <= 64, "memory stays flat", "%d KiB, then %d KiB" % (first, last))
    same(fds(pid), open_fds, "no descriptor is left")
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        same(len(f.read().split()), 1, "no child but the container's first process")
    same(glob.glob(path + "/*.process.json") + glob.glob(path + "/many*"), [], "no file is left")
    # broken ones
    for i in range(20):
        shim.call("Exec", [(1, "x1"), (2, "bad%d" % i), (7, process(["/no/such"]))])
        code, text, _ = shim.call("Start", [(1, "x1"), (2, "bad%d" % i)])
        assert code == 2 and text.startswith("OCI runtime exec failed: "), text
        assert shim.call("ResizePty", [(1, "x1"), (2, "bad%d" % i), (3, 10), (4, 10)])[0] != 0
        assert shim.call("Delete", [(1, "x1"), (2, "bad%d" % i)])[0] == 0
    same(fds(pid), open_fds, "nor after broken ones")
    # Update, stats and pids of what runs.
    resources = field(1, "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources") + field(2, json.dumps({"pids": {"limit": 77}}))
    same(shim.call("Update", [(1, "x1"), (2, resources)])[:2], (0, ""), "update")
    stats = dict(decode(dict(decode(shim.call("Stats", [(1, "x1")])[2]))[1]))
    ok(stats[1] in (b"io.containerd.cgroups.v1.Metrics", b"io.containerd.cgroups.v2.Metrics"), "stats: their type", stats[1])
    limit = dict(decode(dict(decode(stats[2]))[2 if b"v1" in stats[1] else 1])).get(2)
    same(limit, 77, "stats show what update has set")
    code, text, _ = shim.call("Update", [(1, "x1"), (2, field(1, "x") + field(2, "no json"))])
    ok(code == 2 and text.startswith("OCI runtime update failed: "), "update with nonsense", text)
    # A client that goes away while it waits, many times.
    for i in range(200):
        s = Shim(shim.sock.getpeername())
        s.send("Wait", [(1, "x1")])
        s.sock.close()
    ok(until(lambda: fds(pid) == open_fds), "200 waiting clients that went away leave nothing")
    code, text, _ = shim.call("Wait", [(1, "x1")], timeout=100000000)
    same((code, text), (4, "context deadline exceeded"), "a wait with a deadline ends")
    same(finish(shim, "x1"), 0, "kill, wait, delete")
    shim.call("Shutdown", [(1, "x1")])


def test_host_pids():
    """Without a PID namespace the end of the first process is the end of all."""
    path = bundle("h1", ["sh", "-c", "sleep 1000 & echo $! >/tmp/pid; sleep 0.5"],
                  linux={"namespaces": [{"type": t} for t in ("ipc", "uts", "mount", "network")]})
    shim = connect("h1", path)
    out = WORK + "/h1.out"
    same(create(shim, "h1", path, more=[(6, "file://" + out)])[0], 0, "create without a PID namespace")
    shim.call("Start", [(1, "h1")])
    pids = [dict(decode(v))[1] for n, v in decode(shim.call("Pids", [(1, "h1")])[2]) if n == 1]
    same(dict(decode(shim.call("Wait", [(1, "h1")])[2])).get(1, 0), 0, "its end")
    ok(until(lambda: all(gone(p) for p in pids)), "and its descendants'", pids)
    same(shim.call("Delete", [(1, "h1")])[0], 0, "delete")
    shim.call("Shutdown", [(1, "h1")])


def test_crun():
    if subprocess.run("command -v crun", shell=True, stdout=subprocess.DEVNULL).returncode:
        print("ok %d - crun # SKIP not installed" % (count + 1))
        return
    # crun wants no cgroup v2 beside v1: in a mount namespace of the shim's own there is none.
    path = bundle("r1", ["sh", "-c", "echo from crun; exit 9"])
    script = "umount /sys/fs/cgroup/unified 2>/dev/null; exec %s -namespace %s -address %s -id r1 start" % (SHIM, NS, ADDRESS)
    r = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=path, env=ENV, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, timeout=30)
    shim = Shim(r.stdout.decode()[len("unix://"):])
    out = WORK + "/r1.out"
    answer = create(shim, "r1", path, opts=options(binary_name="crun"), more=[(6, "file://" + out)])
    same(answer[:2], (0, ""), "create with crun")
    same(shim.call("Start", [(1, "r1")])[:2], (0, ""), "start")
    same(dict(decode(shim.call("Wait", [(1, "r1")])[2])).get(1), 9, "its exit status")
    same(shim.call("Delete", [(1, "r1")])[0], 0, "delete")
    with open(out) as f:
        same(f.read(), "from crun\n", "its output")
    shim.call("Shutdown", [(1, "r1")])


V3 = "containerd.task.v3.Task"


def test_v3():
    """Every method by the name that version 3 has for it."""
    path = bundle("v3", ["sh", "-c", "read x; echo got $x; sleep 1000"])
    shim = connect("v3", path)
    out, stdin = WORK + "/v3.out", WORK + "/v3.in"
    os.mkfifo(stdin)
    call = lambda method, *fields: shim.call(method, list(fields), service=V3)
    me = (1, "v3")
    same(dict(decode(call("Connect", me)[2])).get(3, b""), b"", "v3: connect, no container yet")
    code, _, reply = call("Create", me, (2, path), (5, stdin), (6, "file://" + out), (10, options()))
    pid = dict(decode(reply)).get(1)
    ok(code == 0 and pid, "v3: create")
    state = dict(decode(call("State", me)[2]))
    same((state[3], state[4]), (pid, 1), "v3: state, created")
    same(dict(decode(call("Start", me)[2])).get(1), pid, "v3: start")
    with open(stdin, "w") as f:
        f.write("input\n")
    ok(until(lambda: os.path.exists(out) and open(out).read() == "got input\n"), "v3: input and output")
    same(call("CloseIO", me, (3, 1))[0], 0, "v3: close_io")
    same(call("Exec", me, (2, "x"), (7, process(["sleep", "1000"])))[:2], (0, ""), "v3: exec")
    xpid = dict(decode(call("Start", me, (2, "x"))[2])).get(1)
    ok(xpid and xpid != pid, "v3: start of it", xpid)
    same(call("ResizePty", me, (3, 80), (4, 25))[0], 0, "v3: resize, where there is no terminal")
    found = [dict(decode(v)).get(1) for n, v in decode(call("Pids", me)[2]) if n == 1]
    ok(pid in found and xpid in found, "v3: pids", found)
    same(call("Pause", me)[:2], (0, ""), "v3: pause")
    same(dict(decode(call("State", me)[2]))[4], 4, "v3: state, paused")
    same(call("Resume", me)[:2], (0, ""), "v3: resume")
    resources = field(1, "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources") + field(2, json.dumps({"pids": {"limit": 55}}))
    same(call("Update", me, (2, resources))[:2], (0, ""), "v3: update")
    stats = dict(decode(dict(decode(call("Stats", me)[2]))[1]))
    same(dict(decode(dict(decode(stats[2]))[2 if b"v1" in stats[1] else 1])).get(2), 55, "v3: stats show it")
    same(call("Shutdown", me)[:2], (0, ""), "v3: shutdown while there is a container")
    same(call("Kill", me, (2, "x"), (3, 9))[:2], (0, ""), "v3: kill of the exec")
    same(dict(decode(call("Wait", me, (2, "x"))[2])).get(1), 137, "v3: wait for it")
    same(dict(decode(call("Delete", me, (2, "x"))[2])).get(2), 137, "v3: delete of it")
    same(call("Kill", me, (3, 15), (4, 1))[:2], (0, ""), "v3: kill all")
    same(call("Kill", me, (3, 9))[:2], (0, ""), "v3: kill")
    same(dict(decode(call("Wait", me)[2])).get(1), 137, "v3: wait")
    same(dict(decode(call("Delete", me)[2])).get(2), 137, "v3: delete")
    same(call("State", me)[:2], (5, "container not created: not found"), "v3: errors are the same")
    same(call("Shutdown", me)[0], 0, "v3: shutdown")


def test_bad_input():
    """What no client may send, and what it is told."""
    path = bundle("inp", ["sleep", "1000"])
    shim = connect("inp", path)
    pid = shim_pid(shim)
    before = fds(pid)
    for bad in ("a/b", "..", "", "x" * 77, "a b", "-a", "a\nb", "\u00e9"):
        code, text, _ = shim.call("Create", [(1, bad), (2, path), (10, options())])
        ok(code == 3 and "identifier" in text, "create: id %r is refused" % bad[:10], code, text)
    same(shim.call("State", [(1, "nobody")])[:2], (5, "container not created: not found"), "an unknown container")

    def refused(what, want, process=None, linux=None, mounts=None):
        where = bundle("bad2", ["sleep", "1000"], process=process or {}, linux=linux or {})
        if mounts:
            with open(where + "/config.json") as f:
                spec = json.load(f)
            spec["mounts"] += mounts
            with open(where + "/config.json", "w") as f:
                json.dump(spec, f)
        code, text, _ = create(shim, "bad2", where)
        if code == 0:  # only the start finds out
            code, text, _ = shim.call("Start", [(1, "bad2")])
            finish(shim, "bad2")
        ok(code in (2, 3) and re.search(want, text), "%s: refused" % what, code, text)
        same(shim.call("State", [(1, "bad2")])[:2], (5, "container not created: not found"), "%s: nothing is left" % what)
        shutil.rmtree(where)

    number = "cannot unmarshal number|invalid"
    for uid in (-1, 4294967296, 1e3 + 0.5):
        refused("uid %s" % uid, number, process={"user": {"uid": uid, "gid": 0}})
    refused("gid 4294967296", number, process={"user": {"uid": 0, "gid": 4294967296}})
    refused("memory limit 2^64", number, linux={"resources": {"memory": {"limit": 1 << 64}}})
    refused("memory limit -5", "OCI runtime create failed", linux={"resources": {"memory": {"limit": -5}}})
    refused("memory limit 1", "OCI runtime (create|start) failed", linux={"resources": {"memory": {"limit": 1}}})
    refused("a mount whose source is missing", "no such file or directory",
            mounts=[{"destination": "/mnt", "type": "bind", "source": "/no/such/source", "options": ["rbind"]}])
    refused("no arguments", "OCI runtime create failed", process={"args": []})
    refused("a working folder that is relative", "OCI runtime create failed", process={"cwd": "tmp"})

    same(create(shim, "inp", path)[0], 0, "after all this a container can be created")
    same(create(shim, "inp", path)[:2], (6, "task inp: already exists"), "but not twice")
    same(shim.call("Kill", [(1, "inp"), (3, 0xFFFFFFFF)])[0], 2, "signal 4294967295 is refused")
    same(shim.call("Start", [(1, "inp")])[0], 0, "it starts")
    for bad in ("a/b", "..", "x" * 77, "a b"):
        same(shim.call("Exec", [(1, "inp"), (2, bad), (7, process(["true"]))])[0], 3, "exec: id %r is refused" % bad[:10])
    same(shim.call("Exec", [(1, "inp"), (7, process(["true"]))])[0], 3, "exec: no id is refused")
    same(shim.call("Exec", [(1, "inp"), (2, "e"), (7, process(["true"]))])[0], 0, "exec")
    same(shim.call("Exec", [(1, "inp"), (2, "e"), (7, process(["true"]))])[:2], (6, "id e: already exists"), "exec: an id that is taken")
    same(shim.call("Kill", [(1, "inp"), (2, "e"), (3, 9)])[:2], (9, "process not created: failed precondition"),
         "kill of an exec that has not started")
    same(dict(decode(shim.call("Delete", [(1, "inp"), (2, "e")])[2])).get(2, 0), 0, "delete of one that never did")
    for what, spec in (("no JSON", "{ no json"), ("a list", "[]"), ("nothing", ""), ("a uid of -1", '{"user":{"uid":-1},"args":["true"],"cwd":"/"}')):
        shim.call("Exec", [(1, "inp"), (2, "j"), (7, field(1, "types.containerd.io/opencontainers/runtime-spec/1/Process") + field(2, spec))])
        code, text, _ = shim.call("Start", [(1, "inp"), (2, "j")])
        ok(code in (2, 3, 5) and text, "exec whose document is %s: refused" % what, code, text)
        shim.call("Delete", [(1, "inp"), (2, "j")])
    for limit in (1 << 64, "many"):
        resources = field(1, "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources") + field(
            2, json.dumps({"memory": {"limit": limit}}))
        code, text, _ = shim.call("Update", [(1, "inp"), (2, resources)])
        ok(code == 2 and text.startswith("OCI runtime update failed: "), "update: memory limit %s is refused" % limit, code, text)
    code, text, _ = shim.call("ResizePty", [(1, "inp"), (3, 1 << 20), (4, 1)])
    same(code, 3, "a terminal a million wide is refused")
    # Frames that are none.
    for frame in (b"\xff\xff\xff\xff\0\0\0\1\1\0", struct.pack(">IIBB", 1 << 31, 1, 1, 0), struct.pack(">IIBB", 9, 1, 1, 0) + b"\xff" * 9,
                  struct.pack(">IIBB", 0, 2, 1, 0), struct.pack(">IIBB", 10, 1, 1, 0) + b"short"):
        s = Shim(shim.sock.getpeername())
        s.sock.sendall(frame)
        s.sock.close()
    same(shim.call("State", [(1, "inp")])[0], 0, "after frames that are none it answers")
    same(finish(shim, "inp"), 0, "kill, wait, delete")
    ok(until(lambda: fds(pid) == before), "no descriptor is left", before, fds(pid))
    shim.call("Shutdown", [(1, "inp")])


def test_hostile():
    """A container that wants out, and one that wants the shim's memory."""
    path = bundle("h2", ["sleep", "1000"])
    shim = connect("h2", path)
    pid = dict(decode(create(shim, "h2", path)[2]))[1]
    server = shim_pid(shim)
    shim.call("Start", [(1, "h2")])
    has = lambda: sorted(os.listdir("/proc/%d/fd" % pid))
    ok(until(lambda: has() == ["0", "1", "2"]), "a container has its own descriptors only", has())

    def looks_out(n, as_exec):
        out = "%s/cwd.out" % WORK
        cwd = "/proc/self/fd/%d" % n
        args = ["sh", "-c", "ls ../../../../../../../..; ls /proc/self/cwd/../../../../../../.."]
        if as_exec:
            spec = {"user": {"uid": 0, "gid": 0}, "args": args, "env": ["PATH=/bin"], "cwd": cwd}
            shim.call("Exec", [(1, "h2"), (2, "w"), (5, "file://" + out),
                               (7, field(1, "types.containerd.io/opencontainers/runtime-spec/1/Process") + field(2, json.dumps(spec)))])
            if shim.call("Start", [(1, "h2"), (2, "w")])[0] == 0:
                shim.call("Wait", [(1, "h2"), (2, "w")])
            shim.call("Delete", [(1, "h2"), (2, "w")])
        else:
            where = bundle("w", args, process={"cwd": cwd})
            if create(shim, "w", where, more=[(6, "file://" + out)])[0] == 0:
                shim.call("Start", [(1, "w")])
                shim.call("Wait", [(1, "w")])
                shim.call("Delete", [(1, "w")])
            shutil.rmtree(where)
        text = open(out).read() if os.path.exists(out) else ""
        if os.path.exists(out):
            os.unlink(out)
        return bool({"sys", "etc", "usr", "home"} & set(text.split()))  # the container has none of these

    for as_exec in (False, True):
        found = [n for n in range(3, 24) if looks_out(n, as_exec)]
        same(found, [], "a working folder of /proc/self/fd/N gets %s out" % ("no exec" if as_exec else "nobody"))

    # A client that writes without end to one that never reads.
    stdin = WORK + "/h2.in"
    os.mkfifo(stdin)
    shim.call("Exec", [(1, "h2"), (2, "deaf"), (4, stdin), (7, process(["sleep", "1000"]))])
    fd = os.open(stdin, os.O_RDWR | os.O_NONBLOCK)
    shim.call("Start", [(1, "h2"), (2, "deaf")])

    def rss():
        with open("/proc/%d/smaps_rollup" % server) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Pss_Anon:"))

    before, sent, end = rss(), 0, time.time() + 2
    while time.time() < end:
        try:
            sent += os.write(fd, b"x" * 65536)
        except BlockingIOError:
            time.sleep(0.01)
    ok(sent < 1 << 20, "who never reads its stdin is sent what pipes hold", sent)
    ok(rss() - before < 100, "and the shim's memory does not grow", before, rss())
    with open("/proc/%d/stat" % server) as f:
        ticks = sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])
    time.sleep(1)
    with open("/proc/%d/stat" % server) as f:
        ok(sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13]) - ticks < 20, "nor does it spin")
    same(shim.call("State", [(1, "h2")])[0], 0, "and it answers")
    shim.call("Kill", [(1, "h2"), (2, "deaf"), (3, 9)])
    shim.call("Wait", [(1, "h2"), (2, "deaf")])
    shim.call("Delete", [(1, "h2"), (2, "deaf")])
    os.close(fd)
    with open("/proc/net/unix") as f:
        same([line for line in f if "@" in line and ("gantry" in line or "containerd" in line and WORK in line)], [],
             "no abstract socket")
    same(finish(shim, "h2"), 0, "kill, wait, delete")
    shim.call("Shutdown", [(1, "h2")])


def to_the_end(fifo, seconds=20):
    """All that comes out of a FIFO whose reader this becomes now; None: its end does not come."""
    fd, got, end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), b"", time.time() + seconds
    try:
        while time.time() < end:
            try:
                part = os.read(fd, 65536)
                if not part:
                    return got
                got += part
            except BlockingIOError:
                time.sleep(0.02)
        return None
    finally:
        os.close(fd)


# What a terminal needs.
DEV = [{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
       {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]}]


def test_late_readers():
    """A client may open its FIFOs after Create, or after the end; and waits for theirs before it deletes."""
    def fifo(name):
        os.mkfifo("%s/%s" % (WORK, name))
        return "%s/%s" % (WORK, name)

    for name, terminal, late in (("lr1", 0, False), ("lr2", 0, True), ("lr3", 1, False), ("lr4", 1, True)):
        path = bundle(name, ["sh", "-c", "read go </go; echo all of it"], process={"terminal": bool(terminal)},
                      mounts=DEV)
        os.mkfifo(WORK + "/rootfs/go")
        shim = connect(name, path)
        out = fifo(name + ".out")
        what = "%s, a reader that comes %s" % ("a terminal" if terminal else "a FIFO", "after the end" if late else "after Create")
        same(create(shim, name, path, more=[(4, terminal), (6, out)])[0], 0, what)
        shim.call("Start", [(1, name)])
        got = []
        reader = threading.Thread(target=lambda: got.append(to_the_end(out)))
        if not late:
            reader.start()
        with open(WORK + "/rootfs/go", "w") as f:
            f.write("go\n")
        same(shim.call("Wait", [(1, name)])[0], 0, "the process ends")
        if late:
            time.sleep(0.3)
            reader.start()
        reader.join()
        same(got[0] and got[0].replace(b"\r", b""), b"all of it\n", "it gets all, and the end, before Delete")
        same(shim.call("Delete", [(1, name)])[0], 0, "delete")
        shim.call("Shutdown", [(1, name)])
        os.unlink(WORK + "/rootfs/go")

    path = bundle("lrx", ["sleep", "1000"], mounts=DEV)
    shim = connect("lrx", path)
    create(shim, "lrx", path)
    shim.call("Start", [(1, "lrx")])
    for terminal in (0, 1):
        xid, out = "x%d" % terminal, fifo("lrx%d.out" % terminal)
        shim.call("Exec", [(1, "lrx"), (2, xid), (3, terminal), (5, out), (7, process(["echo", "all of it"]))])
        same(shim.call("Start", [(1, "lrx"), (2, xid)])[0], 0, "an exec whose output nobody reads")
        shim.call("Wait", [(1, "lrx"), (2, xid)])
        got = to_the_end(out)
        same(got and got.replace(b"\r", b""), b"all of it\n", "who comes after its end gets all, and the end")
        same(shim.call("Delete", [(1, "lrx"), (2, xid)])[0], 0, "delete")
    same(finish(shim, "lrx"), 0, "kill, wait, delete")
    shim.call("Shutdown", [(1, "lrx")])


def test_input():
    """All that a client wrote before CloseIO arrives, and comes back, however late it is read."""
    data = os.urandom(1500000)
    for i in range(6):
        cid = "in%d" % i
        path = bundle(cid, ["cat"])
        for name in ("in", "out"):
            os.mkfifo("%s/%s.%s" % (WORK, cid, name))
        out = os.open("%s/%s.out" % (WORK, cid), os.O_RDONLY | os.O_NONBLOCK)
        shim = connect(cid, path)
        create(shim, cid, path, more=[(5, "%s/%s.in" % (WORK, cid)), (6, "%s/%s.out" % (WORK, cid))])
        shim.call("Start", [(1, cid)])

        def write():
            with open("%s/%s.in" % (WORK, cid), "wb", buffering=0) as f:
                left = memoryview(data)
                while left:
                    left = left[f.write(left[:32768]):]
                if i % 2:  # as containerd's ctr: it closes its end after CloseIO has been answered
                    Shim(shim.sock.getpeername()).call("CloseIO", [(1, cid), (3, 1)])
            if not i % 2:
                Shim(shim.sock.getpeername()).call("CloseIO", [(1, cid), (3, 1)])

        writer = threading.Thread(target=write)
        writer.start()
        got, end = b"", time.time() + 60
        os.set_blocking(out, True)
        while time.time() < end:
            part = os.read(out, 65536)
            if not part:
                break
            got += part
            if i > 3:
                time.sleep(0.005)  # a slow reader: all FIFOs and pipes are full at CloseIO
        writer.join()
        os.close(out)
        ok(got == data, "every byte there and back, by way of CloseIO %d" % i, len(got), len(data))
        same(shim.call("Wait", [(1, cid)])[0], 0, "it ends")
        same(shim.call("Delete", [(1, cid)])[0], 0, "delete")
        shim.call("Shutdown", [(1, cid)])


def test_sandbox():
    """A sandbox without a process of its own, and containers in it."""
    path = "%s/b/pod" % WORK
    os.makedirs(path)
    ENV["MAX_SHIM_VERSION"] = "3"
    code, text = start("pod", path)
    del ENV["MAX_SHIM_VERSION"]
    same(code, 0, "start for a bundle without a spec")
    made = json.loads(text)
    same((made["version"], made["protocol"]), (3, "ttrpc"), "start says that it is of version 3")
    shim, other = Shim(made["address"][7:]), Shim(made["address"][7:])
    pid = shim_pid(shim)
    call = lambda method, *fields, by=shim: by.call(method, list(fields), service="containerd.runtime.sandbox.v1.Sandbox")
    me = (1, "pod")
    status = lambda: dict(decode(call("SandboxStatus", me)[2]))
    same(call("PingSandbox", me)[:2], (5, "sandbox pod: not found"), "no sandbox yet")
    for method in ("StartSandbox", "StopSandbox", "WaitSandbox", "SandboxStatus", "Platform", "SandboxMetrics", "ShutdownSandbox"):
        same(call(method, me)[:2], (5, "sandbox pod: not found"), "%s: nor does it harm" % method)
    same(call("CreateSandbox", (1, "a/b"), (2, path))[0], 3, "a bad id")
    same(call("CreateSandbox", me, (2, "relative"))[0], 3, "a relative bundle")
    code, text, _ = call("CreateSandbox", me, (2, path), (5, "/no/such/netns"))
    ok(code == 3 and "/no/such/netns" in text, "no such network namespace", code, text)
    code, text, _ = call("CreateSandbox", me, (2, path), (5, "/dev/null"))
    ok(code == 3 and "is no network namespace" in text, "a file that is none", code, text)
    code, text, _ = call("CreateSandbox", me, (2, path), (3, field(1, "bind") + field(2, "/")))
    ok(code == 12 and "no process of its own" in text, "a root file system", code, text)
    same(call("CreateSandbox", me, (2, path), (5, "/proc/self/ns/net"))[:2], (0, ""), "create")
    same(call("CreateSandbox", me, (2, path))[:2], (6, "sandbox pod: already exists"), "create twice")
    same(status().get(3), b"SANDBOX_NOTREADY", "status before start")
    same(call("PingSandbox", (1, "dop"))[0], 5, "another's name")
    reply = dict(decode(call("StartSandbox", me)[2]))
    ok(reply.get(1) == pid and abs(dict(decode(reply[2]))[1] - time.time()) < 60, "start: the shim's process, and since when", reply)
    same(call("StartSandbox", me)[:2], (9, "sandbox pod has been started: failed precondition"), "start twice")
    same((status().get(1), status().get(2), status().get(3)), (b"pod", pid, b"SANDBOX_READY"), "status")
    same(call("PingSandbox", me)[:2], (0, ""), "ping")
    p = dict(decode(dict(decode(call("Platform", me)[2]))[1]))
    same((p[1], p[2] in (b"amd64", b"arm64") or len(p[2]) > 0), (b"linux", True), "platform")
    same(call("SandboxMetrics", me)[0], 0, "metrics without a container")
    for cid in ("pc1", "pc2"):
        bpath = bundle(cid, ["sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.05; done"] if cid == "pc1" else ["sleep", "1000"])
        same(create(shim, cid, bpath)[0], 0, "a container in it")
        same(shim.call("Start", [(1, cid)])[0], 0, "starts")
    info = {dict(decode(v))[1]: dict(decode(v))[2] for n, v in decode(call("SandboxStatus", me, (2, 1))[2]) if n == 4}
    same(set(info[b"containers"].split(b",")), {b"pc1", b"pc2"}, "verbose status names them")
    same(info[b"netns"], b"/proc/self/ns/net", "and the network namespace")
    metric = dict(decode(dict(decode(call("SandboxMetrics", me)[2]))[1]))
    any_ = dict(decode(metric[3]))
    pids = dict(decode(dict(decode(any_[2]))[2 if b"v1" in any_[1] else 1]))[1]
    ok(metric[2] == b"pod" and pids >= 2, "metrics add up what they use", metric)
    same(shim.call("Shutdown", [me])[0], 0, "shutdown of the task service")
    same(call("PingSandbox", me)[:2], (0, ""), "leaves it")
    code, text, _ = call("ShutdownSandbox", me)
    ok(code == 9 and "pc1" in text and "pc2" in text, "shutdown while there are containers", code, text)
    waits = other.send("WaitSandbox", [me], service="containerd.runtime.sandbox.v1.Sandbox")
    begin = time.time()
    same(call("StopSandbox", me, (2, 1))[:2], (0, ""), "stop")
    ok(0.9 < time.time() - begin < 8, "takes the time that it was given for who does not end by SIGTERM", time.time() - begin)
    stream, code, _, reply = other.answer()
    same((stream, code, dict(decode(reply)).get(1, 0)), (waits, 0, 0), "who waits hears of it")
    same(dict(decode(shim.call("Wait", [(1, "pc1")])[2])).get(1), 4, "one that heeds SIGTERM")
    same(dict(decode(shim.call("Wait", [(1, "pc2")])[2])).get(1), 137, "one that does not")
    same((status().get(2, 0), status().get(3)), (0, b"SANDBOX_NOTREADY"), "status after it")
    same(call("StopSandbox", me)[:2], (0, ""), "stop again")
    same(call("WaitSandbox", me)[0], 0, "wait again")
    bpath = bundle("pc3", ["true"])
    same(create(shim, "pc3", bpath)[:2], (9, "sandbox pod has been stopped: failed precondition"), "no container any more")
    for cid in ("pc1", "pc2"):
        same(shim.call("Delete", [(1, cid)])[0], 0, "delete")
    ok(not gone(pid), "the shim is there without containers")
    same(call("ShutdownSandbox", me)[:2], (0, ""), "shutdown")
    ok(until(lambda: gone(pid)), "ends the shim")
    ok(not os.path.exists(made["address"][7:]), "and takes its socket")


def test_loggers():
    """Logging programs that are slow, stop reading, die, or are none."""
    path = bundle("lg", ["sleep", "1000"])
    shim = connect("lg", path)
    server = shim_pid(shim)
    create(shim, "lg", path)
    shim.call("Start", [(1, "lg")])
    before = fds(server)

    def logged(xid, text, script):
        out = shim.call("Exec", [(1, "lg"), (2, xid), (5, "binary://" + script), (7, process(["sh", "-c", text]))])
        return shim.call("Start", [(1, "lg"), (2, xid)]) if out[0] == 0 else out

    slow = program("slow", "exec 5>&-\nsleep 1\nexec cat <&3 >%s/slow.out\n" % WORK)
    same(logged("slow", "yes 0123456789 | head -c 2000000; exit 5", slow)[:2], (0, ""), "a slow logger")
    same(dict(decode(shim.call("Wait", [(1, "lg"), (2, "slow")])[2])).get(1), 5, "what it logs ends")
    same(shim.call("Delete", [(1, "lg"), (2, "slow")])[0], 0, "delete")
    same(os.path.getsize(WORK + "/slow.out"), 2000000, "every byte is in its file by then")

    deaf = program("deaf", "echo $$ >%s/deaf.pid\nexec 5>&-\nexec sleep 1000\n" % WORK)
    same(logged("deaf", "yes", deaf)[0], 0, "a logger that never reads")
    for i in range(3):
        with_log = "file://%s/beside%d.out" % (WORK, i)
        shim.call("Exec", [(1, "lg"), (2, "n%d" % i), (5, with_log), (7, process(["echo", "alive"]))])
        shim.call("Start", [(1, "lg"), (2, "n%d" % i)])
        shim.call("Wait", [(1, "lg"), (2, "n%d" % i)])
        same(shim.call("Delete", [(1, "lg"), (2, "n%d" % i)])[0], 0, "others go on beside it")
        with open("%s/beside%d.out" % (WORK, i)) as f:
            same(f.read(), "alive\n", "and their output arrives")
    shim.call("Kill", [(1, "lg"), (2, "deaf"), (3, 9)])
    same(dict(decode(shim.call("Wait", [(1, "lg"), (2, "deaf")])[2])).get(1), 137, "who wrote to it can be killed")
    begin = time.time()
    same(shim.call("Delete", [(1, "lg"), (2, "deaf")])[0], 0, "and deleted")
    ok(time.time() - begin < 30, "in the end", time.time() - begin)
    with open(WORK + "/deaf.pid") as f:
        logger = int(f.read())
    ok(until(lambda: gone(logger)), "its logger has been ended")

    dies = program("dies.log", "exec 5>&-\nhead -c 10 <&3 >%s/dies.out\nkill -KILL $$\n" % WORK)
    same(logged("dies", "yes | head -c 100000; exit 6", dies)[0], 0, "a logger that dies")
    shim.call("Kill", [(1, "lg"), (2, "dies"), (3, 9)])
    ok(dict(decode(shim.call("Wait", [(1, "lg"), (2, "dies")])[2])).get(1) in (6, 137), "who wrote to it ends")
    same(shim.call("Delete", [(1, "lg"), (2, "dies")])[0], 0, "and goes")

    code, text, _ = logged("none", "true", WORK + "/no-such-logger")
    ok(code != 0 and "no-such-logger" in text, "a logger that is not there", code, text)
    shim.call("Delete", [(1, "lg"), (2, "none")])
    code, text, _ = shim.call("Exec", [(1, "lg"), (2, "rel"), (5, "binary://relative"), (7, process(["true"]))])
    if code == 0:
        code, text, _ = shim.call("Start", [(1, "lg"), (2, "rel")])
    ok(code != 0 and "absolute" in text, "a logger without a path", code, text)
    shim.call("Delete", [(1, "lg"), (2, "rel")])
    ok(until(lambda: fds(server) == before), "no descriptor is left", before, fds(server))
    same(finish(shim, "lg"), 0, "kill, wait, delete")
    shim.call("Shutdown", [(1, "lg")])


for test in (test_start, test_bootstrap, test_errors, test_journal, test_death, test_execs, test_host_pids, test_crun, test_v3, test_bad_input, test_hostile, test_late_readers, test_input, test_sandbox, test_loggers):
    try:
        test()
    except Exception as e:
        import traceback
        ok(False, "%s goes through" % test.__name__, *traceback.format_exc().splitlines())
same(mounts(), 0, "no mount is left")
print("1..%d" % count)
sys.exit(failures > 0)
