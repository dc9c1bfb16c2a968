"""Envelope sealing: the one place that knows Tink.

A data key is a fresh Tink streaming-AEAD keyset; whoever calls us wraps its bytes with KMS.
Bytes are sealed in parts of at most `PART_BYTES` that stand alone. Each part is bound to its
place (dataset, path, number, count), so a part that was swapped, reordered, repeated, dropped,
shortened or moved to another dataset does not open. Nothing here talks to a network or a disk.
"""

from sealtrain.sealing.errors import SealingError
from sealtrain.sealing.key import DataKey, new_data_key
from sealtrain.sealing.manifest import Manifest, Part, SealedFile, WrappedKey, parse_manifest
from sealtrain.sealing.stream import (
    PART_BYTES,
    Sealed,
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
    "Sealed",
    "SealedFile",
    "SealingError",
    "WrappedKey",
    "associated_data",
    "count_parts",
    "new_data_key",
    "open_",
    "parse_manifest",
    "seal",
]
