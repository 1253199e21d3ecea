#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an OCI image archive of many images: mkmany.py OUT.tar FIRST COUNT

Each has a manifest and a configuration of its own, as large as those of a small distribution's image; the layer
is one for all. Their names are docker.io/library/image-NUMBER:latest.
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

OCI = "application/vnd.oci.image."
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def main(out, first, count):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as layer:
        layer.addfile(tarfile.TarInfo("file"))
    packed = gzip.compress(plain.getvalue(), mtime=0)
    blobs, manifests = {sha(packed): packed}, []

    def document(kind, doc):
        data = json.dumps(doc).encode()
        blobs[sha(data)] = data
        return {"mediaType": OCI + kind, "digest": sha(data), "size": len(data)}

    for n in range(first, first + count):
        history = [{"created": "2026-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) step %d of %d" % (i, n),
                    "empty_layer": True} for i in range(8)]
        config = document("config.v1+json", {
            "architecture": ARCH, "os": "linux", "created": "2026-01-01T00:00:00Z", "history": history,
            "config": {"Env": ["PATH=/bin", "NUMBER=%d" % n], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [sha(plain.getvalue())]}})
        manifest = document("manifest.v1+json", {
            "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config,
            "layers": [{"mediaType": OCI + "layer.v1.tar+gzip", "digest": sha(packed), "size": len(packed)}]})
        manifest["annotations"] = {"io.containerd.image.name": "docker.io/library/image-%05d:latest" % n}
        manifests.append(manifest)
    with tarfile.open(out, "w") as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add("index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())
        for digest, data in blobs.items():
            add("blobs/sha256/" + digest[7:], data)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
