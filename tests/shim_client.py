# SPDX-License-Identifier: Apache-2.0
"""A ttrpc client for tests: calls one method of a shim's task service and prints what it answers.

usage: shim_client.py SOCKET METHOD [FIELD=VALUE ...]     VALUE: text, u:NUMBER or any:TYPE:TEXT
Prints "OK FIELD=VALUE ..." (numbers plain, text and bytes escaped) or "CODE TEXT".
"""
import socket
import struct
import sys


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def read_varint(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return n, at


def decode(data):
    at, out = 0, []
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 2:
            n, at = read_varint(data, at)
            value, at = data[at : at + n], at + n
        else:
            raise ValueError("wire type %d" % (key & 7))
        out.append((key >> 3, value))
    return out


def receive(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            raise EOFError("connection closed")
        data += part
    return data


class Shim:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.settimeout(60)
        self.stream = -1

    def send(self, method, fields, service="containerd.task.v2.Task", timeout=0):
        payload = b"".join(field(n, v) for n, v in fields)
        body = field(1, service) + field(2, method) + field(3, payload)
        if timeout:
            body += field(4, timeout)
        self.stream += 2
        self.sock.sendall(struct.pack(">IIBB", len(body), self.stream, 1, 0) + body)
        return self.stream

    def answer(self):
        length, stream, _, _ = struct.unpack(">IIBB", receive(self.sock, 10))
        code, text, payload = 0, "", b""
        for number, value in decode(receive(self.sock, length)):
            if number == 1:
                for n, v in decode(value):
                    if n == 1:
                        code = v
                    elif n == 2:
                        text = v.decode()
            elif number == 2:
                payload = value
        return stream, code, text, payload

    def call(self, method, fields, **kw):
        self.send(method, fields, **kw)
        return self.answer()[1:]


def main():
    fields = []
    for arg in sys.argv[3:]:
        number, value = arg.split("=", 1)
        if value.startswith("u:"):
            value = int(value[2:])
        elif value.startswith("any:"):
            _, kind, text = value.split(":", 2)
            value = field(1, kind) + field(2, text)
        fields.append((int(number), value))
    method = sys.argv[2]
    service = "containerd.task.v2.Task"
    if "/" in method:
        service, method = method.split("/")
    code, text, payload = Shim(sys.argv[1]).call(method, fields, service=service)
    if code:
        print(code, text)
    else:
        print(" ".join(["OK"] + ["%d=%s" % (n, v if isinstance(v, int) else ascii(v)[2:-1]) for n, v in decode(payload)]))


if __name__ == "__main__":
    main()
