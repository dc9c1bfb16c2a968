"""What was sealed: files, parts, digests and the wrapped key, as one JSON document.

- Parsed once into frozen types; an unknown field is refused.
- Paths are relative and plain: a manifest never names a place outside its directory.
- Sizes add up, and no path or object is named twice.
"""

from typing import Literal

import msgspec

from sealtrain.sealing.errors import SealingError

_MAX_MANIFEST_BYTES = 64 * 1024 * 1024
_MAX_PATH_BYTES = 1024


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sealed object. Sizes in bytes; digests as `sha256:<hex>`, of plaintext and sealed."""

    object: str
    size: int
    sha256: str
    sealed_size: int
    sealed_sha256: str


class SealedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file and the parts it is made of, in order; size and digest are of the plaintext."""

    path: str
    size: int
    sha256: str
    parts: tuple[Part, ...]


class WrappedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The data key as KMS wrapped it; `associated_data` is what KMS asks for to unwrap it."""

    kms_key: str
    key_version: str
    wrapped: str
    """Base64."""
    associated_data: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sealed dataset or model; `id` is the `dataset` of its parts' associated data."""

    id: str
    sealed_by: Literal["owner", "service", "workload"]
    files: tuple[SealedFile, ...]
    key: WrappedKey | None = None
    version: Literal[1] = 1

    def encode(self) -> bytes:
        """Give the canonical JSON: sorted keys, no spaces, the same bytes every time."""
        return msgspec.json.encode(self, order="sorted")


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest from outside. Raises SealingError naming the field that is wrong."""
    if len(data) > _MAX_MANIFEST_BYTES:
        raise _refusal("size", f"{len(data)} bytes", f"at most {_MAX_MANIFEST_BYTES}")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refusal("document", str(error), "a manifest of version 1") from error
    objects: set[str] = set()
    paths: set[str] = set()
    for file in manifest.files:
        _check_path(file.path)
        if file.path in paths:
            raise _refusal("path", f"{file.path!r} twice", "each path once")
        paths.add(file.path)
        _check_parts(file, objects)
    return manifest


def _check_path(path: str) -> None:
    pieces = path.split("/")
    plain = path.isprintable() and "\\" not in path and len(path.encode()) <= _MAX_PATH_BYTES
    if not plain or any(piece in {"", ".", ".."} for piece in pieces):
        raise _refusal("path", repr(path[:80]), "a relative path of printable characters, no '..'")


def _check_parts(file: SealedFile, objects: set[str]) -> None:
    total = sum(part.size for part in file.parts)
    if not file.parts or any(part.size < 0 for part in file.parts) or total != file.size:
        got = f"{len(file.parts)} parts of {total} bytes"
        raise _refusal(f"parts of {file.path!r}", got, f"parts that add up to {file.size} bytes")
    for part in file.parts:
        if part.object in objects:
            raise _refusal("object", f"{part.object!r} twice", "each object once")
        objects.add(part.object)


def _refusal(field: str, got: str, expected: str) -> SealingError:
    return SealingError(
        f"manifest {field}", got=got, expected=expected, remedy="fetch or seal the dataset again"
    )
