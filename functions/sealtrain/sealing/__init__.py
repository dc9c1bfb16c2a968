"""Envelope sealing: the one place that knows Tink.

A data key is a fresh Tink streaming-AEAD keyset; whoever calls us wraps its bytes with KMS.
Bytes are sealed in parts of at most `PART_BYTES` that stand alone. Each part is bound to its
place (dataset, path, number, count), so a part that was swapped, reordered, repeated, dropped,
shortened, renamed or moved to another dataset does not open, and is named. Nothing here talks to a
network or a disk: readers, writers and records are the caller's.

- `stream`: one part's bytes. `parts`: parts and files in their place. `session`: a whole dataset, in
  pieces of work that may be cut off at any line. `manifest`: the JSON that names what was sealed.
"""

from sealtrain.rules.sealed import Part, SealedFile
from sealtrain.sealing.errors import SealingError
from sealtrain.sealing.key import DataKey, new_data_key
from sealtrain.sealing.manifest import Manifest, WrappedKey, parse_manifest, parse_owners_manifest
from sealtrain.sealing.parts import SealedFiles, open_file, open_part
from sealtrain.sealing.stream import (
    PART_BYTES,
    Reader,
    Sealed,
    Writer,
    associated_data,
    count_parts,
    open_,
    seal,
)

__all__ = [
    "PART_BYTES",
    "DataKey",
    "Manifest",
    "Part",
    "Reader",
    "Sealed",
    "SealedFile",
    "SealedFiles",
    "SealingError",
    "WrappedKey",
    "Writer",
    "associated_data",
    "count_parts",
    "new_data_key",
    "open_",
    "open_file",
    "open_part",
    "parse_manifest",
    "parse_owners_manifest",
    "seal",
]
