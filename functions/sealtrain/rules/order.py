"""The order: what a run is to do, frozen and hashed before any machine exists.

- Its bytes (canonical JSON) are the hash input; the digest is in the VM's metadata, in the nonce of
  the evidence token, in the wrap of the data key (as associated data) and in the receipt.
- An order read back is checked: shape, files and parts (`rules.sealed`), and that the id is the files' own.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sealtrain.rules import names
from sealtrain.rules.canonical import dumps
from sealtrain.rules.errors import EvidenceError
from sealtrain.rules.job import Format, FrozenJob, Scalar
from sealtrain.rules.parsing import parse
from sealtrain.rules.sealed import SealedFile, find_fault, id_of
from sealtrain.rules.settings import Settings

EVIDENCE_AUDIENCE = "sealtrain-evidence"


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


class EvidencePlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where token and receipt go, and the audience of the evidence token."""

    bucket: str
    prefix: str
    audience: str


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
    evidence: EvidencePlace
    events_topic: str


class HeldKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The wrapped data key (base64): held until the verdict, then the release, in the same form."""

    order_digest: str
    wrapped_key: str
    key_version: str


def order_of(settings: Settings, frozen: FrozenJob, dataset: Dataset, kms_key: str = "") -> Order:
    """The order of an admitted job and its sealed dataset; `kms_key` is the owner's, who sealed it."""
    run = frozen.run
    uploaded = frozen.objects if frozen.manifest is None else (frozen.manifest, *frozen.objects)
    return Order(
        run=run,
        project=settings.project,
        project_number=settings.project_number,
        region=settings.region,
        deployment=settings.deployment,
        dataset=dataset,
        source=Source(
            bucket=frozen.bucket,
            objects=tuple(OrderedObject(o.name, o.generation, o.size) for o in uploaded),
        ),
        image=frozen.image,
        image_digest=frozen.image_digest,
        format=frozen.job.format,
        arguments=frozen.job.arguments,
        limits=OrderLimits(
            seconds=frozen.job.limits.seconds,
            disk_bytes=frozen.job.limits.disk_bytes,
            memory_bytes=frozen.memory_bytes,
        ),
        release=Release(
            kms_key=kms_key or names.run_key(settings, run),
            object=names.gs(names.state_bucket(settings), names.release(run)),
            sts_audience=names.sts_audience(settings),
        ),
        output=Output(
            bucket=names.models_bucket(settings),
            prefix=names.model_prefix(run),
            kms_key=names.owner_key(settings),
        ),
        evidence=EvidencePlace(
            bucket=names.evidence_bucket(settings),
            prefix=names.evidence_prefix(run),
            audience=EVIDENCE_AUDIENCE,
        ),
        events_topic=names.topic(settings, "job-events"),
    )


def encode(order: Order) -> bytes:
    """The order's bytes."""
    return dumps(order)


def parse_order(data: bytes) -> Order:
    """Read an order. Raises EvidenceError when it is not one, or not the bytes we would write."""
    order = parse(data, Order, "the order", refusal=EvidenceError)
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
