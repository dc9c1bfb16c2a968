"""Create the run's sealed bucket. Calling twice gives the same bucket.

CMEK, uniform access, no public access, no soft delete and no versions: what teardown deletes is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import names
from sealtrain.rules.errors import AlreadyExistsError, ConflictError, NotReadyError
from sealtrain.rules.resources import BucketInfo, BucketSpec
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.state import State
    from sealtrain.cloud.storage import Storage


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """The bucket's name."""

    run: str
    bucket: str


def create_bucket(
    request: Request,
    *,
    storage: Storage,
    state: State,
    ledger: Ledger,
    settings: Settings,
    clock: Callable[[], datetime],  # noqa: ARG001  # times are the job's
) -> Result:
    """Create or compare."""
    run = names.checked_run_id(request.run)
    spec = BucketSpec(
        name=names.sealed_bucket(settings, run),
        location=settings.region,
        kms_key=names.storage_key(settings),
        labels=names.labels(settings, run, state.job(run).expires),
    )
    with ledger.making(run, "bucket", spec.name):
        try:
            bucket: BucketInfo | None = storage.create_bucket(spec)
        except AlreadyExistsError:
            bucket = storage.get_bucket(spec.name)
    if bucket is None:
        raise NotReadyError("the bucket is just being removed", field=spec.name, remedy="ask again")
    _check_same(bucket, spec)
    ledger.made(run, "bucket", spec.name, {"kms_key": bucket.kms_key, "created": bucket.created})
    return Result(run=run, bucket=spec.name)


def _check_same(bucket: BucketInfo, spec: BucketSpec) -> None:
    wanted = BucketInfo(
        name=spec.name,
        location=spec.location,
        kms_key=spec.kms_key,
        labels=spec.labels,
        uniform_access=True,
        public_access_prevention="enforced",
        soft_delete_s=0,
        versioning=False,
        created=bucket.created,
    )
    if bucket != wanted:
        raise ConflictError(
            "a bucket of this run's name exists and is another one",
            field=spec.name,
            got=msgspec.to_builtins(bucket),
            expected=msgspec.to_builtins(wanted),
            remedy="start another attempt",
        )
