#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that do harm to the socket given: gantryd-hostile.py SOCKET CASE. Each ends by itself."""
import os
import socket
import struct
import sys
import time

from grpc_client import CONTINUATION, DATA, HEADERS, PING, PREFACE, RST, SETTINGS, call, connect, field, frame


def send(s, data):
    try:
        s.sendall(data)
        return True
    except OSError:
        return False


def pump(s, make, count, batch=200):
    for at in range(0, count, batch):
        if not send(s, b"".join(make(i) for i in range(at, min(at + batch, count)))):
            return False
    return True


SUBSCRIBE = b"/containerd.services.events.v1.Events/Subscribe"
VERSION = b"/containerd.services.version.v1.Version/Version"
LIST = b"/containerd.services.images.v1.Images/List"


WAIT = b"/containerd.services.tasks.v1.Tasks/Wait"


def answers(s):
    """Streams that were ended with an answer, until there are a hundred of them."""
    left, done = b"", 0
    s.settimeout(60)
    while done < 100:
        left += s.recv(65536)
        while len(left) >= 9 and len(left) >= 9 + int.from_bytes(left[:3], "big"):
            size, kind, flags = int.from_bytes(left[:3], "big"), left[3], left[4]
            done += kind == HEADERS and flags & 1
            left = left[9 + size:]
    return done


def main():
    path, case = sys.argv[1], sys.argv[2]
    if case == "frame":  # claims what no frame may have
        s = connect(path)
        send(s, b"\xff\xff\xff\x00\x00\x00\x00\x00\x01")
        assert drained(s), "the connection goes on"
    elif case == "reset":
        s = connect(path)
        pump(s, lambda i: call(2 * i + 1, SUBSCRIBE, b"") + frame(RST, 0, 2 * i + 1, b"\0\0\0\x08"), 100000)
        assert drained(s), "the connection goes on"
    elif case == "ping":
        s = connect(path)
        pump(s, lambda i: frame(PING, 0, 0, b"12345678"), 300000)
        assert drained(s), "the connection goes on"
    elif case == "settings":
        s = connect(path)
        pump(s, lambda i: frame(SETTINGS, 0, 0), 300000)
        assert drained(s), "the connection goes on"
    elif case == "headers":
        s = connect(path)
        send(s, frame(HEADERS, 0, 1))
        pump(s, lambda i: frame(CONTINUATION, 0, 1, field(b"x-name", b"v" * 100)), 100000)
        assert drained(s), "the connection goes on"
    elif case == "short":  # messages that lack a byte of what they claim
        s = connect(path)
        for i in range(100):
            if i % 2:  # of the field
                send(s, call(2 * i + 1, LIST, b"\x0a\x05four"))
            else:  # of the message
                message = call(2 * i + 1, LIST, b"\x0a\x04four")
                at = len(message) - 7
                send(s, message[:at] + bytes([message[at] + 1]) + message[at + 1:])
        assert answers(s) == 100, "not all are answered"
    elif case == "garbage":
        for _ in range(200):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(30)
            s.connect(path)
            send(s, os.urandom(4096))
            s.close()
    elif case == "silent":  # requests whose answers nobody reads, on many connections
        all_of_them = [connect(path) for _ in range(100)]
        for s in all_of_them:
            pump(s, lambda i: call(2 * i + 1, LIST, b""), 2000)
        print("sent", flush=True)
        time.sleep(3)
    elif case == "subscribers":  # a thousand, and they read nothing
        all_of_them = []
        for _ in range(100):
            s = connect(path)
            pump(s, lambda i: call(2 * i + 1, SUBSCRIBE, b""), 10)
            all_of_them.append(s)
        print("sent", flush=True)
        sys.stdin.read()
    elif case == "waits":  # 10,000 calls of Wait for one process; prints how many were answered
        task, space = sys.argv[3].encode(), sys.argv[4].encode()
        message = b"\x0a" + bytes([len(task)]) + task
        all_of_them = [connect(path) for _ in range(100)]
        for s in all_of_them:
            pump(s, lambda i: call(2 * i + 1, WAIT, message, namespace=space), 100)
        print("sent", flush=True)
        print("answered", sum(answers(s) for s in all_of_them), flush=True)
    else:
        raise SystemExit("unknown case " + case)


def drained(s):
    """Whether the other side closes the connection."""
    try:
        while s.recv(65536):
            pass
        return True
    except ConnectionError:
        return True
    except socket.timeout:
        return False


main()
