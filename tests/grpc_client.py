# SPDX-License-Identifier: Apache-2.0
"""As much of gRPC as tests need, byte by byte: frames, calls, and a client that waits for answers."""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
WIDE = 1 << 30  # as window: nothing here is held up by it


def frame(kind, flags, stream, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def field(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def call(stream, path, message, flags=1, namespace=b"default"):
    block = field(b":method", b"POST") + field(b":scheme", b"http") + field(b":path", path)
    block += field(b":authority", b"localhost") + field(b"content-type", b"application/grpc")
    block += field(b"containerd-namespace", namespace)
    body = struct.pack(">BI", 0, len(message)) + message
    return frame(HEADERS, 4, stream, block) + frame(DATA, flags, stream, body)


def proto(*fields):
    """A message of (number, bytes) and (number, int) fields."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def connect(path, timeout=30):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(path)
    s.sendall(PREFACE + frame(SETTINGS, 0, 0))
    return s


class Client:
    """One call at a time."""

    def __init__(self, path, namespace=b"default", timeout=30):
        self.s = connect(path, timeout)
        self.s.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WIDE)) +
                       frame(WINDOW, 0, 0, struct.pack(">I", WIDE)))
        self.namespace, self.left, self.stream = namespace, b"", -1

    def _frame(self):
        while len(self.left) < 9 or len(self.left) < 9 + int.from_bytes(self.left[:3], "big"):
            part = self.s.recv(1 << 18)
            if not part:
                raise ConnectionError("the connection has ended")
            self.left += part
        size, kind, flags = int.from_bytes(self.left[:3], "big"), self.left[3], self.left[4]
        stream, body = int.from_bytes(self.left[5:9], "big"), self.left[9:9 + size]
        self.left = self.left[9 + size:]
        return kind, flags, stream, body

    def call(self, path, message=b""):
        """The answer's message; None if the call has failed."""
        self.stream += 2
        self.s.sendall(call(self.stream, path, message, 1, self.namespace))
        body = b""
        while True:
            kind, flags, stream, part = self._frame()
            if kind == SETTINGS and not flags & 1:
                self.s.sendall(frame(SETTINGS, 1, 0))
            elif kind == PING and not flags & 1:
                self.s.sendall(frame(PING, 1, 0, part))
            elif stream == self.stream and kind == DATA:
                body += part
                if part:
                    self.s.sendall(frame(WINDOW, 0, 0, struct.pack(">I", len(part))))
            elif stream == self.stream and kind == RST:
                return None
            if stream == self.stream and kind in (DATA, HEADERS) and flags & 1:
                return body[5:] if body else None
