"""What was sealed: files, parts, digests and the wrapped key, as one JSON document.

- Parsed once into frozen types; an unknown field is refused, and so is what `rules.sealed` forbids.
- An owner's key is wrapped with `binding` as associated data: it opens for exactly these files and parts.
- Wrapping the key again changes only `key`: binding and parts stay as they are.
"""

import re
from typing import Literal

import msgspec

from sealtrain.rules.canonical import Digest, digest
from sealtrain.rules.sealed import LARGEST_MANIFEST_BYTES, Fault, SealedFile, find_fault, id_of
from sealtrain.sealing.errors import SealingError

_KMS_KEY = re.compile(r"projects/[\w.:-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+")


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

    def binding(self) -> Digest:
        """Give the digest of everything but the key."""
        return digest(msgspec.structs.replace(self, key=None).encode())


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest from outside. Raises SealingError naming the field that is wrong."""
    if len(data) > LARGEST_MANIFEST_BYTES:
        raise _refusal(Fault("size", f"{len(data)} bytes", f"at most {LARGEST_MANIFEST_BYTES}"))
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refusal(Fault("document", str(error), "a manifest of version 1")) from error
    fault = find_fault(manifest.files)
    if fault is not None:
        raise _refusal(fault)
    return manifest


def parse_owners_manifest(data: bytes) -> tuple[Manifest, WrappedKey]:
    """Read the manifest of a dataset that its owner sealed, and its key. Raises SealingError."""
    manifest = parse_manifest(data)
    if manifest.sealed_by != "owner":
        raise _refusal(Fault("sealed_by", manifest.sealed_by, "owner"))
    if manifest.id != id_of(manifest.files):
        raise _refusal(Fault("id", manifest.id, f"{id_of(manifest.files)}, the id of its files"))
    if manifest.key is None or manifest.key.associated_data != manifest.binding():
        got = "no key" if manifest.key is None else f"a key bound to {manifest.key.associated_data}"
        raise _refusal(Fault("key", got, f"a key bound to {manifest.binding()}"))
    if not _KMS_KEY.fullmatch(manifest.key.kms_key):
        expected = "projects/P/locations/L/keyRings/R/cryptoKeys/K"
        raise _refusal(Fault("key.kms_key", repr(manifest.key.kms_key[:200]), expected))
    return manifest, manifest.key


def _refusal(fault: Fault) -> SealingError:
    return SealingError(
        f"manifest {fault.field}",
        got=fault.got,
        expected=fault.expected,
        remedy="fetch or seal the dataset again",
    )
