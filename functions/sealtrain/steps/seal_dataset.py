"""Seal the dataset, freeze the order, wrap the key bound to the order; in as many calls as that takes.

- A call works for about BUDGET_S and says whether it is done; the longest piece of work is one part, or the
  hash of one file. How far it is stands in the run's sealed bucket (`sealing.session`), with the data key
  under the sealing key, until the order stands. A small dataset leaves no such trace.
- What its owner sealed before upload is copied inside Cloud Storage: nothing here can open it.
- The order's bytes come first, their digest goes into the wrap, the wrapped key is kept, and only then does
  the order stand. Parts that no order names go with the bucket.
- A source is removed only if the job says so, each part having been read back and compared, and after the
  order stands.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from sealtrain.rules import names
from sealtrain.rules.canonical import digest
from sealtrain.rules.checkpoints import check_left, was_trusted
from sealtrain.rules.dataset import check_pinned
from sealtrain.rules.errors import NotFoundError, RefusedError
from sealtrain.rules.freeze import order_of
from sealtrain.rules.job import FrozenJob, SourceObject
from sealtrain.rules.later import PlaceKey
from sealtrain.rules.order import Dataset, HeldKey, Order, Resume, encode, training_id
from sealtrain.rules.records import Completion, TokenRecord, parse
from sealtrain.rules.sealed import Part
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Claim, Upload, earlier, run_of, source_changed
from sealtrain.sealing import PART_BYTES, SealingError, parse_owners_manifest
from sealtrain.sealing.buckets import BucketVault, KmsKey, ObjectSource
from sealtrain.sealing.session import Session

if TYPE_CHECKING:
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.state import State
    from sealtrain.cloud.storage import Storage

BUDGET_S = 240
_PARTS = "data/"
_NOTES = "sealing/"


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """The digest of the order; empty while `done` is False: then call again."""

    run: str
    order_digest: str
    done: bool


def seal_dataset(
    request: Request,
    *,
    storage: Storage,
    state: State,
    kms: Kms,
    settings: Settings,
    clock: Callable[[], datetime],
    budget_s: float = BUDGET_S,
    part_bytes: int = PART_BYTES,
) -> Result:
    """Go on sealing; once the order stands, give its digest. Raises RefusedError on a changed upload."""
    run = names.checked_run_id(request.run)
    frozen = state.job(run)
    end = clock() + timedelta(seconds=budget_s)

    def more() -> bool:
        return clock() < end

    order_digest: str | None = state.find_order_digest(run)
    vault = BucketVault(names.sealed_bucket(settings, run), _NOTES, storage)
    if order_digest is None and frozen.manifest is not None:
        order_digest = _take_over(frozen, frozen.manifest, storage, state, settings, more)
    elif order_digest is None:
        order_digest = _seal(frozen, vault, storage, state, kms, settings, more, part_bytes)
    if order_digest is None:
        return Result(run=run, order_digest="", done=False)
    vault.forget()
    if frozen.job.source == "forget":
        state.must_go_on(run)
        for each in (*frozen.objects, *((frozen.manifest,) if frozen.manifest else ())):
            storage.delete(frozen.bucket, each.name, each.generation)
    return Result(run=run, order_digest=order_digest, done=True)


def _seal(
    frozen: FrozenJob,
    vault: BucketVault,
    storage: Storage,
    state: State,
    kms: Kms,
    settings: Settings,
    more: Callable[[], bool],
    part_bytes: int,
) -> str | None:
    """Seal a plain upload; the digest of its order, or None while there is more to do."""
    bucket = names.sealed_bucket(settings, frozen.run)
    session = Session(
        [ObjectSource(frozen.bucket, each, storage) for each in frozen.objects],
        vault,
        KmsKey(names.sealing_key(settings), kms),
        prefix=_PARTS,
        accept=lambda found: check_pinned(found, frozen.job),
        read_back=frozen.job.source == "forget",
        part_bytes=part_bytes,
    )
    try:
        found = session.advance(more)
    except SealingError as error:
        raise _refused(error) from error
    if found is None:
        return None
    dataset = Dataset(sealed_by="service", id=found.id, bucket=bucket, prefix=_PARTS, files=found.files)
    order = order_of(settings, frozen, dataset, _places(frozen.run, state))
    order = _resumed(order, state, storage)
    order_digest = digest(encode(order))
    wrapped = kms.encrypt(order.release.kms_key, found.key.serialize(), order_digest.encode())
    return _freeze(order, b64encode(wrapped.ciphertext).decode(), wrapped.key_version, state)


def _take_over(
    frozen: FrozenJob,
    uploaded: SourceObject,
    storage: Storage,
    state: State,
    settings: Settings,
    more: Callable[[], bool],
) -> str | None:
    """Copy what the owner sealed into the run's bucket; the digest of its order, or None as above."""
    bucket = names.sealed_bucket(settings, frozen.run)
    try:
        manifest, key = parse_owners_manifest(storage.get(frozen.bucket, uploaded.name, uploaded.generation))
        if not _copy(frozen, bucket, storage, more):
            return None
    except NotFoundError as error:
        raise source_changed(error.body.field or uploaded.name, uploaded.generation) from error
    except SealingError as error:
        raise _refused(error) from error
    files = tuple(
        msgspec.structs.replace(file, parts=tuple(_moved(part) for part in file.parts))
        for file in manifest.files
    )
    dataset = Dataset(
        sealed_by="owner",
        id=manifest.id,
        bucket=bucket,
        prefix=_PARTS,
        files=files,
        manifest=manifest.binding(),
    )
    order = order_of(settings, frozen, dataset, _places(frozen.run, state), key.kms_key)
    order = _resumed(order, state, storage)
    return _freeze(order, key.wrapped, key.key_version, state)


