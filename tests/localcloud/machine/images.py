"""Small container images for tests, made and pushed as a client of the registry would."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

import requests

OCI = "application/vnd.oci.image.manifest.v1+json"
ALLOW_CMD = {
    "tee.launch_policy.allow_cmd_override": "true",
    "tee.launch_policy.log_redirect": "always",
}


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer_of(files: dict[str, str]) -> bytes:
    """A tar layer, not compressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


class Registry:
    """A client of the registry door for one image name."""

    def __init__(self, endpoint: str, name: str, token: str | None = None) -> None:
        self.base = f"{endpoint}/v2/{name}"
        self.session = requests.Session()
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def push_blob(self, content: bytes, digest: str | None = None) -> requests.Response:
        begun = self.session.post(f"{self.base}/blobs/uploads/")
        if begun.status_code != 202:
            return begun
        place = self.base.partition("/v2/")[0] + begun.headers["Location"]
        self.session.patch(place, data=content)
        return self.session.put(place, params={"digest": digest or digest_of(content)})

    def push_manifest(self, manifest: dict[str, Any], reference: str) -> requests.Response:
        body = json.dumps(manifest).encode()
        url = f"{self.base}/manifests/{reference}"
        return self.session.put(url, data=body, headers={"Content-Type": OCI})


def push_image(
    endpoint: str,
    name: str,
    layer: bytes,
    *,
    entrypoint: list[str] | None = None,
    labels: dict[str, str] | None = None,
    diff_id: str | None = None,
) -> str:
    """Push a one-layer image; its digest."""
    registry = Registry(endpoint, name)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": ["python3", "/app/main.py"] if entrypoint is None else entrypoint,
            "Env": ["PYTHONPATH=/app", "FROM_IMAGE=yes"],
            "WorkingDir": "/app",
            "Labels": ALLOW_CMD if labels is None else labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id or digest_of(layer)]},
    }
    packed, config_bytes = gzip.compress(layer, mtime=0), json.dumps(config).encode()
    for blob in (packed, config_bytes):
        assert registry.push_blob(blob).status_code == 201
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json"}
        | {"digest": digest_of(config_bytes), "size": len(config_bytes)},
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": digest_of(packed),
                "size": len(packed),
            }
        ],
    }
    answer = registry.push_manifest(manifest, "latest")
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Docker-Content-Digest"])
