"""Claim a run and admit its job: parsed, checked, priced, its dataset frozen by generation.

The claim comes first and is one object: whoever creates it has the run, the same execution may come
again, any other is told so. A refusal is written into the inbox, and nothing of the run is made. While the
budget is spent, every upload is refused. A later attempt has the data of the one before, or is refused: it
may have started by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from sealtrain.rules import budget, names
from sealtrain.rules.canonical import dumps
from sealtrain.rules.capacity import cost_of, expires_s
from sealtrain.rules.dataset import (
    MANIFEST,
    SNIFFED_BYTES,
    check_fits,
    check_hashable,
    check_look,
    check_parts,
    check_pinned,
    looks_sealed,
    source_objects,
)
from sealtrain.rules.errors import AlreadyExistsError, NotFoundError, RefusedError, UnsupportedError
from sealtrain.rules.job import FrozenJob, Job, SourceObject, default_job, settle_image
from sealtrain.rules.job_file import parse_job
from sealtrain.rules.resources import ObjectInfo
from sealtrain.rules.sealed import LARGEST_MANIFEST_BYTES
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import (
    MOST_ATTEMPTS,
    Claim,
    Upload,
    check_upload,
    dataset_prefix,
    earlier,
    run_of,
    source_changed,
)

if TYPE_CHECKING:
    from sealtrain.cloud.state import State
    from sealtrain.cloud.storage import Storage


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The upload, and the execution that wants to run it."""

    bucket: str
    object: str
    generation: Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,18}$")]
    attempt: Annotated[int, msgspec.Meta(ge=1, le=MOST_ATTEMPTS)]
    execution: str
    callback_url: str


class Result(msgspec.Struct, frozen=True):
    """The run; `admitted` is False when another execution has it, and `reason` says which."""

    run: str
    admitted: bool
    reason: str


def admit_run(
    request: Request,
    *,
    storage: Storage,
    state: State,
    settings: Settings,
    clock: Callable[[], datetime],
) -> Result:
    """Admit, or raise RefusedError or UnsupportedError after telling the owner why."""
    upload = Upload(request.bucket, request.object, request.generation, request.attempt)
    run = run_of(upload)
    wanted = Claim(upload, request.execution, request.callback_url, clock().isoformat())
    claim = state.keep(names.claim(run), wanted)
    if claim.execution != request.execution:
        return Result(run=run, admitted=False, reason=f"claimed by execution {claim.execution}")
    if state.find(names.job(run), FrozenJob) is None:
        try:
            budget.check(state.pause(clock()), clock())
            frozen = _unchanged(run, upload, storage, settings, datetime.fromisoformat(claim.claimed_at))
            _check_same_data(frozen, upload, state)
        except (RefusedError, UnsupportedError) as refusal:
            _tell_owner(run, upload, refusal, storage, settings, claim.claimed_at)
            raise
        state.keep(names.job(run), frozen)
    return Result(run=run, admitted=True, reason="")


def _unchanged(run: str, upload: Upload, storage: Storage, settings: Settings, at: datetime) -> FrozenJob:
    """The frozen job. Whatever vanishes while it is read was replaced or removed by its owner."""
    try:
        return _freeze(run, upload, storage, settings, at)
    except NotFoundError as error:
        raise source_changed(error.body.field or upload.object, upload.generation) from error


def _check_same_data(frozen: FrozenJob, upload: Upload, state: State) -> None:
    """Raise RefusedError where an attempt before was admitted with other objects."""
    before, past = earlier(upload), None
    while before is not None and past is None:
        past, before = state.find(names.job(run_of(before)), FrozenJob), earlier(before)
    if past is None or _contents(past) == _contents(frozen):
        return
    raise RefusedError(
        "the data is not what the attempt before had",
        code="source_changed",
        field=min(_contents(past) ^ _contents(frozen))[0],
        got="other bytes, or none",
        expected=f"the data of run {past.run}",
        remedy="upload job.yaml, or the lone file, again: that is a run of the data as it is now",
    )


