"""How far a run is: phases with times, derived from the records that the run itself leaves.

- Nothing is stored for this: each phase has a record whose creation is its time (buckets state and evidence).
- A phase that a run does not need (a reservation, say) shows only if it happened.
- The way of a run is a fact of the records; whether it ended well is said by `closed.json` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class Phase(msgspec.Struct, frozen=True):
    """One phase; `time` (RFC 3339) is empty until it is done. `needed` False: a run may do without."""

    word: str
    sentence: str
    time: str
    needed: bool = True


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its records tell it. `outcome` is empty until the run is closed.

    `followed_by`: the run of the attempt that follows by itself, empty if none does.
    """

    run: str
    phases: tuple[Phase, ...]
    outcome: str = ""
    reason: str = ""
    followed_by: str = ""
    refusal: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return bool(self.outcome) or self.refusal is not None

    @property
    def waiting_for(self) -> Phase | None:
        """The first needed phase after the last one that is done; None when the run has ended."""
        if self.ended:
            return None
        done = [i for i, phase in enumerate(self.phases) if phase.time]
        rest = self.phases[done[-1] + 1 if done else 0 :]
        return next((phase for phase in rest if phase.needed), None)


# word, sentence, where, pattern of the record's name below the run's prefix, needed
_PHASES: tuple[tuple[str, str, str, str, bool], ...] = (
    ("start_run", "the upload was seen and its run was claimed", "state", r"claim\.json", True),
    ("admit_run", "job and dataset were admitted and frozen", "state", r"job\.json", True),
    ("plan_capacity", "shape, zones and modes were planned", "state", r"plan\.json", True),
    ("create_key", "the run's wrapping key was made", "evidence", r"ledger/.*\.key\.made\.json", True),
    ("create_bucket", "the run's sealed bucket was made", "evidence", r"ledger/.*\.bucket\.made\.json", True),
    ("seal_dataset", "the dataset was sealed and the order frozen", "state", r"order\.json", True),
    (
        "reserve_capacity",
        "capacity was reserved",
        "evidence",
        r"ledger/.*\.(reservation|request)\.made\.json",
        False,
    ),
    ("start_vm", "the confidential VM was started", "evidence", r"ledger/.*\.instance\.made\.json", True),
    ("attest", "the VM attested itself", "shown", r"token\.json", True),
    ("verify_evidence", "the attestation was judged", "evidence", r"evidence/verdict\.json", True),
    ("submit_job", "the wrapped data key was handed over", "state", r"release\.json", True),
    ("train", "the workload signed its receipt", "shown", r"receipt\.json", True),
    ("record_completion", "the end of the training was recorded", "state", r"completion\.json", False),
    (
        "publish_model",
        "the model was compared with its receipt",
        "evidence",
        r"evidence/published\.json",
        True,
    ),
    ("tear_down", "everything the run made was seen gone", "evidence", r"proof\.json", True),
    ("close_run", "bundle and report were written", "evidence", r"closed\.json", True),
)


def derive(
    run: str,
    records: Mapping[str, Iterable[tuple[str, str]]],
    closed: Mapping[str, Any] | None = None,
    refusal: dict[str, Any] | None = None,
) -> Progress:
    """Progress from (name below the run's prefix, created) pairs of the buckets `state` and `evidence`.

    `shown` is what the machine itself put into the evidence bucket.
    """
    listed = {where: list(pairs) for where, pairs in records.items()}
    stopped = any(name == "stopped.json" for name, _ in listed.get("state", []))
    phases = []
    for word, sentence, where, pattern, needed in _PHASES:
        found = [created for name, created in listed.get(where, []) if re.fullmatch(pattern, name)]
        phases.append(Phase(word, sentence, min(found, default=""), needed))
    return Progress(
        run=run,
        phases=tuple(phases),
        outcome=str(closed.get("outcome", "")) if closed else "",
        reason=_reason(closed.get("reason")) if closed else "",
        followed_by="" if stopped or not closed else str(closed.get("followed_by", "")),
        refusal=refusal,
    )


def _reason(told: Any) -> str:
    if isinstance(told, Mapping):
        return "; ".join(f"{key} {value}" for key, value in told.items() if value)
    return str(told or "")
