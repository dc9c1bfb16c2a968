"""Create the run's wrapping key on the release ring. Calling twice gives the same key.

One key serves one run and is destroyed with it, so it is never rotated. Who may decrypt with it was
settled on the ring, for attested workloads; nothing here grants anything.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sealtrain.rules import names
from sealtrain.rules.errors import AlreadyExistsError, ConflictError, NotReadyError
from sealtrain.rules.resources import KeyInfo, KeySpec
from sealtrain.rules.settings import Settings

if TYPE_CHECKING:
    from sealtrain.cloud.kms import Kms
    from sealtrain.cloud.ledger import Ledger
    from sealtrain.cloud.state import State

DESTROY_SCHEDULED_S = 24 * 3600
"""The shortest delay that KMS takes."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run."""

    run: str


class Result(msgspec.Struct, frozen=True):
    """The key's full name."""

    run: str
    key: str


def create_key(
    request: Request,
    *,
    state: State,
    kms: Kms,
    ledger: Ledger,
    settings: Settings,
    clock: Callable[[], datetime],  # noqa: ARG001  # times are the job's
) -> Result:
    """Create or compare. Raises NotReadyError while the HSM still makes the key."""
    run = names.checked_run_id(request.run)
    name = names.run_key(settings, run)
    spec = KeySpec(
        ring=names.key_ring(settings, "release"),
        key_id=run,
        labels=names.labels(settings, run, state.job(run).expires),
        destroy_scheduled_s=DESTROY_SCHEDULED_S,
    )
    with ledger.making(run, "key", name):
        try:
            key: KeyInfo | None = kms.create_key(spec)
        except AlreadyExistsError:
            key = kms.get_key(name)
    if key is None or key.primary_state in {None, "PENDING_GENERATION"}:
        raise NotReadyError(
            "the key's first version is not made yet", field=name, expected="ENABLED", remedy="ask again"
        )
    _check_same(key, spec)
    ledger.made(run, "key", name, {"protection": key.protection, "created": key.created})
    return Result(run=run, key=name)


def _check_same(key: KeyInfo, spec: KeySpec) -> None:
    checks = (
        ("purpose", key.purpose, "ENCRYPT_DECRYPT"),
        ("protection", key.protection, "HSM"),
        ("labels", key.labels, spec.labels),
        ("rotation_s", key.rotation_s, None),
        ("destroy_scheduled_s", key.destroy_scheduled_s, spec.destroy_scheduled_s),
        ("primary_state", key.primary_state, "ENABLED"),
    )
    for field, got, expected in checks:
        if got != expected:
            raise ConflictError(
                "a key of this run's name exists and is another one",
                field=f"{key.name}.{field}",
                got=got,
                expected=expected,
                remedy="start another attempt",
            )