def _places(run: str, state: State) -> str:
    """The public half of the run's place key; the key is made once, before any order names it."""
    return state.keep(names.place_key(run), PlaceKey.new()).public()


def _resumed(order: Order, state: State, storage: Storage) -> Order:
    """The order with the checkpoint that the attempt before left, or had itself gone on from, if any.

    Only of the same training: other data, image or arguments begin anew. A checkpoint of that attempt's own
    counts only if its machine was preempted, and trusted to its end. Raises EvidenceError for one that this
    machine did not leave (rules/checkpoints.py).
    """
    past = _before(state.claim(order.run).upload, state)
    if past is None or training_id(past) != training_id(order):
        return order
    place, resume = order.checkpoint, past.checkpoint.resume
    own = storage.find(place.bucket, names.checkpoint_manifest(past.run))
    said = state.find(names.completion(past.run), Completion)
    left = said is not None and said.reason == "preempted" and said.left_digest is not None
    if own is not None and said is not None and left and _was_trusted(past, storage):
        by = parse(storage.get(past.evidence.bucket, names.token(past.run)), TokenRecord, "token.json")
        check_left(past.run, said, by, digest(own))
        resume = Resume(run=past.run, manifest=names.checkpoint_manifest(past.run), sha256=digest(own))
    elif resume is not None and storage.find(place.bucket, resume.manifest) is None:
        resume = None
    return replace(order, checkpoint=replace(place, resume=resume))


def _before(upload: Upload, state: State) -> Order | None:
    """The order of the attempt before; one that ended before it had an order is looked past."""
    before = earlier(upload)
    while before is not None:
        past = state.find(names.order(run_of(before)), Order)
        if past is not None or state.find(names.claim(run_of(before)), Claim) is None:
            return past
        before = earlier(before)
    return None


def _was_trusted(past: Order, storage: Storage) -> bool:
    bucket = past.evidence.bucket
    return was_trusted(
        past.run,
        lambda prefix: [one.name for one in storage.list(bucket, prefix)],
        lambda name: storage.find(bucket, name),
    )


def _copy(frozen: FrozenJob, bucket: str, storage: Storage, more: Callable[[], bool]) -> bool:
    """Copy the parts that are not there yet; whether all are."""
    there = {each.name: each for each in storage.list(bucket, _PARTS)}
    for each in frozen.objects:
        name = _PARTS + each.path
        if name not in there and not more():
            return False
        copy = there.get(name)
        if copy is None:
            copy = storage.copy(frozen.bucket, each.name, each.generation, bucket, name)
        if (copy.size, copy.crc32c) != (each.size, each.crc32c):
            raise SealingError(
                name,
                got=f"{copy.size} bytes, crc32c {copy.crc32c}",
                expected=f"{each.size} bytes, crc32c {each.crc32c}",
                remedy="start another attempt",
            )
    return True


def _freeze(order: Order, wrapped_key: str, key_version: str, state: State) -> str:
    order_digest = digest(encode(order))
    held = HeldKey(order_digest=order_digest, wrapped_key=wrapped_key, key_version=key_version)
    state.keep(names.held(order.run, order_digest), held)
    # Another call of this step may have been faster: its order stands, and its key is held too.
    return digest(encode(state.keep(names.order(order.run), order)))


def _moved(part: Part) -> Part:
    return msgspec.structs.replace(part, object=_PARTS + part.object)


def _refused(error: SealingError) -> RefusedError:
    return RefusedError(
        error.body.message,
        code="sealing_refused",
        field=error.body.field,
        got=error.body.got,
        expected=error.body.expected,
        remedy=error.body.remedy,
    )
