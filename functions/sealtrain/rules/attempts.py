"""Which attempt follows on a run by itself: one condition, computed from the run's own records.

Rules enforced here:
- the machine was trusted to its end; its signed last word is `preempted`, said before any end was asked for,
  and before the end of the machine's own time: the platform's last brake signals it in the same way;
- nothing of the run is left but the checkpoint; no refusal or request of teardown ended it or came since;
- the job's own bound is not reached. What all attempts may cost was compared with its limit at admission.

Whoever has the bundle gets the same answer.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sealtrain.rules.claims import Claim
from sealtrain.rules.facts import Facts
from sealtrain.rules.outcome import asked_for
from sealtrain.rules.uploads import Upload, later, run_of

BRAKE_SLACK_S = 60  # between the platform's signal at the end of a machine's time and its last word on record


def following(facts: Facts, outcome: str, claims: Iterable[Claim]) -> Upload | None:
    """The attempt that follows; None if none does without a person."""
    job, said = facts.job, facts.completion
    if "stopped" in facts.evidence.records:
        return None
    if outcome != "failed" or said is None or said.reason != "preempted":
        return None
    trusted = any(claim.id == "workload_attested" and claim.verdict == "met" for claim in claims)
    if not trusted or not _all_removed(facts) or not _said_first(facts) or not _had_time_left(facts):
        return None
    if job is None or job.upload is None or run_of(job.upload) != facts.evidence.run:
        return None
    return later(job.upload) if job.upload.attempt < job.job.most_attempts else None


def _had_time_left(facts: Facts) -> bool:
    """Whether the machine spoke clearly before `limits.seconds`, counted from when it was first listed."""
    said, job = facts.evidence.records.get("completion"), facts.job
    began = [
        datetime.fromisoformat(one.time)
        for one in facts.entries
        if one.kind == "instance" and one.phase in ("listed", "made")
    ]
    if said is None or job is None or not began:
        return False
    end = min(began) + timedelta(seconds=job.job.limits.seconds - BRAKE_SLACK_S)
    return datetime.fromisoformat(said.created) < end


def _all_removed(facts: Facts) -> bool:
    return facts.proof is not None and not facts.proof.left


def _said_first(facts: Facts) -> bool:
    """Whether the machine spoke before any end was asked for: the delete of a teardown signals it as well."""
    said, asked = (facts.evidence.records.get(word) for word in ("completion", "teardown"))
    if said is None or asked is None or asked_for(facts.evidence):
        return False
    return datetime.fromisoformat(said.created) <= datetime.fromisoformat(asked.created)
