#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that does wrong in one way a repository: registry.py PORT-FILE [FOLDER].

/v2/FAULT/... serves an image of two layers with that fault; "ok" has none. Each request is noted in
FOLDER/requests as "METHOD PATH AUTHORIZATION". "slow" waits in the middle of its first layer until the file
FOLDER/go is there, "late" before its last one, "many" (six layers) before each: FOLDER/peak says how many it
has held at the same time, and so it does with uploads to "take". "shared-a" and "shared-b" are two images of the same layers, and slow.
"""
import gzip
import hashlib
import http.server
import io
import json
import os
import platform
import random
import re
import socket
import sys
import tarfile
import threading
import time

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OCI = "application/vnd.oci.image."
FOLDER = sys.argv[2] if len(sys.argv) > 2 else None


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(name, size):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = size
        data = random.Random(name).randbytes(size)
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def bomb(fault):
    """96 MiB of zeros in one file; or 5,000 empty ones."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for n in range(5000 if fault == "bomb-many" else 0):
            tar.addfile(tarfile.TarInfo("empty-%d" % n))
        info = tarfile.TarInfo("zeros")
        info.size = 96 << 20 if fault == "bomb" else 0
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    return out.getvalue()


class Image:
    def __init__(self, fault):
        self.blobs = {}
        what = "shared" if fault.startswith("shared-") else fault
        plain = [layer("one-" + what, 1 << 20), layer("two-" + what, 64 << 10)]
        if fault == "many":
            plain += [layer("%d-many" % i, 10000) for i in range(4)]
        if fault in ("bomb", "bomb-many"):
            plain[1] = bomb(fault)
        packed = [gzip.compress(p, 9 if fault == "bomb" else 1, mtime=0) for p in plain]
        diff_ids = [sha(p) for p in plain]
        if fault == "diffid":
            diff_ids[1] = sha(b"something else")
        config = {"architecture": ARCH, "os": "linux", "config": {"Env": ["NAME=" + fault]}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        self.layers = [self.blob(p, "layer.v1.tar+gzip") for p in packed]
        self.config = self.blob(json.dumps(config).encode(), "config.v1+json")
        doc = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": dict(self.config), "layers": [dict(d) for d in self.layers]}
        if fault == "both":
            doc["manifests"] = [dict(self.config)]
        if fault == "config-claims":
            doc["config"]["size"] = 100 << 30
        if fault == "config-big":
            big = b" " * (9 << 20) + json.dumps(config).encode()
            doc["config"] = self.blob(big, "config.v1+json")
        if fault == "schema1":
            doc = {"schemaVersion": 1, "fsLayers": [{"blobSum": self.layers[0]["digest"]}], "history": []}
        if fault == "empty-digest":
            doc["layers"][1]["digest"] = "sha256:"
        if fault == "manifest-big":
            doc["annotations"] = {"x": "y" * (9 << 20)}
        self.type = OCI + "manifest.v1+json"
        if fault == "index-type":
            self.type = OCI + "index.v1+json"
        self.manifest = json.dumps(doc).encode()
        if fault == "json":
            self.manifest = b'{"schemaVersion": 2, "layers": ['
        self.blobs[sha(self.manifest)] = self.manifest

    def blob(self, data, kind):
        self.blobs[sha(data)] = data
        return {"mediaType": OCI + kind, "digest": sha(data), "size": len(data)}


images, lock = {}, threading.Lock()
held, peak = 0, 0


def hold():
    """Until FOLDER/go is there; says how many are held."""
    global held, peak
    with lock:
        held += 1
        peak = max(peak if os.path.exists(FOLDER + "/peak") else 0, held)
        with open(FOLDER + "/peak", "w") as f:
            f.write(str(peak))
    for _ in range(600):
        if os.path.exists(FOLDER + "/go"):
            break
        time.sleep(0.05)
    with lock:
        held -= 1


def image(fault):
    with lock:
        if fault not in images:
            images[fault] = Image(fault)
        return images[fault]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self):
        if FOLDER:
            with lock, open(FOLDER + "/requests", "a") as f:
                f.write("%s %s %s\n" % (self.command, self.path, self.headers.get("Authorization", "-")))

    def say(self, status, body=b"", kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang(self):
        time.sleep(120)
        self.close_connection = True

    def cut(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self):
        self.note()
        match = re.fullmatch(r"/v2/([^?]+)/(manifests|blobs)/([^/?]+)(\?.*)?", self.path)
        if not match:
            return self.say(200 if self.path.startswith("/v2/") else 404, b"{}")
        fault, what, name = match.group(1), match.group(2), match.group(3)
        page = b"<html><body>Please log in</body></html>"
        if fault == "take":
            return self.say(404, b"{}")
        if fault in ("401", "403", "404", "500", "503"):
            return self.say(int(fault), b'{"errors":[{"code":"NO","message":"no"}]}', **({"WWW_Authenticate": 'Basic realm="r"'} if fault == "401" else {}))
        if fault == "429":
            return self.say(429, b"{}", Retry_After="1")
        if fault == "html":
            return self.say(200, page, "text/html")
        if fault == "hang":
            return self.hang()
        i = image(fault)
        if what == "manifests":
            return self.say(200, i.manifest, i.type, Docker_Content_Digest=sha(i.manifest))
        data = i.blobs.get(name)
        if data is None:
            return self.say(404, b"{}")
        if name in [d["digest"] for d in i.layers]:
            return self.layer(fault, i, data, name == i.layers[0]["digest"])
        return self.say(200, data, "application/octet-stream")

    do_HEAD = do_GET

    def do_POST(self):
        self.note()
        self.say(202, Location="/v2/take/blobs/uploads/1")

    def do_PUT(self):
        self.note()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "/blobs/" in self.path:
            hold()
        self.say(201, Location="/v2/take/done")

    def layer(self, fault, i, data, first):
        kind = "application/octet-stream"
        start = 0
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and fault not in ("die", "die-once"):
            start = int(match.group(1))
        if fault == "many" or fault == "late" and data == i.blobs[i.layers[-1]["digest"]]:
            hold()
        if fault == "blob-html":
            return self.say(200, b"<html>no</html>", "text/html")
        if fault == "blob-404" and not first:
            return self.say(404, b"{}")
        if fault == "blob-redirect-dead":
            return self.say(307, Location="http://127.0.0.1:1/gone")
        if fault == "zero":
            data = b""
        if fault == "short":
            data = data[:-100]
        if fault == "long":
            data += b"x" * 100
        if fault == "digest" and not first:
            data = bytes([data[0] ^ 1]) + data[1:]
        if fault == "digest-late" and not first:
            data = data[:-1] + bytes([data[-1] ^ 1])
        stop = fault in ("die", "hang-middle", "slow", "shared-a", "shared-b") and first
        if not stop:
            return self.say(206 if start else 200, data[start:], kind, **({"Content_Range": "bytes %d-%d/%d" % (start, len(data) - 1, len(data))} if start else {}))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        half = max(len(data) // 2, start)
        self.wfile.write(data[start:half])
        self.wfile.flush()
        if fault == "die":
            return self.cut()
        if fault == "hang-middle":
            return self.hang()
        for _ in range(600):
            if os.path.exists(FOLDER + "/go"):
                break
            time.sleep(0.1)
        self.wfile.write(data[half:])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
