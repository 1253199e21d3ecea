#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A token server for Docker's registry: resolver-tokens.py FOLDER CERT KEY

Listens on a port of loopback (written to FOLDER/port), knows user:topsecret and, for pulling only, nobody;
signs with KEY, whose CERT the registry trusts. Logs the scopes that it grants to FOLDER/log.
"""
import base64
import json
import os
import subprocess
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder, cert, key = sys.argv[1:4]


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sign(access, service):
    der = subprocess.run(["openssl", "x509", "-in", cert, "-outform", "DER"], capture_output=True, check=True).stdout
    now = int(time.time())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    body = {"iss": "gantry-test", "sub": "", "aud": service, "exp": now + 300, "nbf": now - 60, "iat": now,
            "jti": str(time.time_ns()), "access": access}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(body).encode())
    made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), capture_output=True, check=True)
    return text + "." + b64(made.stdout)


class Tokens(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def grant(self, query, user):
        access = []
        for scope in " ".join(query.get("scope", [])).split():
            type_, name, actions = scope.split(":")
            allowed = [a for a in actions.split(",") if user or a == "pull"]
            access.append({"type": type_, "name": name, "actions": allowed})
        with open(os.path.join(folder, "log"), "a") as f:
            f.write("%s %s %s\n" % (self.command, user or "-", " ".join(query.get("scope", []))))
        self.answer(200, {"token": sign(access, query.get("service", [""])[0]), "expires_in": 300})

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        have = self.headers.get("Authorization")
        if have not in (None, "Basic " + base64.b64encode(b"user:topsecret").decode()):
            return self.answer(401, {"details": "incorrect username or password"})
        self.grant(query, have and "user")

    def do_POST(self):
        query = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if query.get("username") != ["user"] or query.get("password") != ["topsecret"]:
            return self.answer(401, {"details": "incorrect username or password"})
        self.grant(query, "user")


server = ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
with open(os.path.join(folder, "port.new"), "w") as f:
    f.write("%d\n" % server.server_port)
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
