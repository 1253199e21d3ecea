# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a terminal: python3 terminal.py SCRIPT COMMAND...

SCRIPT is Python that is given wait(text), send(text), size(rows, columns), signal(name) and kill(). What
came out is printed, then "status N" and "modes kept" or "modes changed", for those of the terminal.
"""
import fcntl, os, pty, select, signal as signals, struct, sys, termios, time

master, slave = pty.openpty()
got = ""


def size(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def pump(seconds):
    global got
    if select.select([master], [], [], seconds)[0]:
        try:
            got += os.read(master, 65536).decode(errors="replace").replace("\r", "")
        except OSError:
            time.sleep(seconds)


def wait(text, seconds=30):
    end = time.time() + seconds
    while text not in got:
        if time.time() > end or ended():
            pump(0.2)
            if text in got:
                return
            print("%s\nTIMED OUT WAITING FOR %r" % (got, text))
            os.kill(pid, signals.SIGKILL)
            sys.exit(1)
        pump(0.1)


def send(text):
    os.write(master, text.encode())


def signal(name):
    os.kill(pid, getattr(signals, "SIG" + name))


def kill():
    signal("KILL")


status = None


def ended():
    global status
    if status is None:
        p, st = os.waitpid(pid, os.WNOHANG)
        if p:
            status = os.waitstatus_to_exitcode(st)
    return status is not None


size(40, 100)
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.execvp(sys.argv[2], sys.argv[2:])
exec(sys.argv[1])
end = time.time() + 30
while not ended() and time.time() < end:
    pump(0.1)
pump(0.2)
sys.stdout.write(got)
print("\nstatus %s" % status)
print("modes", "kept" if termios.tcgetattr(slave) == before else "changed")
