#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the layer worker as the differ does: layer.py WORKER MODE TARGET PARALLEL BLOB... [-- OPTION=VALUE...]

MODE is apply (into folders below TARGET) or measure. Prints wall and processor seconds and the bytes that
came out.
"""
import os
import resource
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def run(worker, mode, blob, target, options):
    result, far = os.pipe()
    fds = [far, os.open(blob, os.O_RDONLY)]
    if mode == "apply":
        os.mkdir(target)
        fds.append(os.open(target, os.O_RDONLY))
    # Above all numbers that the worker wants, so that none is overwritten before it is moved.
    moves = [(os.POSIX_SPAWN_DUP2, fd, 200 + i) for i, fd in enumerate(fds)]
    moves += [(os.POSIX_SPAWN_DUP2, 200 + i, 3 + i) for i in range(len(fds))]
    pid = os.posix_spawn(worker, [worker, mode] + options, {}, file_actions=moves)
    for fd in fds:
        os.close(fd)
    answer = b""
    while part := os.read(result, 65536):
        answer += part
    os.close(result)
    os.waitpid(pid, 0)
    if answer[:1] != b"R":
        sys.exit("layer worker: %r" % answer)
    return struct.unpack("<q", answer[5:13])[0]


def main(worker, mode, target, parallel, *rest):
    at = rest.index("--") if "--" in rest else len(rest)
    blobs, options = rest[:at], list(rest[at + 1:])
    begin = time.time()
    with ThreadPoolExecutor(int(parallel)) as pool:
        jobs = [pool.submit(run, worker, mode, b, "%s/%d" % (target, i), options) for i, b in enumerate(blobs)]
        size = sum(j.result() for j in jobs)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("%.3f %.3f %d" % (time.time() - begin, used.ru_utime + used.ru_stime, size))


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
