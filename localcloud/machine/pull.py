"""Pulling an image by digest: every byte is hashed here, whatever the registry says.

The digest that is attested later is the one computed from the manifest's bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from localcloud.machine.link import Link, LinkError

_REFERENCE = re.compile(
    r"(?P<host>[a-z0-9-]+-docker\.pkg\.dev)/(?P<name>[a-z0-9._/-]+?)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
_CHUNK = 1 << 20
_MAX_JSON = 4 << 20


class PullError(Exception):
    """The image cannot be had, or is not what its digests say."""


@dataclass(frozen=True)
class Image:
    """A pulled image: layers lie on disk, compressed as they came."""

    digest: str
    image_id: str  # digest of its configuration
    config: dict[str, Any]
    layers: tuple[Path, ...]
    diff_ids: tuple[str, ...]


def pull(link: Link, reference: str, folder: Path) -> Image:
    """Fetch manifest, configuration and layers into `folder`. Raises PullError."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise PullError(f"image reference: got {reference!r}, expected LOCATION-docker.pkg.dev/…@sha256:…")
    base = f"/v2/{found['name']}"
    wanted = found["digest"] or found["tag"] or "latest"
    try:
        content: bytes = link.fetch(
            f"{base}/manifests/{wanted}", _ACCEPT, lambda answer: answer.read(_MAX_JSON)
        )
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if found["digest"] and digest != found["digest"]:
            raise PullError(f"manifest: got bytes of {digest}, expected {found['digest']}")
        manifest = json.loads(content)
        config_file = _blob(link, base, manifest["config"], folder)
        config = json.loads(config_file.read_bytes())
        layers = tuple(_blob(link, base, layer, folder) for layer in manifest["layers"])
        diff_ids = tuple(config["rootfs"]["diff_ids"])
    except LinkError as error:
        raise PullError(f"cannot pull {reference}: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PullError(f"{reference}: not an image: {error!r}") from error
    if len(diff_ids) != len(layers):
        raise PullError(f"{reference}: {len(layers)} layers, but the configuration names {len(diff_ids)}")
    return Image(digest, manifest["config"]["digest"], config, layers, diff_ids)


def _blob(link: Link, base: str, descriptor: dict[str, Any], folder: Path) -> Path:
    digest, size = str(descriptor["digest"]), int(descriptor["size"])
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise PullError(f"digest: got {digest!r}, expected sha256:<64 hex digits>")
    file = folder / digest.removeprefix("sha256:")

    def save(answer: IO[bytes]) -> str:
        hashed, left = hashlib.sha256(), size + 1
        with file.open("wb") as target:
            while left > 0 and (chunk := answer.read(min(_CHUNK, left))):
                target.write(chunk)
                hashed.update(chunk)
                left -= len(chunk)
        return "sha256:" + hashed.hexdigest()

    got: str = link.fetch(f"{base}/blobs/{digest}", "*/*", save)
    if got != digest or file.stat().st_size != size:
        raise PullError(f"blob: got bytes of {got}, expected {digest} with {size} bytes")
    return file
