"""Check the receipt and the model's sealed objects against it; only then is there a model.

Every sealed object is read back and hashed. What was compared goes on record; the model itself stands
where the workload put it, sealed to its owner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from sealtrain.rules import canonical, names, receipt, records
from sealtrain.rules.errors import AlreadyExistsError, EvidenceError
from sealtrain.rules.order import Order, parse_order
from sealtrain.rules.parsing import convert
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.storage import Storage

CHUNK_BYTES = 1 << 20


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """Where the sealed model stands, and the metrics that the receipt states."""

    run: str
    model: str
    metrics: dict[str, float | int]


class _ManifestFile(msgspec.Struct, frozen=True):
    path: str
    size: int
    sha256: str


class _Manifest(msgspec.Struct, frozen=True):
    files: tuple[_ManifestFile, ...]


def publish_model(
    request: Request,
    *,
    storage: Storage,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Check and record. Raises EvidenceError naming what differs from the receipt."""
    run = names.checked_run_id(request.run)
    order, found, receipt_digest = _checked_receipt(run, storage, settings)
    signed = {one.object: one for file in found.model for one in file.objects}
    _compare("model", _listed(storage, order), {name: one.sealed_size for name, one in signed.items()})
    read = tuple(_read(storage, order, name) for name in sorted(signed))
    _compare(
        "model", {one.object: one.sha256 for one in read},
        {name: one.sealed_sha256 for name, one in signed.items()},
    )  # fmt: skip
    _check_manifest(storage, run, order, found)
    record = records.Published(run=run, time=clock().isoformat(), receipt_digest=receipt_digest, objects=read)
    with suppress(AlreadyExistsError):  # the first comparison stands
        storage.create(names.evidence_bucket(settings), records.published(run), canonical.dumps(record))
    return Result(run=run, model=names.gs(order.output.bucket, order.output.prefix), metrics=found.metrics)


def _checked_receipt(run: str, storage: Storage, settings: Settings) -> tuple[Order, receipt.Receipt, str]:
    state, evidence = names.state_bucket(settings), names.evidence_bucket(settings)
    data = storage.get(state, names.order(run))
    order, order_digest = parse_order(data), canonical.digest(data)
    token = records.parse(storage.get(evidence, names.token(run)), records.TokenRecord, "token.json")
    verdict = records.parse(storage.get(evidence, names.verdict(run)), records.VerdictRecord, "verdict.json")
    _compare("verdict", verdict.verdict, "met")
    _compare("verdict.token_digest", verdict.token_digest, canonical.digest(token.token.encode()))
    signed = storage.get(evidence, names.receipt(run))
    found = receipt.parse(signed, token.public_key_pem)
    for finding in receipt.check(found, order, order_digest):
        _compare(f"receipt.{finding.field}", finding.got, finding.expected)
    completed = storage.find(state, names.completion(run))
    if completed is not None:
        told = records.parse(completed, records.Completion, "completion.json").left_digest
        if told is not None:
            _compare("completion.left_digest", told, canonical.digest(signed))
    return order, found, canonical.digest(signed)


def _listed(storage: Storage, order: Order) -> dict[str, int]:
    prefix = f"{order.output.prefix}model/"
    return {one.name: one.size for one in storage.list(order.output.bucket, prefix)}


def _read(storage: Storage, order: Order, name: str) -> records.PublishedObject:
    about = storage.stat(order.output.bucket, name)
    if about is None:
        raise _differs("model", "nothing", name)
    digest = hashlib.sha256()
    reader = storage.open_reader(order.output.bucket, name, about.generation)
    while chunk := reader.read(CHUNK_BYTES):
        digest.update(chunk)
    return records.PublishedObject(
        object=name,
        generation=about.generation,
        size=about.size,
        sha256=f"sha256:{digest.hexdigest()}",
    )


def _check_manifest(storage: Storage, run: str, order: Order, found: receipt.Receipt) -> None:
    """The owner opens the model by its manifest, so it has to speak of the receipt's files."""
    data = storage.find(order.output.bucket, names.model_manifest(run))
    if data is None:
        raise _differs("manifest", "nothing", names.model_manifest(run))
    manifest = convert(
        records.plain(data, "manifest.json"), _Manifest, "manifest.json", refusal=EvidenceError
    )
    told = sorted((one.path, one.size, one.sha256) for one in manifest.files)
    _compare("manifest.files", told, sorted((one.name, one.size, one.sha256) for one in found.model))


def _compare(field: str, got: Any, expected: Any) -> None:
    if got != expected:
        raise _differs(field, got, expected)


def _differs(field: str, got: Any, expected: Any) -> EvidenceError:
    return EvidenceError(
        "what the run left is not what its attested receipt says",
        code="receipt_mismatch",
        field=field,
        got=got,
        expected=expected,
        remedy="do not use the model; read the run's records",
    )
