#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes image archives, good and bad, of two small layers: archive.py OUT.tar KIND"""
import gzip
import hashlib
import io
import json
import platform
import sys
import tarfile

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OCI = "application/vnd.oci.image."
INDEX, MANIFEST = OCI + "index.v1+json", OCI + "manifest.v1+json"
CONFIG, LAYER = OCI + "config.v1+json", OCI + "layer.v1.tar"
NAME = "docker.io/library/made:1"


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def js(value):
    return json.dumps(value).encode()


def entry(tar, name, data=b"", **more):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data, more in entries:
            entry(tar, name, data, **more)
    return out.getvalue()


def make_layers(kind):
    folder = {"type": tarfile.DIRTYPE, "mode": 0o755}
    link = {"type": tarfile.SYMTYPE, "linkname": "/tmp"}
    hard = {"type": tarfile.LNKTYPE, "linkname": "../../../../etc/passwd"}
    first = [("etc", b"", folder), ("etc/one", b"1\n" * 5000, {}), ("gone", b"x", {})]
    second = [("etc", b"", folder), ("etc/two", b"2\n" * 9000, {}), (".wh.gone", b"", {})]
    if kind == "layer-dotdot":
        second.append(("../../../../../../tmp/gantry-evil", b"evil", {}))
    elif kind == "layer-hardlink":
        second.append(("evil", b"", hard))
    elif kind == "layer-through-link":
        second += [("way", b"", link), ("way/../../../gantry-evil", b"evil", {})]
    elif kind == "left-out":
        first += [("etc/deep", b"", {"type": tarfile.DIRTYPE, "mode": 0o1777, "uid": 5, "gid": 6}),
                  ("etc/deep/old", b"old", {}), ("hidden", b"", folder), ("hidden/a", b"a", {})]
        second = [("etc/deep/new", b"new", {}), ("etc/deep/.wh.old", b"", {}),
                  ("hidden", b"", folder), ("hidden/.wh..wh..opq", b"", {}),
                  ("hidden/b", b"b", {})]
    elif kind == "layer-whiteout":
        second.append((".wh...", b"", {}))
    return [layer(*first), layer(*second)]


def descriptor(media_type, data, **more):
    return {"mediaType": media_type, "digest": sha(data), "size": len(data), **more}


