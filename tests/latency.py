#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long unary calls take: latency.py SOCKET NAMESPACE CONTAINER CALLS [QUIET]

Prints a line per method: name, median and 99th percentile in microseconds, and with QUIET, the output of
an earlier run, how many times that run's 99th percentile it is. The methods take turns, so that
what disturbs one disturbs all."""
import sys
import time

from grpc_client import Client, proto

path, space, container, count = sys.argv[1], sys.argv[2].encode(), sys.argv[3].encode(), int(sys.argv[4])
quiet = {}
if len(sys.argv) > 5:
    with open(sys.argv[5]) as f:
        quiet = {line.split()[0]: float(line.split()[2]) for line in f}
methods = {
    "Version": (b"/containerd.services.version.v1.Version/Version", b""),
    "Images.List": (b"/containerd.services.images.v1.Images/List", b""),
    "Tasks.List": (b"/containerd.services.tasks.v1.Tasks/List", b""),
    "Containers.Get": (b"/containerd.services.containers.v1.Containers/Get", proto((1, container))),
}
client = Client(path, space)
times = {name: [] for name in methods}
for _ in range(count):
    for name, (method, message) in methods.items():
        start = time.perf_counter()
        if client.call(method, message) is None:
            raise SystemExit(name + " has failed")
        times[name].append((time.perf_counter() - start) * 1e6)
for name, seen in times.items():
    seen.sort()
    median, high = seen[len(seen) // 2], seen[min(len(seen) - 1, len(seen) * 99 // 100)]
    print(name, round(median), round(high), *([round(high / quiet[name], 2)] if quiet else []))
