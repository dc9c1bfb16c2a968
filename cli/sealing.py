"""Seals a folder on this machine into another one that is ready for upload.

- The sealed folder holds `manifest.json` and `parts/…`, and the data's `job.yaml` if there is one. What
  stands there under `.sealing/` while the work goes on is wrapped, or a digest; no key rests on the disk.
- Cut off anywhere, the same command goes on. The manifest is written after all parts.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sealtrain.rules.dataset import MANIFEST
from sealtrain.rules.sealed import SealedFile
from sealtrain.rules.uploads import JOB_FILE, check_object_name
from sealtrain.sealing import PART_BYTES, Manifest, Reader, WrappedKey, Writer, parse_manifest
from sealtrain.sealing.session import KeyService, Session

from cli.errors import CommandError

_NOTES, _PARTS = ".sealing", "parts/"


class PlainFile:
    """One file of the data."""

    def __init__(self, path: str, file: Path) -> None:
        self.path, self._file = path, file
        self.size = file.stat().st_size

    @contextmanager
    def open(self, offset: int) -> Iterator[Reader]:
        """Its bytes from `offset` on."""
        with self._file.open("rb") as source:
            source.seek(offset)
            yield source


class FolderVault:
    """Sealed objects in a folder, and the notes of their session beside them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> bytes | None:
        """A note, or None."""
        file = self._folder / _NOTES / name
        return file.read_bytes() if file.exists() else None

    def keep(self, name: str, data: bytes) -> bytes:
        """Write a note once; give the one that stands."""
        file = self._folder / _NOTES / name
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{name}.{secrets.token_hex(4)}")
        _write(draft, data)
        try:
            os.link(draft, file)
        except FileExistsError:
            return file.read_bytes()
        finally:
            draft.unlink()
        return data

    @contextmanager
    def writer(self, name: str) -> Iterator[Writer]:
        """A new object."""
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.draft")
        with draft.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)

    @contextmanager
    def reader(self, name: str) -> Iterator[Reader]:
        """An object's bytes."""
        with (self._folder / name).open("rb") as source:
            yield source

    def finish(self, files: tuple[SealedFile, ...]) -> None:
        """Remove the notes, and parts that were cut off."""
        named = {part.object for file in files for part in file.parts}
        for file in sorted((self._folder / _PARTS).rglob("*")):
            if file.is_file() and file.relative_to(self._folder).as_posix() not in named:
                file.unlink()
        shutil.rmtree(self._folder / _NOTES, ignore_errors=True)


def seal_folder(data: Path, target: Path, keys: KeyService, part_bytes: int = PART_BYTES) -> Manifest:
    """Seal every file of `data` into `target`; the manifest. Raises CommandError or SealingError."""
    sources = plain_files(data)
    vault = FolderVault(target)
    if (target / MANIFEST).exists() and (target / _NOTES).exists():
        # Only the tidying up was cut off.
        done = parse_manifest((target / MANIFEST).read_bytes())
        vault.finish(done.files)
        return done
    if (target / MANIFEST).exists():
        raise CommandError(
            "a sealed dataset stands there already",
            field="--out",
            got=str(target / MANIFEST),
            remedy="remove that folder, or name another one",
        )
    target.mkdir(parents=True, exist_ok=True)
    listed = msgspec.json.encode([(source.path, source.size) for source in sources])
    if vault.keep("files.json", listed) != listed:
        raise CommandError(
            "the data is not what it was when its sealing was cut off",
            field="DATA",
            got=str(data),
            expected="the same files of the same sizes",
            remedy=f"remove {target}, and seal it again",
        )
    found = Session(sources, vault, keys, prefix=_PARTS, part_bytes=part_bytes).advance(lambda: True)
    if found is None:
        raise AssertionError("there was time, and it did not end")
    manifest = Manifest(id=found.id, sealed_by="owner", files=found.files)
    wrapped: WrappedKey = keys.wrap(found.key.serialize(), manifest.binding())
    manifest = msgspec.structs.replace(manifest, key=wrapped)
    if data.is_dir() and (data / JOB_FILE).is_file():
        shutil.copyfile(data / JOB_FILE, target / JOB_FILE)
    draft = target / f".{MANIFEST}.draft"
    _write(draft, manifest.encode())
    draft.replace(target / MANIFEST)
    vault.finish(manifest.files)
    return manifest


def plain_files(data: Path) -> list[PlainFile]:
    """The data's files in order of path; hidden ones and the job are left out. Raises CommandError."""
    found = []
    for file in sorted(data.rglob("*")) if data.is_dir() else [data]:
        path = file.relative_to(data).as_posix() if data.is_dir() else file.name
        hidden = any(piece.startswith(".") for piece in path.split("/"))
        if hidden or path == JOB_FILE or (file.is_dir() and not file.is_symlink()):
            continue
        check_object_name(path)
        if file.is_symlink() or not file.is_file() or file.stat().st_size == 0:
            got = f"{file}: 0 bytes" if file.is_file() else str(file)
            raise CommandError("not a plain file that holds data", field="DATA", got=got)
        found.append(PlainFile(path, file))
    if not found:
        remedy = "name a folder of data files"
        raise CommandError("there is no data", field="DATA", got=str(data), remedy=remedy)
    return found


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