class Archive:
    def __init__(self):
        self.entries = []

    def add(self, name, data=b"", **more):
        self.entries.append((name, data, more))

    def blob(self, data):
        self.add("blobs/sha256/" + sha(data)[7:], data)

    def bytes(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name, data, more in self.entries:
                entry(tar, name, data, **more)
        return out.getvalue()


def config_of(layers, arch=ARCH, **more):
    return js({"architecture": arch, "os": "linux",
               "config": {"Cmd": ["/x"], "Labels": {"containerd.io/gc.root": "1"}},
               "rootfs": {"type": "layers", "diff_ids": [sha(x) for x in layers]}, **more})


def oci(kind):
    a = Archive()
    layers = make_layers(kind)
    packed = [gzip.compress(x, mtime=0) for x in layers]
    config = config_of(list(reversed(layers)) if kind == "wrong-diff-id" else layers)
    if kind == "few-diff-ids":
        config = config_of(layers[:1])
    if kind == "config-big":
        config = b" " * (9 << 20) + config
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config),
                "layers": [descriptor(LAYER + "+gzip", x) for x in packed]}
    if kind == "two-faces":
        manifest["manifests"] = []
    if kind == "wrong-size":
        manifest["layers"][1]["size"] += 1
    if kind == "manifest-big":
        manifest["annotations"] = {"x": "y" * (9 << 20)}
    if kind == "erofs":
        manifest["layers"][1]["mediaType"] = "application/vnd.erofs.layer.v1"
    if kind == "huge-descriptor":
        manifest["config"]["size"] = 100 << 30
    manifest = js(manifest)
    media = INDEX if kind == "wrong-media-type" else MANIFEST
    arch = "s390x" if kind == "other-platform" else ARCH
    desc = descriptor(media, manifest, platform={"os": "linux", "architecture": arch})
    target = desc
    if kind == "nested":
        other = config_of(layers, "s390x")
        theirs = js({"schemaVersion": 2, "mediaType": MANIFEST,
                     "config": descriptor(CONFIG, other), "layers": []})
        index = js({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            descriptor(MANIFEST, theirs, platform={"os": "linux", "architecture": "s390x"}),
            desc]})
        target = descriptor(INDEX, index)
        a.blob(index)
    notes = {"io.containerd.image.name": NAME}
    if kind == "short-name":
        notes = {"org.opencontainers.image.ref.name": "v1"}
    elif kind == "no-name":
        notes = {}
    elif kind == "control-name":
        notes = {"io.containerd.image.name": "a/b:1\nc"}
    entries = [{**target, "annotations": notes}]
    if kind == "two-images":  # the other one is of another platform
        theirs = js({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config),
                     "layers": [], "annotations": {"other": "one"}})
        a.blob(theirs)
        entries.append(descriptor(MANIFEST, theirs, platform={"os": "linux", "architecture": "s390x"},
                                  annotations={"io.containerd.image.name": "docker.io/library/theirs:1"}))
    index = js({"schemaVersion": 2, "manifests": entries})
    if kind == "deep":
        index = b'{"schemaVersion":2,"manifests":' + b"[" * 100000 + b"]" * 100000 + b"}"
    if kind == "not-json":
        index = b"<html>hello</html>"
    if kind == "wrong-digest":
        packed = [packed[0], packed[1][:-1] + bytes([packed[1][-1] ^ 1])]
        digests = [d["digest"] for d in json.loads(manifest)["layers"]]
        for digest, data in zip(digests, packed):
            a.add("blobs/sha256/" + digest[7:], data)
    elif kind != "missing-layer":
        for x in packed:
            a.blob(x)
    if kind != "missing-config":
        a.blob(config)
    a.blob(manifest)
    a.add("oci-layout", js({"imageLayoutVersion": "9" if kind == "wrong-layout" else "1.0.0"}))
    a.add("index.json", index)
    if kind == "dotdot":
        a.add("../../../../tmp/gantry-evil", b"evil")
    if kind == "absolute":
        a.add("/tmp/gantry-evil", b"evil")
    if kind == "link-out":
        a.add("blobs/evil", type=tarfile.SYMTYPE, linkname="../../../../etc/passwd")
    return a


def docker(kind):
    a = Archive()
    layers = make_layers(kind)
    config = config_of(layers + layers[:1])
    names = ["%s/layer.tar" % sha(x)[7:19] for x in layers]
    for name, data in zip(names, layers):
        a.add(name.split("/")[0] + "/VERSION", b"1.0")
        a.add(name, gzip.compress(data, mtime=0) if kind == "docker-gzip" else data)
    a.add("again/layer.tar", type=tarfile.SYMTYPE, linkname="../" + names[0])
    a.add("config.json", config)
    listed = names + ["again/layer.tar"]
    if kind == "docker-missing":
        listed[1] = "nothing/layer.tar"
    if kind == "docker-few":
        listed.pop()
    tags = ["made:1", "quay.io/me/made:2"]
    if kind == "docker-bad-tag":
        tags = ["Made:1"]
    a.add("manifest.json", js([{"Config": "config.json", "RepoTags": tags, "Layers": listed}]))
    return a


def huge(data):
    """The same archive, in which the largest entry claims 100 GiB."""
    out, pos, best = bytearray(data), 0, (0, 0)
    while pos < len(out) and out[pos]:
        size = int(bytes(out[pos + 124:pos + 135]).rstrip(b"\0 ") or b"0", 8)
        best = max(best, (size, pos))
        pos += 512 + (size + 511) // 512 * 512
    pos = best[1]
    out[pos + 124:pos + 136] = b"\x80" + (100 << 30).to_bytes(11, "big")
    out[pos + 148:pos + 156] = b" " * 8
    out[pos + 148:pos + 156] = b"%06o\0 " % sum(out[pos:pos + 512])
    return bytes(out)


def main():
    path, kind = sys.argv[1:]
    data = (docker if kind.startswith("docker") else oci)(kind).bytes()
    if kind == "truncated":
        data = data[:len(data) // 2]
    elif kind == "huge-entry":
        data = huge(data)
    elif kind == "garbage":
        data = b"this is no archive\n" * 1000
    elif kind == "empty":
        data = b""
    elif kind == "other-tar":
        a = Archive()
        a.add("hello", b"x")
        data = a.bytes()
    with open(path, "wb") as out:
        out.write(data)


main()
