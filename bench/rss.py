#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command and looks at it and at what it starts a hundred times a second: rss.py COMMAND...

Prints, in MB, the peak of the command's resident memory, that of the largest other process, and that of all at
once.
"""
import os
import subprocess
import sys
import time


def status(pid):
    with open("/proc/%s/status" % pid) as f:
        return dict(line.split(":", 1) for line in f)


def parents():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                found[int(pid)] = int(f.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    return found


def main(command):
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    own = other = together = 0
    while child.poll() is None:
        family, above = {child.pid}, parents()
        for _ in range(3):
            family |= {pid for pid, parent in above.items() if parent in family}
        total = 0
        for pid in family:
            try:
                s = status(pid)
                peak, now = (int(s[k].split()[0]) for k in ("VmHWM", "VmRSS"))
            except (OSError, KeyError):
                continue
            total += now
            if pid == child.pid:
                own = max(own, peak)
            else:
                other = max(other, peak)
        together = max(together, total)
        time.sleep(0.01)
    print("%.1f %.1f %.1f" % (own / 1024, other / 1024, together / 1024))
    return child.returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
