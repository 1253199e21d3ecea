#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that does what a real one cannot be made to do, and a token server.

    resolver-hostile.py FOLDER [CERT KEY]

Listens on two ports of loopback, written to FOLDER/ports (the second one plays "another host", and is
plain http always), logs each request to FOLDER/log, and writes what it serves to FOLDER/blob and
FOLDER/manifest. How it answers is the first part of the repository's name: /v2/MODE/x/...
"""
import base64
import hashlib
import json
import os
import socket
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder = sys.argv[1]
BLOB = bytes((i * 7 + i // 251) & 255 for i in range(300000))
BLOB_DIGEST = "sha256:" + hashlib.sha256(BLOB).hexdigest()
TYPE = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = json.dumps({
    "schemaVersion": 2, "mediaType": TYPE,
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": BLOB_DIGEST, "size": 300000},
    "layers": [],
}).encode()
MANIFEST_DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
ports, counts, uploads = [], {}, {}
lock = threading.Lock()
log = open(os.path.join(folder, "log"), "w", buffering=1)


def count(key):
    """How often this was asked before."""
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key] - 1


class Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Hostile"

    def log_message(self, *args):
        pass

    def say(self):
        which = "B" if self.server.server_port == ports[1] else "A"
        with lock:
            log.write("%s %s %s auth=%s range=%s x=%s\n" % (
                which, self.command, self.path, self.headers.get("Authorization", "-"),
                self.headers.get("Range", "-"), self.headers.get("X-Secret", "-")))

    def answer(self, status, body=b"", headers=(), length=None, type_="application/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Type", type_)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message, headers=()):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, headers, type_="application/json")

    def die(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def chunked(self, status, headers=(), type_="application/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def other(self, path=None):
        return "http://127.0.0.1:%d%s" % (ports[1], path or self.path.replace("/v2/", "/v2/ok-"))

    def url(self):
        return "%s://%s" % ("https" if self.server.tls else "http", self.headers["Host"])

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    # --- content, by mode ------------------------------------------------------

    def serve(self):
        self.say()
        path = urllib.parse.urlsplit(self.path).path
        parts = path.split("/")
        if path.startswith("/token"):
            return self.token(parts[1])
        mode = parts[2] if len(parts) > 3 else ""
        is_manifest = "manifests" in parts
        if "uploads" in parts or self.command in ("PUT", "PATCH", "POST"):
            return self.upload(mode, path)
        if mode.startswith("ok-"):
            mode = "ok"
        if mode.startswith("up") or (is_manifest and parts[-1].startswith("sha256:") and parts[-1] != MANIFEST_DIGEST):
            return self.refuse(404, "UNKNOWN", "not here")
        content = MANIFEST if is_manifest else BLOB
        headers = [("Docker-Content-Digest", MANIFEST_DIGEST if is_manifest else BLOB_DIGEST)]
        type_ = TYPE if is_manifest else "application/octet-stream"
        method = getattr(self, "mode_" + mode, None)
        if method:
            if method(path, content, headers, type_) is not False:
                return
        self.good(content, headers, type_)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = serve

    def good(self, content, headers, type_):
        asked = self.headers.get("Range")
        if asked:
            first = int(asked[6:].split("-")[0])
            headers = headers + [("Content-Range", "bytes %d-%d/%d" % (first, len(content) - 1, len(content)))]
            return self.answer(206, content[first:], headers, type_=type_)
        self.answer(200, content, headers, type_=type_)

    def half(self, content, headers, status=200):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:len(content) // 2])
        self.wfile.flush()

    def mode_s401(self, *_):
        self.refuse(401, "UNAUTHORIZED", "authentication required")

    def mode_s403(self, *_):
        self.refuse(403, "DENIED", "no\x1b[31m access")

    def mode_s404(self, *_):
        self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")

    def mode_s429(self, path, *_):
        if count(path + self.command) >= 2:
            return False
        self.refuse(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", "1")])

    def mode_s429long(self, *_):
        self.refuse(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", "3600")])

    def mode_s500(self, *_):
        self.refuse(500, "UNKNOWN", "oops")

    def mode_s503twice(self, path, *_):
        if count(path + self.command) >= 2:
            return False
        self.answer(503)

    def mode_html(self, *_):
        self.answer(200, b"<html>Welcome to the hotel's wifi</html>", type_="text/html; charset=utf-8")

    def mode_json(self, *_):
        self.answer(200, b'{"hello": "world"}', type_="application/json")

    def mode_sniff(self, path, content, headers, type_):
        self.answer(200, content, type_="application/json")

    def mode_nohead(self, *_):
        if self.command != "HEAD":
            return False
        self.answer(405)

    def mode_nodigest(self, path, content, headers, type_):
        self.answer(200, content, type_=type_)

    def mode_baddigest(self, path, content, headers, type_):
        self.answer(200, content, [("Docker-Content-Digest", "sha256:" + "0" * 64)], type_=type_)

    def mode_nodigestwrong(self, path, content, headers, type_):
        self.answer(200, content + b" ", type_=type_)

    def mode_schema1(self, *_):
        self.answer(200, b"{}", type_="application/vnd.docker.distribution.manifest.v1+prettyjws")

    def mode_bigman(self, path, content, headers, type_):
        self.answer(200, b"", headers, length=5000000, type_=type_)

    def mode_endless(self, path, content, headers, type_):
        self.chunked(200, type_=type_)
        if self.command != "HEAD":
            while True:
                self.chunk(b" " * 65536)

    def mode_headers(self, *_):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X-Y: " + b"z" * 1000 + b"\r\n")

    def mode_garbage(self, *_):
        self.wfile.write(b"\x00\x01\x02 nonsense\r\n\r\n")
        self.die()

    def mode_hang(self, *_):
        time.sleep(60)

    def mode_hangbody(self, path, content, headers, type_):
        if self.command == "HEAD":
            return False
        self.half(content, headers)
        time.sleep(60)

    def mode_drip(self, path, content, headers, type_):
        if self.command == "HEAD":
            return False
        self.half(content, headers)
        for i in range(300):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.1)

    def mode_die(self, path, content, headers, type_):
        if self.command == "HEAD" or self.headers.get("Range"):
            return self.die()
        self.half(content, headers)
        self.die()

    def mode_dieonce(self, path, content, headers, type_):
        if self.command == "HEAD" or self.headers.get("Range"):
            return False
        self.half(content, headers)
        self.die()

    def mode_norange(self, path, content, headers, type_):
        if count(path) == 0:
            self.half(content, headers)
            return self.die()
        self.answer(200, content, headers, type_=type_)

    def mode_badrange(self, path, content, headers, type_):
        if not self.headers.get("Range"):
            self.half(content, headers)
            return self.die()
        self.answer(206, content, headers + [("Content-Range", "bytes 0-%d/%d" % (len(content) - 1, len(content)))])

    def mode_short(self, path, content, headers, type_):
        self.answer(200, content[:1000], headers, type_=type_)

    def mode_shortchunked(self, path, content, headers, type_):
        self.chunked(200, headers)
        self.chunk(content[:1000])
        self.wfile.write(b"0\r\n\r\n")

    def mode_long(self, path, content, headers, type_):
        self.answer(200, content + b"x", headers, type_=type_)

    def mode_longchunked(self, path, content, headers, type_):
        self.chunked(200, headers)
        self.chunk(content + b"x" * 100)
        self.wfile.write(b"0\r\n\r\n")

    def mode_empty(self, path, content, headers, type_):
        self.answer(200, b"", headers, type_=type_)

    # --- authorization, redirects ------------------------------------------------

    def mode_basic(self, path, content, headers, type_):
        if self.headers.get("Authorization") == "Basic " + base64.b64encode(b"user:topsecret").decode():
            return False
        self.refuse(401, "UNAUTHORIZED", "who are you", [("WWW-Authenticate", 'Basic realm="x"')])

    def mode_basicredirect(self, *args):
        if self.mode_basic(*args) is False:
            self.answer(307, headers=[("Location", self.other() + "?X-Sig=querysecret")])

    def mode_redirect401(self, *_):
        self.answer(307, headers=[("Location", self.other("/v2/basic/x/blobs/" + BLOB_DIGEST))])

    def mode_redirectfile(self, *_):
        self.answer(302, headers=[("Location", "file:///etc/passwd")])

    def mode_redirectnowhere(self, *_):
        self.answer(302)

    def mode_redirectloop(self, *_):
        self.answer(302, headers=[("Location", self.path)])

    def mode_redirectplain(self, *_):
        self.answer(307, headers=[("Location", self.other())])

    def mode_redirecthere(self, *_):
        self.answer(307, headers=[("Location", self.path.replace("redirecthere", "basic"))])

    def mode_redirectuser(self, *_):
        self.answer(307, headers=[("Location", self.other().replace("//", "//evil:evilsecret@"))])

    def mode_echo(self, *args):
        if self.mode_basic(*args) is False:
            self.refuse(403, "DENIED", "no access with %s nor topsecret" % self.headers["Authorization"])

    def bearer(self, realm):
        scope = "repository:%s:pull" % "/".join(self.path.split("/")[2:4])
        if self.command in ("POST", "PUT", "PATCH"):
            scope = scope + ",push"
        have = self.headers.get("Authorization", "")
        if have.startswith("Bearer tok."):
            granted = base64.urlsafe_b64decode(have[len("Bearer tok."):] + "===").decode().split(" ")
            if any(g == scope or g.startswith(scope + ",") for g in granted):
                return False
        self.refuse(401, "UNAUTHORIZED", "token, please", [
            ("WWW-Authenticate", 'Bearer realm="%s",service="hostile",scope="%s"' % (realm, scope))])

    def mode_bearer(self, *_):
        return self.bearer(self.url() + "/token")

    def mode_bearerget(self, *_):
        return self.bearer(self.url() + "/tokenget")

    def mode_beareranon(self, *_):
        return self.bearer(self.url() + "/tokenanon")

    def mode_bearerother(self, *_):
        return self.bearer("http://127.0.0.1:%d/tokenget" % ports[1])

    def mode_bearerplain(self, *_):
        return self.bearer("http://gantry-test.invalid/token")

    def mode_bearerhtml(self, *_):
        return self.bearer(self.url() + "/tokenhtml")

    def mode_bearerendless(self, *_):
        return self.bearer(self.url() + "/tokenendless")

    def mode_bearerhang(self, *_):
        return self.bearer(self.url() + "/tokenhang")

    def mode_bearernever(self, *_):
        self.refuse(401, "UNAUTHORIZED", "never", [
            ("WWW-Authenticate", 'Bearer realm="%s/tokenanon",service="h",error="insufficient_scope"' % self.url())])

    def mode_bearernorealm(self, *_):
        self.refuse(401, "UNAUTHORIZED", "x", [("WWW-Authenticate", 'Bearer realm="file:///etc/passwd"')])

    def token(self, kind):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        good = "Basic " + base64.b64encode(b"user:topsecret").decode()
        if self.command == "POST":
            query = urllib.parse.parse_qs(self.body().decode())
            with lock:
                log.write("  form %s\n" % json.dumps(query, sort_keys=True))
            if kind == "tokenget":
                return self.answer(404)
            is_good = query.get("refresh_token") == ["refreshsecret"] or (
                query.get("username") == ["user"] and query.get("password") == ["topsecret"])
        else:
            is_good = kind == "tokenanon" or self.headers.get("Authorization") == good
        if kind == "tokenhtml":
            return self.answer(200, b"<html>", type_="text/html")
        if kind == "tokenhang":
            return time.sleep(60)
        if kind == "tokenendless":
            self.chunked(200, type_="application/json")
            while True:
                self.chunk(b" " * 65536)
        if not is_good:
            return self.answer(401, b'{"details":"incorrect username or password"}', type_="application/json")
        scope = " ".join(s for part in query.get("scope", []) for s in part.split(" "))
        token = "tok." + base64.urlsafe_b64encode(scope.encode()).decode().rstrip("=")
        self.answer(200, json.dumps({"token": token, "expires_in": 300}).encode(), type_="application/json")

    # --- uploads --------------------------------------------------------------------

    def upload(self, mode, path):
        if mode == "upbearer" and self.bearer(self.url() + "/token") is not False:
            self.body()
            return
        if "/blobs/uploads/" not in path:
            body = self.body()
            if mode == "up500":
                return self.refuse(500, "UNKNOWN", "oops")
            return self.answer(201, headers=[("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())])
        name = path.rsplit("/", 1)[1]
        if self.command == "POST":
            return self.upload_begin(mode, path)
        if self.command == "GET":
            if name not in uploads:
                return self.refuse(404, "BLOB_UPLOAD_UNKNOWN", "unknown upload")
            return self.progress(204, mode, name)
        data, length = self.take(mode), int(self.headers.get("Content-Length", 0))
        if data is None:
            return
        if name not in uploads:
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN", "unknown upload")
        where = self.headers.get("Content-Range")
        if where and int(where.split("-")[0]) != len(uploads[name]):
            return self.answer(416)
        uploads[name] += data
        if len(data) < length:
            if mode == "uplost":
                del uploads[name]
            return self.die()
        if self.command == "PATCH":
            return self.progress(202, mode, name)
        digest = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["digest"][0]
        if mode == "updigest" or digest != "sha256:" + hashlib.sha256(uploads[name]).hexdigest():
            return self.refuse(400, "DIGEST_INVALID", "provided digest did not match")
        with lock:
            log.write("  stored %s %d\n" % (digest, len(uploads[name])))
        self.answer(201, headers=[("Docker-Content-Digest", digest)])

    def take(self, mode):
        length = int(self.headers.get("Content-Length", 0))
        if mode == "up413" and length > 16 * 1024 * 1024:
            self.refuse(413, "SIZE_INVALID", "too large")
            self.close_connection = True
            return None
        if mode == "upmin" and self.command == "PATCH" and length < 100000:
            self.rfile.read(length)
            self.refuse(416, "RANGE_INVALID", "piece too small")
            return None
        if mode in ("upbreak", "uplost") and length and count(mode) == 0:
            return self.rfile.read(length // 2)
        return self.rfile.read(length)

    def location(self, mode, name):
        path = "/v2/%s/x/blobs/uploads/%s" % (mode, name)
        if mode == "upabs":
            return self.url() + path + "?_state=a%2Fb"
        if mode == "upother":
            return self.other(path)
        return path

    def upload_begin(self, mode, path):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if "mount" in query and mode == "upmount":
            return self.answer(201)
        name = "u%d" % count("uploads")
        uploads[name] = b""
        if mode == "upnowhere":
            return self.answer(202)
        headers = [("Location", self.location(mode, name)), ("Range", "0-0")]
        if mode == "upmin":
            headers.append(("OCI-Chunk-Min-Length", "100000"))
        self.answer(202, headers=headers)

    def progress(self, status, mode, name):
        end = max(len(uploads[name]) - 1, 0)
        self.answer(status, headers=[("Location", self.location(mode, name)), ("Range", "0-%d" % end)])


class Server(ThreadingHTTPServer):
    daemon_threads = True
    tls = False

    def handle_error(self, request, client_address):
        pass


def main():
    servers = [Server(("127.0.0.1", 0), Registry), Server(("127.0.0.1", 0), Registry)]
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        servers[0].socket = context.wrap_socket(servers[0].socket, server_side=True)
        servers[0].tls = True
    ports.extend(s.server_port for s in servers)
    for name, data in (("blob", BLOB), ("manifest", MANIFEST)):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
    for s in servers:
        threading.Thread(target=s.serve_forever, daemon=True).start()
    with open(os.path.join(folder, "ports.new"), "w") as f:
        f.write("%d %d %s %s\n" % (ports[0], ports[1], MANIFEST_DIGEST, BLOB_DIGEST))
    os.rename(os.path.join(folder, "ports.new"), os.path.join(folder, "ports"))
    threading.Event().wait()


main()
