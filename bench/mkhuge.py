#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an OCI image archive that is large in each way: mkhuge.py OUT.tar [GIB=4 [ENTRIES=100000]]

Its layers: a gzip one with a file of so many GiB, the same much compressed; one of half as many GiB that is not
compressed, so that the archive and the blob are large as well; a gzip one of so many entries, files, links and
hard links of long names with extended attributes.
"""
import hashlib
import json
import os
import sys
import tarfile
import tempfile
import zlib

OCI = "application/vnd.oci.image."


class Sink:
    """A file that hashes what is written to it, compressed or not."""

    def __init__(self, path, packs):
        self.out = open(path, "wb")
        self.z = zlib.compressobj(1, zlib.DEFLATED, 31) if packs else None
        self.plain, self.packed, self.size = hashlib.sha256(), hashlib.sha256(), 0

    def write(self, data):
        self.plain.update(data)
        self.emit(self.z.compress(data) if self.z else data)
        return len(data)

    def emit(self, data):
        self.packed.update(data)
        self.size += len(data)
        self.out.write(data)

    def close(self):
        if self.z:
            self.emit(self.z.flush())
        self.out.close()


class Pattern:
    """A file of 'size' bytes that nobody stores."""

    def __init__(self, size):
        self.left, self.block = size, bytes(range(256)) * 4096

    def read(self, n=-1):
        n = min(self.left, len(self.block) if n < 0 else n)
        self.left -= n
        return self.block[:n]


def large(tar, size):
    info = tarfile.TarInfo("large-%d" % size)
    info.size = size
    tar.addfile(info, Pattern(size))


def many(tar, entries):
    for i in range(entries):
        name = "d%d/%s-%d" % (i % 331, "a-name-that-is-rather-long" * 3, i)
        info = tarfile.TarInfo(name)
        info.pax_headers = {"SCHILY.xattr.user.number": str(i)} if i % 10 == 0 else {}
        if i % 5 == 3:
            info.type, info.linkname = tarfile.SYMTYPE, "../" + before
        elif i % 5 == 4:
            info.type, info.linkname = tarfile.LNKTYPE, before
        else:
            before = name
        tar.addfile(info)


def main(out, gib=4, entries=100000):
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    size = int(float(gib) * (1 << 30))
    layers, diff_ids, blobs = [], [], {}
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(out))) as work:
        for n, (fill, amount, packs) in enumerate(((large, size, True), (large, size // 2, False), (many, int(entries), True))):
            sink = Sink("%s/%d" % (work, n), packs)
            with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                fill(tar, amount)
            sink.close()
            blobs[sink.packed.hexdigest()] = "%s/%d" % (work, n)
            layers.append({"mediaType": OCI + "layer.v1.tar" + ("+gzip" if packs else ""),
                           "digest": "sha256:" + sink.packed.hexdigest(), "size": sink.size})
            diff_ids.append("sha256:" + sink.plain.hexdigest())

        def document(kind, doc):
            data = json.dumps(doc).encode()
            digest = hashlib.sha256(data).hexdigest()
            with open(work + "/" + digest, "wb") as f:
                f.write(data)
            blobs[digest] = f.name
            return {"mediaType": OCI + kind, "digest": "sha256:" + digest, "size": len(data)}

        config = document("config.v1+json", {"architecture": arch, "os": "linux", "config": {},
                                             "rootfs": {"type": "layers", "diff_ids": diff_ids}})
        manifest = document("manifest.v1+json", {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                                                 "config": config, "layers": layers})
        manifest["annotations"] = {"io.containerd.image.name": "docker.io/library/huge:latest"}
        for name, doc in (("oci-layout", {"imageLayoutVersion": "1.0.0"}),
                          ("index.json", {"schemaVersion": 2, "manifests": [manifest]})):
            with open(work + "/" + name, "w") as f:
                json.dump(doc, f)
        with tarfile.open(out, "w") as tar:
            tar.add(work + "/oci-layout", "oci-layout")
            tar.add(work + "/index.json", "index.json")
            for digest, path in blobs.items():
                tar.add(path, "blobs/sha256/" + digest)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
