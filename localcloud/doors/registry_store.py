"""Images of the registry: blobs and manifests by digest, tags that point to manifests, uploads under way."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from localcloud.doors import Answer
from localcloud.world.blobs import Blobs
from localcloud.world.cloud import Cloud

BLOB, MANIFEST, TAG = "registry.blob", "registry.manifest", "registry.tag"
REPOSITORY = "artifactregistry.repository"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CHUNK = 1 << 20
_MAX_MANIFEST = 4 << 20
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class Refusal(Exception):  # noqa: N818 - an answer, in the protocol's words
    """An error of the distribution protocol."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self) -> Answer:
        """As the protocol writes it."""
        body = {"errors": [{"code": self.code, "message": self.message}]}
        headers = {"WWW-Authenticate": 'Bearer realm="/v2/token"'} if self.status == 401 else {}
        return Answer(self.status, headers, json.dumps(body).encode())


class Image:
    """One image name: PROJECT/REPOSITORY/IMAGE."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        project, _, rest = name.partition("/")
        self._repository, _, image = rest.partition("/")
        if project != cloud.project or not image:
            raise Refusal(404, "NAME_UNKNOWN", f"no repository for {name!r}")
        self._cloud, self._name = cloud, name
        self._uploads = cloud.root / "uploads"
        self._blobs = Blobs(cloud.root / "images")  # apart from objects, whose bytes come and go

    def repository(self) -> str:
        """The repository's resource name. Refuses if there is none."""
        wanted = f"/repositories/{self._repository}"
        for name, _ in self._cloud.store.documents(REPOSITORY):
            if name.endswith(wanted):
                return name
        raise Refusal(404, "NAME_UNKNOWN", f"Repository {self._repository!r} not found")

    def blob(self, digest: str) -> Answer:
        """The bytes of one blob."""
        found = self._cloud.store.get(BLOB, f"{self._name}@{digest}")
        if found is None:
            raise Refusal(404, "BLOB_UNKNOWN", f"blob {digest} unknown to {self._name}")
        return self._content(digest, "application/octet-stream")

    def manifest(self, reference: str) -> Answer:
        """One manifest, by tag or digest."""
        tag = self._cloud.store.get(TAG, f"{self._name}:{reference}")
        digest = tag["digest"] if tag else reference
        found = self._cloud.store.get(MANIFEST, f"{self._name}@{digest}")
        if found is None:
            raise Refusal(404, "MANIFEST_UNKNOWN", f"manifest {reference} unknown to {self._name}")
        return self._content(digest, found["mediaType"])

    def put_manifest(self, reference: str, content: bytes, media_type: str) -> Answer:
        """Keep a manifest under its digest, and under a tag if `reference` is one."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if reference.startswith("sha256:") and reference != digest:
            raise Refusal(400, "DIGEST_INVALID", f"got bytes of {digest}, expected {reference}")
        self._check(content, media_type)
        self._blobs.write([content])
        key = f"{self._name}@{digest}"
        body = {"mediaType": media_type, "uploaded": self._cloud.clock.timestamp()}
        with self._cloud.store.transaction():
            self._cloud.store.create(MANIFEST, key, body)
            if reference != digest:
                self._cloud.store.put(TAG, f"{self._name}:{reference}", {"digest": digest})
        return self._created(f"manifests/{digest}", digest)

    def _check(self, content: bytes, media_type: str) -> None:
        if media_type not in _MANIFESTS:
            expected = " or ".join(_MANIFESTS)
            raise Refusal(400, "MANIFEST_INVALID", f"Content-Type: got {media_type!r}, expected {expected}")
        try:
            manifest: Any = json.loads(content)
            named = [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
        except (ValueError, KeyError, TypeError) as error:
            raise Refusal(400, "MANIFEST_INVALID", f"not an image manifest: {error!r}") from error
        if len(content) > _MAX_MANIFEST:
            raise Refusal(413, "MANIFEST_INVALID", f"{len(content)} bytes, at most {_MAX_MANIFEST}")
        for digest in named:
            if self._cloud.store.get(BLOB, f"{self._name}@{digest}") is None:
                raise Refusal(400, "MANIFEST_BLOB_UNKNOWN", f"blob {digest} unknown to {self._name}")

    def begin(self) -> str:
        """A new upload session."""
        session = secrets.token_hex(16)
        self._uploads.mkdir(parents=True, exist_ok=True)
        self._upload(session).touch()
        return session

    def append(self, session: str, stream: IO[bytes]) -> None:
        """Add bytes to an upload."""
        file = self._upload(session)
        if not file.exists():
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", f"upload {session} unknown")
        with file.open("ab") as target:
            while chunk := stream.read(_CHUNK):
                target.write(chunk)

    def progress(self, session: str) -> Answer:
        """How far an upload is."""
        end = max(self._upload(session).stat().st_size - 1, 0)
        location = f"/v2/{self._name}/blobs/uploads/{session}"
        return Answer(202, {"Location": location, "Range": f"0-{end}", "Docker-Upload-UUID": session})

    def finish(self, session: str, digest: str, stream: IO[bytes]) -> Answer:
        """End an upload: its bytes must have `digest`."""
        if not _DIGEST.fullmatch(digest):
            raise Refusal(400, "DIGEST_INVALID", f"got {digest!r}, expected sha256:<64 hex digits>")
        self.append(session, stream)
        file = self._upload(session)
        blob = self._blobs.write(_chunks(file))
        file.unlink()
        if digest != f"sha256:{blob.sha256}":
            raise Refusal(400, "DIGEST_INVALID", f"got bytes of sha256:{blob.sha256}, expected {digest}")
        self._cloud.store.put(BLOB, f"{self._name}@{digest}", {"size": blob.size})
        return self._created(f"blobs/{digest}", digest)

    def _upload(self, session: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{32}", session):
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", f"upload {session!r} unknown")
        return self._uploads / session

    def _created(self, where: str, digest: str) -> Answer:
        location = f"/v2/{self._name}/{where}"
        return Answer(201, {"Location": location, "Docker-Content-Digest": digest})

    def _content(self, digest: str, media_type: str) -> Answer:
        file = self._blobs.path(digest.removeprefix("sha256:"))
        size = str(file.stat().st_size)
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest, "Content-Length": size}
        return Answer(headers=headers, content=_chunks(file))


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            yield chunk
