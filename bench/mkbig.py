#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an OCI image archive of many files: mkbig.py OUT.tar [FILES=65000] [MIB=1300] [LAYERS=4]

Contents are made up, the same each time, and compress about as well as a distribution's files do.
"""
import hashlib
import io
import json
import os
import random
import sys
import tarfile
import tempfile
import zlib
from concurrent.futures import ProcessPoolExecutor

WORDS = [bytes(random.Random(i).choices(b"abcdefghijklmnopqrstuvwxyz", k=3 + i % 9)) for i in range(4000)]


class Both:
    """A file that hashes and compresses what is written to it."""

    def __init__(self, path):
        self.out = open(path, "wb")
        self.z = zlib.compressobj(6, zlib.DEFLATED, 31)
        self.plain, self.packed, self.size = hashlib.sha256(), hashlib.sha256(), 0

    def write(self, data):
        self.plain.update(data)
        self.emit(self.z.compress(data))
        return len(data)

    def emit(self, data):
        self.packed.update(data)
        self.size += len(data)
        self.out.write(data)

    def close(self):
        self.emit(self.z.flush())
        self.out.close()


def text(rng, pool, size):
    at = rng.randrange(len(pool) - 65536)
    parts, have = [], 0
    while have < size:
        n = min(size - have, rng.randrange(64, 4096))
        parts.append(pool[at:at + n])
        at = rng.randrange(len(pool) - 65536)
        have += n
    return b"".join(parts)


def layer(job):
    number, files, total, path = job
    rng = random.Random(number)
    words = b" ".join(rng.choices(WORDS, k=400000))
    pool = words + rng.randbytes(len(words) // 12)
    out = Both(path)
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as t:
        made = set()
        mean = total // files
        for i in range(files):
            folder = "usr/l%d/d%d/s%d" % (number, i % 37, i // 37 % 41)
            for k in range(1, 5):
                part = "/".join(folder.split("/")[:k])
                if part not in made:
                    made.add(part)
                    d = tarfile.TarInfo(part)
                    d.type, d.mode, d.mtime = tarfile.DIRTYPE, 0o755, 1600000000
                    t.addfile(d)
            f = tarfile.TarInfo("%s/f%d" % (folder, i))
            f.size = min(int(rng.expovariate(1 / mean)), mean * 50)
            f.mode, f.mtime = 0o644, 1600000000 + i
            t.addfile(f, io.BytesIO(text(rng, pool, f.size)))
    out.close()
    return {"digest": "sha256:" + out.packed.hexdigest(), "size": out.size,
            "diff": "sha256:" + out.plain.hexdigest(), "path": path}


def main(out, files=65000, mib=1300, layers=4):
    files, mib, layers = int(files), int(mib), int(layers)
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(out))) as work:
        jobs = [(i, files // layers, (mib << 20) // layers, "%s/l%d" % (work, i)) for i in range(layers)]
        with ProcessPoolExecutor() as pool:
            made = list(pool.map(layer, jobs))
        blobs = {}

        def document(doc):
            data = json.dumps(doc).encode()
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            blobs[digest] = data
            return digest, len(data)

        oci = "application/vnd.oci.image."
        config = document({"architecture": arch, "os": "linux", "config": {"Cmd": ["/bin/true"]},
                           "rootfs": {"type": "layers", "diff_ids": [m["diff"] for m in made]}})
        manifest = document({
            "schemaVersion": 2, "mediaType": oci + "manifest.v1+json",
            "config": {"mediaType": oci + "config.v1+json", "digest": config[0], "size": config[1]},
            "layers": [{"mediaType": oci + "layer.v1.tar+gzip", "digest": m["digest"], "size": m["size"]} for m in made]})
        index = {"schemaVersion": 2, "manifests": [{
            "mediaType": oci + "manifest.v1+json", "digest": manifest[0], "size": manifest[1],
            "platform": {"architecture": arch, "os": "linux"},
            "annotations": {"io.containerd.image.name": "docker.io/library/big:latest"}}]}
        with tarfile.open(out, "w") as t:
            def add(name, data):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
            add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            add("index.json", json.dumps(index).encode())
            for digest, data in blobs.items():
                add("blobs/sha256/" + digest[7:], data)
            for m in made:
                t.add(m["path"], "blobs/sha256/" + m["digest"][7:])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
