"""Seal the dataset under a fresh data key, freeze the order, wrap the key bound to the order.

- Two passes: the first hashes the frozen generations (the dataset's id is in every part's associated
  data), the second seals them; both see the same bytes or the upload counts as changed.
- The order's bytes come first, their digest goes into the wrap, the wrapped key is kept, and only
  then does the order stand. A call that died before that leaves parts under a seal id that nobody
  names; they go with the bucket.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from sealtrain.rules import names
from sealtrain.rules.canonical import digest
from sealtrain.rules.errors import NotFoundError, RefusedError
from sealtrain.rules.freeze import order_of
from sealtrain.rules.job import FrozenJob, SourceObject
from sealtrain.rules.order import (
    Dataset,
    File,
    HeldKey,
    Order,
    Part,
    Resume,
    dataset_id,
    encode,
    training_id,
)
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import earlier, run_of, source_changed
from sealtrain.sealing import DataKey, associated_data, count_parts, new_data_key, seal

if TYPE_CHECKING:
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.state import State
    from sealtrain.cloud.storage import Storage

_CHUNK_BYTES = 1024 * 1024


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """The digest of the order."""

    run: str
    order_digest: str


def seal_dataset(
    request: Request,
    *,
    storage: Storage,
    state: State,
    kms: Kms,
    settings: Settings,
    clock: Callable[[], datetime],  # noqa: ARG001  # an order holds no time
) -> Result:
    """Seal once; when the order stands, give its digest. Raises RefusedError on a changed upload."""
    run = names.checked_run_id(request.run)
    standing = state.find_order_digest(run)
    if standing is not None:
        return Result(run=run, order_digest=standing)
    frozen = state.job(run)
    key = new_data_key()
    order = order_of(settings, frozen, _seal_all(frozen, key, storage, settings))
    order = _resumed(order, state, storage)
    order_digest = digest(encode(order))
    wrapped = kms.encrypt(order.release.kms_key, key.serialize(), order_digest.encode())
    held = HeldKey(
        order_digest=order_digest,
        wrapped_key=b64encode(wrapped.ciphertext).decode(),
        key_version=wrapped.key_version,
    )
    state.keep(names.held(run, order_digest), held)
    # Another call of this step may have been faster: its order stands, and its key is held too.
    kept = state.keep(names.order(run), order)
    return Result(run=run, order_digest=digest(encode(kept)))


def _resumed(order: Order, state: State, storage: Storage) -> Order:
    """The order with the checkpoint that the attempt before left, or had itself gone on from, if any.

    Only of the same training: other data, image or arguments begin anew.
    """
    before = earlier(state.claim(order.run).upload)
    past = None if before is None else state.find(names.order(run_of(before)), Order)
    if past is None or training_id(past) != training_id(order):
        return order
    place, resume = order.checkpoint, past.checkpoint.resume
    own = storage.find(place.bucket, names.checkpoint_manifest(past.run))
    if own is not None:
        resume = Resume(run=past.run, manifest=names.checkpoint_manifest(past.run), sha256=digest(own))
    elif resume is not None and storage.find(place.bucket, resume.manifest) is None:
        resume = None
    return replace(order, checkpoint=replace(place, resume=resume))


def _seal_all(frozen: FrozenJob, key: DataKey, storage: Storage, settings: Settings) -> Dataset:
    digests = {each.path: _Source(frozen, each, storage).read_all() for each in frozen.objects}
    found = dataset_id((each.path, each.size, digests[each.path]) for each in frozen.objects)
    if frozen.job.dataset not in {"", found}:
        raise RefusedError(
            "the dataset is not the one that the job pins",
            code="dataset_not_pinned",
            field="dataset",
            got=found,
            expected=frozen.job.dataset,
            remedy="upload the pinned data, or correct job.yaml",
        )
    bucket = names.sealed_bucket(settings, frozen.run)
    prefix = f"data/{secrets.token_hex(8)}/"
    numbers = count()
    files = []
    for each in frozen.objects:
        source = _Source(frozen, each, storage)
        parts = tuple(_seal_parts(source, found, key, storage, bucket, prefix, numbers))
        if source.sha256() != digests[each.path]:
            raise source_changed(each.name, each.generation)
        files.append(File(path=each.path, size=each.size, sha256=digests[each.path], parts=parts))
    return Dataset(sealed_by="service", id=found, bucket=bucket, prefix=prefix, files=tuple(files))


def _seal_parts(
    source: _Source,
    dataset: str,
    key: DataKey,
    storage: Storage,
    bucket: str,
    prefix: str,
    numbers: Iterator[int],
) -> Iterator[Part]:
    parts = count_parts(source.object.size)
    for part in range(parts):
        name = f"{prefix}part-{next(numbers):05d}"
        place = associated_data(dataset, source.object.path, part, parts)
        with storage.open_writer(bucket, name) as writer:
            sealed = seal(source, writer, key, place)
        yield Part(
            object=name,
            size=sealed.size,
            sha256=sealed.sha256,
            sealed_size=sealed.sealed_size,
            sealed_sha256=sealed.sealed_sha256,
        )


class _Source:
    """One object of the upload, read at its frozen generation and hashed as it passes."""

    def __init__(self, frozen: FrozenJob, each: SourceObject, storage: Storage) -> None:
        self.object = each
        self._reader = storage.open_reader(frozen.bucket, each.name, each.generation, each.crc32c)
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes. Raises RefusedError when the generation is gone."""
        try:
            data = self._reader.read(size)
        except NotFoundError as error:
            raise source_changed(self.object.name, self.object.generation) from error
        self._hash.update(data)
        return data

    def read_all(self) -> str:
        """Read to the end for the digest alone."""
        while self.read(_CHUNK_BYTES):
            pass
        return self.sha256()

    def sha256(self) -> str:
        """The digest of what was read so far."""
        return f"sha256:{self._hash.hexdigest()}"
