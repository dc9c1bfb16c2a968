"""The plan: ordered attempts at capacity, and why everything else was left out.

- One shape and mode, as the job asks; an attempt is a zone of the deployment's region (keys and
  buckets are regional). The order is the table's.
- Other ways to have a machine are listed as refusals with their reason, so that the bundle shows the
  choice that was made.
- The worst case is the price of the longest allowed run, headroom included. That of all attempts which may
  follow each other by themselves binds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import msgspec

from sealtrain.rules.errors import RefusedError, UnsupportedError
from sealtrain.rules.job import FrozenJob, Job, Mode
from sealtrain.rules.ledger import Entry, zone_of
from sealtrain.rules.prices import DATED, Price, price, worst_case_usd
from sealtrain.rules.shapes import SHAPES, Shape, find_shape, zones_in

_WAIT_S = {"flex-start": 24 * 3600, "reservation": 900, "on-demand": 0, "spot": 0}
SETUP_S = 3600
"""Time before and after the machine's own: sealing, verifying, publishing, teardown."""


class Attempt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One try at capacity."""

    shape: str
    technology: str
    mode: str
    zone: str


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A way to have a machine that was not taken, and why."""

    shape: str
    mode: str
    reason: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """plan.json. `seconds` is the machine's end time, held by the server."""

    run: str
    attempts: tuple[Attempt, ...]
    refusals: tuple[Refusal, ...]
    seconds: int
    usd_per_hour: float
    price_source: str
    price_grade: str
    price_dated: str
    worst_case_usd: float


def cost_of(job: Job, region: str) -> tuple[Shape, Price, float]:
    """Shape, price and worst-case cost of one attempt at a job.

    Raises UnsupportedError for a machine that cannot be had, RefusedError when all attempts that may follow
    each other may cost more than the job allows.
    """
    if job.tee == "none":
        raise UnsupportedError(
            "this version trains in a TEE only",
            code="unsupported_tee",
            field="tee",
            got="none",
            expected="required",
            remedy="remove the field",
        )
    wanted = job.machine
    shape = find_shape(wanted.shape, wanted.technology, wanted.mode, region)
    found = price(shape, wanted.mode, region)
    worst = worst_case_usd(found.usd_per_hour, job.limits.seconds)
    most = job.most_attempts
    total = round(worst * most, 4)
    ways = "limits.seconds or limits.attempts" if most > 1 else "limits.seconds"
    if total > job.limits.cost_usd:
        each = f"{found.usd_per_hour} USD/h for {job.limits.seconds} s, and a quarter"
        raise RefusedError(
            "the run could cost more than the job allows",
            code="cost_over_limit",
            field="limits.cost_usd",
            got=f"{total} USD: {each}" + (f", {most} attempts" if most > 1 else ""),
            expected=f"at most {job.limits.cost_usd} USD",
            remedy=f"raise limits.cost_usd, or lower {ways}",
        )
    return shape, found, worst


def expires_s(job: Job) -> int:
    """Seconds from admission until whatever is left of the run counts as forgotten."""
    return job.limits.seconds + wait_s(job) + SETUP_S


def wait_s(job: Job) -> int:
    """How long after admission capacity may be waited for before the run is given up."""
    return _WAIT_S[job.machine.mode]


def plan(frozen: FrozenJob, region: str) -> Plan:
    """The plan of an admitted job. Same input, same plan."""
    shape, found, worst = cost_of(frozen.job, region)
    mode = frozen.job.machine.mode
    return Plan(
        run=frozen.run,
        attempts=tuple(
            Attempt(shape=shape.name, technology=shape.technology, mode=mode, zone=zone)
            for zone in zones_in(shape, region)
        ),
        refusals=_refusals(shape, mode, region),
        seconds=frozen.job.limits.seconds,
        usd_per_hour=found.usd_per_hour,
        price_source=found.source,
        price_grade=found.grade,
        price_dated=DATED,
        worst_case_usd=worst,
    )


def remaining(plan: Plan, entries: Iterable[Entry], kind: str) -> tuple[Attempt, ...]:
    """The attempts that the ledger does not show as refused by the platform."""
    refused = {zone_of(e.name) for e in entries if e.kind == kind and e.phase == "refused"}
    return tuple(attempt for attempt in plan.attempts if attempt.zone not in refused)


def _refusals(taken: Shape, mode: str, region: str) -> tuple[Refusal, ...]:
    """Why each other way was left out: not offered, or offered and not asked for."""
    refusals = []
    gpu = SHAPES["a3-highgpu-1g"]
    smallest = SHAPES["n2d-standard-2"]
    for shape in dict.fromkeys((taken, smallest, gpu)):
        for other in get_args(Mode):
            if (shape.name, other) == (taken.name, mode):
                continue
            try:
                find_shape(shape.name, "", other, region)
                reason = "the job asks for another"
            except UnsupportedError as error:
                reason = error.body.message
            refusals.append(Refusal(shape=shape.name, mode=other, reason=reason))
    return tuple(refusals)
