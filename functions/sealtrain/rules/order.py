"""The order: what a run is to do, frozen and hashed before any machine exists.

- Its bytes (canonical JSON) are the hash input; the digest is in the VM's metadata, in the nonce of
  the evidence token, in the wrap of the data key (as associated data) and in the receipt.
- An order read back is checked: shape, files and parts (`rules.sealed`), and that the id is the files' own.
- The workload reads orders too, so this module imports no more than it must; `rules.freeze` makes them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sealtrain.rules.canonical import Digest, digest, dumps
from sealtrain.rules.errors import EvidenceError
from sealtrain.rules.sealed import SealedFile, find_fault, id_of

Format = Literal["csv", "files"]
Scalar = str | int | float | bool


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The sealed dataset and where its parts are.

    `manifest` is the binding of its owner's manifest, which the owner's key is wrapped with; empty when
    the service sealed it, whose wrap is bound to the order itself.
    """

    sealed_by: Literal["service", "owner"]
    id: str
    bucket: str
    prefix: str
    files: tuple[SealedFile, ...]
    manifest: str = ""


class OrderedObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source object in the inbox."""

    name: str
    generation: str
    size: int


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was sealed, by generation."""

    bucket: str
    objects: tuple[OrderedObject, ...]


class OrderLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the trainer may use."""

    seconds: int
    disk_bytes: int
    memory_bytes: int


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the workload gets the data key: which key, the object to await, the exchange's audience."""

    kms_key: str
    object: str
    sts_audience: str


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the sealed model goes, and the owner's key it is sealed to."""

    bucket: str
    prefix: str
    kms_key: str


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The checkpoint to go on from: the attempt that left it, its manifest's name and digest."""

    run: str
    manifest: str
    sha256: str


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a preempted run leaves its checkpoint, the key it is sealed to, and what to go on from."""

    bucket: str
    prefix: str
    kms_key: str
    resume: Resume | None = None


class EvidencePlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where tokens and receipt go, the tokens' audience, and how often a fresh one is shown.

    `places` is the public half of the key that the places of later tokens come from (rules/later.py).
    """

    bucket: str
    prefix: str
    audience: str
    renew_s: int
    places: str


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """order.json."""

    version: Literal[1] = 1
    run: str
    project: str
    project_number: str
    region: str
    deployment: str
    dataset: Dataset
    source: Source
    image: str
    image_digest: str
    format: Format
    arguments: dict[str, Scalar | list[Scalar]]
    limits: OrderLimits
    release: Release
    output: Output
    checkpoint: Checkpoint
    evidence: EvidencePlace
    events_topic: str


class HeldKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The wrapped data key (base64): held until the verdict, then the release, in the same form."""

    order_digest: str
    wrapped_key: str
    key_version: str


def training_id(order: Order) -> Digest:
    """What is trained, and how: attempts that agree on this may go on from each other's checkpoints."""
    return digest(dumps([order.dataset.id, order.image_digest, order.format, order.arguments]))


def encode(order: Order) -> bytes:
    """The order's bytes."""
    return dumps(order)


def parse_order(data: bytes) -> Order:
    """Read an order. Raises EvidenceError when it is not one, or not the bytes we would write."""
    try:
        order = msgspec.json.decode(data, type=Order)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvidenceError("the order cannot be read", field="order", got=error) from error
    fault = find_fault(order.dataset.files)
    if fault is not None:
        raise EvidenceError(
            "the order's dataset cannot be one",
            field=f"dataset.files: {fault.field}",
            got=fault.got,
            expected=fault.expected,
        )
    found = id_of(order.dataset.files)
    if order.dataset.id != found:
        raise EvidenceError(
            "the order's dataset id is not that of its files",
            field="dataset.id",
            got=order.dataset.id,
            expected=found,
        )
    if encode(order) != data:
        raise EvidenceError("the order is not in its canonical form", field="order")
    return order