def _contents(job: FrozenJob) -> set[tuple[str, int, str]]:
    """What the data is: each object's name, size and checksum. The same bytes uploaded again are the same."""
    uploaded = job.objects if job.manifest is None else (job.manifest, *job.objects)
    return {(one.name, one.size, one.crc32c) for one in uploaded}


def _freeze(run: str, upload: Upload, storage: Storage, settings: Settings, at: datetime) -> FrozenJob:
    """Read and check everything. Times are the claim's, so that a repeat gives the same job."""
    check_upload(upload, names.inbox_bucket(settings))
    prefix = dataset_prefix(upload.object)
    job = _job(upload, prefix, storage)
    image, image_digest = settle_image(job, settings.trainer, settings.approved_images)
    shape, _, worst_case = cost_of(job, settings.region)
    uploaded = source_objects(_dataset(upload, prefix, storage), prefix)
    manifest, objects = _sealed_before(uploaded, upload, job, storage)
    check_fits(objects, shape)
    if manifest is None:
        check_hashable(objects)
        heads = [(each.name, each.size, _head(each, upload, storage)) for each in objects]
        check_look(heads, job, own=image == settings.trainer)
    return FrozenJob(
        run=run,
        job=job,
        image=image,
        image_digest=image_digest,
        bucket=upload.bucket,
        objects=objects,
        memory_bytes=job.limits.memory_bytes or shape.memory_bytes // 2,
        worst_case_usd=worst_case,
        admitted_at=at.isoformat(),
        expires=int(at.timestamp()) + expires_s(job),
        manifest=manifest,
        upload=upload,
    )


def _head(each: SourceObject, upload: Upload, storage: Storage) -> Callable[[], bytes]:
    return lambda: storage.get(upload.bucket, each.name, each.generation, first=SNIFFED_BYTES)


def _sealed_before(
    uploaded: tuple[SourceObject, ...], upload: Upload, job: Job, storage: Storage
) -> tuple[SourceObject | None, tuple[SourceObject, ...]]:
    """The manifest of a dataset that its owner sealed, and its parts; None and all, of any other."""
    found = next((each for each in uploaded if each.path == MANIFEST), None)
    if found is None or found.size > LARGEST_MANIFEST_BYTES:
        return None, uploaded
    data = storage.get(upload.bucket, found.name, found.generation)
    if not looks_sealed(data):
        return None, uploaded
    # Who seals is asked for only here: other runs do not pay for loading it.
    from sealtrain.sealing import SealingError, parse_owners_manifest

    try:
        manifest, _ = parse_owners_manifest(data)
    except SealingError as error:
        told = error.body
        raise RefusedError(
            "the sealed dataset's manifest cannot be used",
            code="bad_manifest",
            field=told.field,
            got=told.got,
            expected=told.expected,
            remedy="seal the dataset again with `sealtrain seal`, and upload what it wrote",
        ) from error
    parts = tuple(each for each in uploaded if each is not found)
    check_parts(manifest.files, parts)
    check_pinned(manifest.id, job)
    return found, parts


def _job(upload: Upload, prefix: str | None, storage: Storage) -> Job:
    if prefix is None:
        return default_job(upload.object)
    return parse_job(storage.get(upload.bucket, upload.object, upload.generation))


def _dataset(upload: Upload, prefix: str | None, storage: Storage) -> list[ObjectInfo]:
    if prefix is not None:
        return [o for o in storage.list(upload.bucket, prefix) if o.name != upload.object]
    found = storage.stat(upload.bucket, upload.object, upload.generation)
    if found is None:
        raise source_changed(upload.object, upload.generation)
    return [found]


def _tell_owner(
    run: str,
    upload: Upload,
    refusal: RefusedError | UnsupportedError,
    storage: Storage,
    settings: Settings,
    time: str,
) -> None:
    told = {**msgspec.to_builtins(refusal.body), **msgspec.to_builtins(upload), "run": run, "time": time}
    del told["bucket"], told["attempt"]
    try:
        storage.create(names.inbox_bucket(settings), names.refusal(run), dumps(told))
    except AlreadyExistsError:
        return  # An earlier call of this execution told it already.
