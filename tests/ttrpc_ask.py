# SPDX-License-Identifier: Apache-2.0
"""ttrpc_ask.py SOCKET SERVICE METHOD: makes an empty call of ttrpc, and prints "an answer" or "none"."""
import socket
import sys

path, service, method = sys.argv[1:]
body = b"".join(bytes([tag, len(s)]) + s.encode() for tag, s in ((0x0A, service), (0x12, method)))
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(path)
try:
    s.sendall(len(body).to_bytes(4, "big") + b"\0\0\0\x01\x01\0" + body)
    answer = s.recv(10)
except ConnectionError:
    answer = b""
print("an answer" if answer else "none")
