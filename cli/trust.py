"""Which keys a bundle is checked with: the deployment's bundle key and the root of attestation tokens.

An auditor gets `trust.json` from whoever they trust, not with the bundle. The one that lies beside a bundle
is used only if no other is given, and the check says so.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from cli.errors import CommandError

FILE = "trust.json"
_LARGEST_BYTES = 1 << 20


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two keys in PEM: the signer of bundles, and the root certificate of attestation tokens."""

    bundle_key_pem: str
    attestation_root_pem: str


def read(file: Path) -> Trust:
    """Parse a trust file. Raises CommandError."""
    data = read_file(file, "--trust", _LARGEST_BYTES)
    try:
        return msgspec.json.decode(data, type=Trust)
    except msgspec.DecodeError as error:
        raise CommandError(
            "the file holds no public keys",
            field="--trust",
            got=f"{file}: {error}",
            expected="a trust.json as `sealtrain fetch` writes it",
        ) from error


def read_file(file: Path, field: str, largest_bytes: int) -> bytes:
    """A file's bytes, bounded. Raises CommandError naming the argument `field`."""
    try:
        with file.open("rb") as source:
            data = source.read(largest_bytes + 1)
    except OSError as error:
        raise CommandError(
            "the file cannot be read",
            field=field,
            got=f"{file}: {error.strerror}",
            remedy="`sealtrain fetch RUN -o DIR` writes bundle.json and trust.json",
        ) from error
    if len(data) > largest_bytes:
        raise CommandError("the file is too large", field=field, expected=f"at most {largest_bytes} bytes")
    return data
