# SPDX-License-Identifier: Apache-2.0
"""Started by shim-load.sh. Prints TAP."""
import concurrent.futures
import glob
import json
import os
import re
import socket
import subprocess
import sys
import time

from shim_client import Shim, decode, field

WORK, CTR, IMAGE = os.environ["WORK"], os.environ["CTR"], os.environ["IMAGE"]
NS = os.environ["CONTAINERD_NAMESPACE"]
BUNDLES = "%s/state/io.containerd.runtime.v2.task/%s" % (WORK, NS)
LOAD = os.environ.get("LOAD", "").split()
count = failures = 0


def scale(test):
    """How many times the short form: 100 for the long one, or a part of it."""
    for word in LOAD:
        name, _, part = word.partition("/")
        if name in ("all", test):
            return 100 // int(part or 1)
    return 1


def ok(good, what, *shown):
    global count, failures
    count += 1
    failures += not good
    print("%sok %d - %s" % ("" if good else "not ", count, what), flush=True)
    for line in () if good else shown:
        print("# %s" % (line,), flush=True)


def ctr(*args, **kw):
    return subprocess.run([CTR] + list(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120, **kw)


def many(function, n, at_once):
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(function, range(n)))


def shim_of(cid):
    name = "/bootstrap.json" if os.path.exists("%s/%s/bootstrap.json" % (BUNDLES, cid)) else "/address"
    with open(BUNDLES + "/" + cid + name) as f:
        text = f.read()
    return Shim((json.loads(text)["address"] if text[0] == "{" else text)[len("unix://"):])


def figures(pid):
    """(anonymous KiB, descriptors, threads, children) of a process at rest."""
    def one():
        with open("/proc/%d/smaps_rollup" % pid) as f:
            kib = next(int(line.split()[1]) for line in f if line.startswith("Pss_Anon:"))
        children = sum(len(open(p).read().split()) for p in glob.glob("/proc/%d/task/*/children" % pid))
        return (kib, len(os.listdir("/proc/%d/fd" % pid)), len(os.listdir("/proc/%d/task" % pid)), children)
    time.sleep(2.5)  # output that nobody came to read is kept for two seconds
    best = one()
    for _ in range(100):
        time.sleep(0.05)
        now = one()
        if now == best:
            break
        best = now
    return best


def is_flat(before, after, what):
    # Under a sanitizer freed memory is kept on purpose.
    with open("/proc/%d/exe" % PID, "rb") as f:
        grown = 0 if b"__asan_init" in f.read() else after[0] - before[0]
    ok(grown <= 96, "%s: memory is flat" % what, "%d KiB, then %d KiB" % (before[0], after[0]))
    ok(before[1:] == after[1:], "%s: no descriptor, thread or child is left" % what, before, after)


def process(args, terminal=False):
    spec = {"user": {"uid": 0, "gid": 0}, "args": args, "env": ["PATH=/bin"], "cwd": "/", "terminal": terminal}
    return field(1, "types.containerd.io/opencontainers/runtime-spec/1/Process") + field(2, json.dumps(spec))


