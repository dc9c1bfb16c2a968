"""The workload's receipt: what it was given, what it made, signed by its attested key.

Rules enforced here:
- a receipt counts only when the public key that the attestation token binds has signed it;
- it has to speak of this run, this order, this image and exactly the order's dataset;
- it names every model file with its digest and the sealed objects that hold it.

Not handled here: whether the key was attested (rules/evidence/token.py), and whether the objects are there
(publish_model looks).
"""

from typing import Any

import msgspec

from sealtrain.rules import canonical, dsse
from sealtrain.rules.errors import EvidenceError, InvalidRequestError
from sealtrain.rules.evidence.findings import Finding
from sealtrain.rules.order import Order
from sealtrain.rules.parsing import convert
from sealtrain.rules.records import RECORD_LIMIT_BYTES

PAYLOAD_TYPE = "application/vnd.sealtrain.receipt+json"
SENTENCE = "The receipt speaks of this run, its order, its image and its dataset."


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset file: relative path, size in bytes, SHA-256 of the plain bytes."""

    path: str
    size: int
    sha256: str


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The dataset that was opened inside the machine."""

    id: str
    files: tuple[File, ...]


class SealedObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sealed part of a model file in the models bucket."""

    object: str
    sealed_sha256: str
    sealed_size: int


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model file: name, size in bytes and SHA-256 before sealing, and its sealed parts."""

    name: str
    size: int
    sha256: str
    objects: tuple[SealedObject, ...]


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the workload says about one training; times are RFC 3339 in UTC."""

    version: int
    run: str
    order_digest: str
    image_digest: str
    dataset: Dataset
    model: tuple[ModelFile, ...]
    metrics: dict[str, float | int]
    started: str
    finished: str
    trainer_exit: int


def parse(data: bytes, public_key_pem: str) -> Receipt:
    """Read a receipt that this key signed. Raises EvidenceError on anything else."""
    payload = dsse.verify(dsse.parse(data, RECORD_LIMIT_BYTES), public_key_pem, PAYLOAD_TYPE)
    try:
        value = canonical.loads(payload)
    except InvalidRequestError as error:
        raise EvidenceError(
            "the receipt's payload is not JSON", field="receipt", got=str(error), expected="JSON"
        ) from error
    receipt = convert(value, Receipt, "the receipt", refusal=EvidenceError)
    if receipt.version != 1:
        raise EvidenceError("another version of receipt", field="version", got=receipt.version, expected=1)
    return receipt


def check(receipt: Receipt, order: Order, order_digest: str) -> list[Finding]:
    """Compare a receipt with the order that it has to be about."""
    opened = [[file.path, file.size, file.sha256] for file in receipt.dataset.files]
    ordered = [[file.path, file.size, file.sha256] for file in order.dataset.files]
    compared: list[tuple[str, Any, Any]] = [
        ("run", receipt.run, order.run),
        ("order_digest", receipt.order_digest, order_digest),
        ("image_digest", receipt.image_digest, order.image_digest),
        ("dataset.id", receipt.dataset.id, order.dataset.id),
        ("dataset.files", sorted(opened), sorted(ordered)),
        ("trainer_exit", receipt.trainer_exit, 0),
    ]
    return [
        Finding(
            reason="receipt",
            field=field,
            got=str(got)[:200],
            expected=str(expected)[:200],
            sentence=SENTENCE,
        )
        for field, got, expected in compared
        if got != expected
    ]


def model_digest(receipt: Receipt) -> str:
    """Give one digest for all model files: over the canonical list of [name, size, sha256]."""
    return canonical.digest(
        canonical.dumps(sorted([file.name, file.size, file.sha256] for file in receipt.model))
    )
