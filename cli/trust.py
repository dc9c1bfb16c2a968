"""Which keys a bundle is checked with, and whose word it is that they are the right ones.

An auditor gets `trust.json` from whoever they trust, not with the bundle. The one that lies beside a bundle
is used only if no other is given: it shows that the bundle is whole, not who signed it, and is named so.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from sealtrain.rules.bundle import Check, Statement, open_statement, verify_bundle
from sealtrain.rules.errors import SealtrainError

from cli.errors import CommandError
from cli.output import note

FILE = "trust.json"
_LARGEST_BYTES = 1 << 20


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two keys in PEM: the signer of bundles, and the root certificate of attestation tokens."""

    bundle_key_pem: str
    attestation_root_pem: str


class Chosen(NamedTuple):
    """Keys, and in words where they are from."""

    keys: Trust
    whose: str


def choose(evidence: Path, given: Path | None) -> Chosen | None:
    """The keys of the file that is given, else of the one beside the evidence; None if there is neither."""
    if given is not None:
        return Chosen(read(given), f"given with --trust {given}")
    beside = evidence.resolve().parent / FILE
    if not beside.exists():
        return None
    note(f"using {beside}: keys that come with evidence prove nothing; give yours with --trust")
    return Chosen(read(beside), f"from {FILE} beside it, pinned by nobody: they do not prove who signed")


def needed(chosen: Chosen | None) -> Chosen:
    """The keys, where nothing can be said without. Raises CommandError."""
    if chosen is None:
        raise CommandError(
            "a bundle needs the public keys to check it with",
            field="--trust",
            got="nothing, and no trust.json beside the bundle",
            remedy="give the trust.json of the deployment; `sealtrain fetch RUN -o DIR` writes it",
        )
    return chosen


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


def check(data: bytes, keys: Trust, now: datetime) -> tuple[list[Check], Statement | None]:
    """Every check of a bundle at the time `now` (UTC), and the statement if its signature holds."""
    for field, pem in (
        ("bundle_key_pem", keys.bundle_key_pem),
        ("attestation_root_pem", keys.attestation_root_pem),
    ):
        if not pem.startswith("-----BEGIN "):
            raise CommandError("not a key in PEM", field=f"trust.{field}", got=pem[:40] or "nothing")
    checks = verify_bundle(data, keys.bundle_key_pem, keys.attestation_root_pem, now)
    try:
        return checks, open_statement(data, keys.bundle_key_pem)
    except SealtrainError:
        return checks, None


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