def test_output():
    n, bad = 100 * scale("output"), []

    def run(i):
        word = "%d-%x\n" % (i, i * 2654435761 & 0xFFFFFFFF)
        want = (word * (65536 // len(word) + 1)).encode()[:65536]
        r = ctr("run", "--rm", IMAGE, "o%d" % i, "sh", "-c", "yes '%s' | head -c 65536; exit %d" % (word.strip(), i % 200))
        if r.returncode != i % 200 or r.stdout != want:
            bad.append("%d: status %d, want %d; %d bytes; %s" % (i, r.returncode, i % 200, len(r.stdout), r.stderr.decode()))
        return len(r.stdout)

    begin = time.time()
    total = sum(many(run, n, 32))
    ok(not bad, "%d containers print 64 KiB and exit, 32 at a time: every byte and exit status arrives" % n, *bad[:20])
    print("# %d bytes, %.1f containers a second" % (total, n / (time.time() - begin)))
    ok(not os.listdir(BUNDLES) and not glob.glob("/sys/fs/cgroup/*/%s/*/" % NS), "nothing of them is left",
       os.listdir(BUNDLES), glob.glob("/sys/fs/cgroup/*/%s/*/" % NS)[:5])


def start_base():
    global PID, PATH
    r = ctr("run", "-d", "--null-io", "--runc-binary", WORK + "/counting", IMAGE, "base", "sleep", "1000000")
    ok(r.returncode == 0, "a container for the rest", r.stderr.decode())
    shim = shim_of("base")
    PATH = shim.sock.getpeername()
    PID = dict(decode(shim.call("Connect", [(1, "base")])[2]))[1]
    shim.sock.close()


def test_execs():
    n, bad = max(20 * scale("execs"), 100), []

    def run(i):
        r = ctr("tasks", "exec", "--exec-id", "e%d" % i, "base", "sh", "-c", "echo %d; exit %d" % (i, i % 200))
        if r.returncode != i % 200 or r.stdout.decode() != "%d\n" % i:
            bad.append("%d: %d, %r, %s" % (i, r.returncode, r.stdout, r.stderr.decode()))

    many(run, 50, 50)
    before = figures(PID)
    many(lambda i: run(i + 50), n, 50)
    ok(not bad, "%d execs, 50 at a time: each output and status" % n, *bad[:10])
    is_flat(before, figures(PID), "%d execs" % n)
    left = [f for f in os.listdir(BUNDLES + "/base") if re.match(r"e\d", f)]
    ok(not left, "no file of theirs is left", left[:10])


def test_broken_execs():
    """Arguments that cannot be run, with a terminal, and a resize that comes too early, too late and too large."""
    n = 100 * scale("broken_execs")
    wrong = [process(["/no/such"], True), process([], True), process(["/etc"], True), process(["x" * 3000], True),
             field(1, "types.containerd.io/opencontainers/runtime-spec/1/Process") + field(2, "{ no json"), field(1, "strange")]
    answers = set()

    def run(i):
        s, xid = Shim(PATH), "b%d" % i
        os.mkfifo("%s/%s" % (WORK, xid))
        s.call("Exec", [(1, "base"), (2, xid), (3, 1), (5, "%s/%s" % (WORK, xid)), (7, wrong[i % len(wrong)])])
        s.call("ResizePty", [(1, "base"), (2, xid), (3, 80), (4, 25)])
        answers.add(s.call("Start", [(1, "base"), (2, xid)])[0])
        s.call("ResizePty", [(1, "base"), (2, xid), (3, 1 << 20), (4, 25)])
        s.call("Delete", [(1, "base"), (2, xid)])
        s.sock.close()
        os.unlink("%s/%s" % (WORK, xid))

    many(run, 24, 8)
    before = figures(PID)
    many(lambda i: run(i + 24), n, 8)
    ok(answers and 0 not in answers, "%d execs with broken arguments and a resize are refused" % n, answers)
    is_flat(before, figures(PID), "%d broken execs" % n)
    left = glob.glob(WORK + "/xdg/*") + [f for f in os.listdir(BUNDLES + "/base") if re.match(r"b\d", f)]
    ok(not left, "nothing of theirs is left", left[:10])


def test_attaches():
    """Clients that attach, ask for the end, and go in the middle of a word; and half a request."""
    n = 100 * scale("attaches")
    out = WORK + "/attach.out"
    os.mkfifo(out)
    s = Shim(PATH)
    s.call("Exec", [(1, "base"), (2, "talks"), (5, out), (7, process(["sh", "-c", "while :; do echo 0123456789abcdef; done"]))])
    hold = os.open(out, os.O_RDWR | os.O_NONBLOCK)
    ok(s.call("Start", [(1, "base"), (2, "talks")])[0] == 0, "an exec that prints without end")
    os.close(hold)

    def attach(i):
        fd = os.open(out, os.O_RDONLY)
        c = Shim(PATH)
        c.send("Wait", [(1, "base"), (2, "talks")])
        os.read(fd, 1000 + i % 5000)
        if i % 3 == 0:
            c.sock.sendall(b"\0\0\0\x50\0\0\0\x05\1\0half of a request")
        if i % 3 == 1:
            c.sock.shutdown(socket.SHUT_WR)
        os.close(fd)
        c.sock.close()

    many(attach, 50, 10)
    before = figures(PID)
    many(attach, n, 10)
    is_flat(before, figures(PID), "%d attaches that were closed half-way" % n)
    s.call("Kill", [(1, "base"), (2, "talks"), (3, 9)])
    fd = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
    ok(s.call("Wait", [(1, "base"), (2, "talks")])[0] == 0, "and the exec ends")
    s.call("Delete", [(1, "base"), (2, "talks")])
    os.close(fd)


def test_cost():
    """What one exec costs, with no other container and with 30."""
    calls = WORK + "/runtime.calls"

    def exec_cost(xid):
        trace = WORK + "/cost"
        os.truncate(calls, 0)
        subprocess.run(["strace", "-f", "--detach-on=execve", "-qq", "-o", trace, "-e",
                        "trace=openat,connect,getdents64,sendto,clone,clone3,newfstatat,access",
                        CTR, "tasks", "exec", "--exec-id", xid, "base", "true"], check=True, stdin=subprocess.DEVNULL)
        with open(trace) as f:
            n = sum(1 for line in f if "/proc/" not in line)
        with open(calls) as f:
            return [line.split(" exec ")[0] and "exec" for line in f if " exec " in line] + [
                line for line in f if " exec " not in line], n

    first, n_first = exec_cost("c1")
    many(lambda i: ctr("run", "-d", "--null-io", IMAGE, "x%d" % i, "sleep", "1000000"), 30, 8)
    r = ctr("tasks", "ls", "-q").stdout.decode().split()
    ok(len(r) == 31, "30 more containers run", len(r))
    second, n_second = exec_cost("c2")
    ok(first == second == ["exec"], "an exec is one call of the runtime program", first, second)
    ok(n_second < n_first + 15, "and ctr's calls do not grow with the containers (%d, %d)" % (n_first, n_second))
    for cid in r:
        ctr("tasks", "delete", "-f", cid)
        ctr("containers", "delete", cid)


for test in (test_output, start_base, test_execs, test_broken_execs, test_attaches, test_cost):
    try:
        test()
    except Exception:
        import traceback
        ok(False, "%s goes through" % test.__name__, *traceback.format_exc().splitlines())
ok(not os.listdir(BUNDLES), "no bundle is left", os.listdir(BUNDLES))
print("1..%d" % count)
sys.exit(failures > 0)
