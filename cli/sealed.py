"""Where something sealed lies, a folder or a place in Cloud Storage: its manifest, its parts, and opening it.

- A manifest is replaced only as it was read: by a new file put in its place, or by its generation.
- Opening writes drafts and moves them when they are whole. Cut off, it goes on at its part; refused, nothing
  of the file is left. A file that stands already is kept if it has the bytes, and otherwise left and told.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import google_crc32c
import requests
import urllib3
from sealtrain.rules.dataset import MANIFEST
from sealtrain.rules.errors import NotFoundError
from sealtrain.sealing import DataKey, Manifest, Part, Reader, SealedFile, SealingError, open_file

from cli import objects
from cli.api import Api, refusal
from cli.errors import CommandError

BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError)
_GS = "gs://"


class Place(Protocol):
    """Something sealed."""

    def manifest(self) -> bytes:
        """The manifest's bytes. Raises CommandError if there is none."""
        ...

    def replace(self, data: bytes) -> None:
        """Put other bytes in the place of those that `manifest` gave last."""
        ...

    @contextmanager
    def fetch(self, part: Part) -> Iterator[Reader]:
        """A part's bytes. Raises NotFoundError."""
        ...


def find(api: Api, text: str) -> Place:
    """The place that a person names: a folder, or gs://BUCKET/PREFIX/."""
    if text.startswith(_GS):
        bucket, _, prefix = text.removeprefix(_GS).partition("/")
        return BucketPlace(api, bucket, prefix if not prefix or prefix.endswith("/") else f"{prefix}/")
    return FolderPlace(Path(text))


class FolderPlace:
    """A folder with a manifest and parts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest(self) -> bytes:
        """The manifest's bytes."""
        file = self._folder / MANIFEST
        if not file.is_file():
            raise _no_manifest(str(file))
        return file.read_bytes()

    def replace(self, data: bytes) -> None:
        """Move a new file over the manifest."""
        draft = self._folder / f".{MANIFEST}.draft"
        draft.write_bytes(data)
        draft.replace(self._folder / MANIFEST)

    @contextmanager
    def fetch(self, part: Part) -> Iterator[Reader]:
        """A part's bytes, of a file inside the folder."""
        file = (self._folder / part.object).resolve()
        if not file.is_relative_to(self._folder.resolve()) or not file.is_file():
            raise NotFoundError("not there", field=part.object)
        with file.open("rb") as source:
            yield source


class BucketPlace:
    """Objects under a prefix. A model's manifest names its parts in full, a dataset's below the prefix."""

    def __init__(self, api: Api, bucket: str, prefix: str) -> None:
        self._api, self._bucket, self._prefix = api, bucket, prefix
        self._generation = ""

    def manifest(self) -> bytes:
        """The manifest's bytes."""
        name = self._prefix + MANIFEST
        found = objects.find(self._api, self._bucket, name)
        data = objects.read(self._api, self._bucket, name)
        if found is None or data is None:
            raise _no_manifest(f"{_GS}{self._bucket}/{name}")
        self._generation = found.generation
        return data

    def replace(self, data: bytes) -> None:
        """Write over the generation that was read, and no other. Raises CloudError (412)."""
        params = {
            "uploadType": "media",
            "ifGenerationMatch": self._generation,
            "name": self._prefix + MANIFEST,
        }
        sum_ = google_crc32c.Checksum(data).digest()  # type: ignore[no-untyped-call]
        headers = {"Content-Type": "application/json", "X-Goog-Hash": f"crc32c={b64encode(sum_).decode()}"}
        path = f"/upload/storage/v1/b/{self._bucket}/o"
        self._api.call("POST", "storage", path, params=params, data=data, headers=headers)

    @contextmanager
    def fetch(self, part: Part) -> Iterator[Reader]:
        """A part's bytes."""
        name = part.object if part.object.startswith(self._prefix) else self._prefix + part.object
        path = f"/storage/v1/b/{self._bucket}/o/{quote(name, safe='')}"
        answer = self._api.send("GET", "storage", path, params={"alt": "media"}, again=True, stream=True)
        with answer:
            if answer.status_code == 404:
                raise NotFoundError("not there", field=name)
            if answer.status_code != 200:
                raise refusal("GET", path, answer)
            yield answer.raw


def open_files(place: Place, manifest: Manifest, key: DataKey, target: Path) -> list[str]:
    """Open every file into `target`; their paths. Raises SealingError naming file and part."""
    target.mkdir(parents=True, exist_ok=True)
    for file in manifest.files:
        final = target / file.path
        if not final.resolve().is_relative_to(target.resolve()):
            raise CommandError("a link leads out of the folder", field=file.path, got=str(final.resolve()))
        if final.exists():
            _check_same(final, file)
            continue
        final.parent.mkdir(parents=True, exist_ok=True)
        draft = target / f".opening-{hashlib.sha256(file.path.encode()).hexdigest()[:16]}"
        try:
            with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as out:
                open_file(manifest, file, place.fetch, out, key, broken=BROKEN)
        except SealingError:
            draft.unlink()
            raise
        draft.replace(final)
    return [file.path for file in manifest.files]


def _check_same(final: Path, file: SealedFile) -> None:
    with final.open("rb") as there:
        found = f"sha256:{hashlib.file_digest(there, 'sha256').hexdigest()}"
    if found != file.sha256:
        raise CommandError(
            "a file stands in the way",
            field=str(final),
            got=found,
            expected=file.sha256,
            remedy="move it away, or open into another folder (-o)",
        )


def _no_manifest(name: str) -> CommandError:
    return CommandError(
        "nothing sealed is there",
        field=name,
        got="no manifest",
        remedy="name a folder that `sealtrain seal` wrote, or the gs:// folder of a model or sealed dataset",
    )
