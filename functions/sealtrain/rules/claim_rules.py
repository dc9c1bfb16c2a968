"""The rule of each claim: from a run's facts to a verdict and its reasons.

One function, one claim; rules/claims.py lists them and says what a verdict means. A rule computes from
the records alone. A record that is missing gives no_evidence; one that is there and broken, not_met.
"""

from datetime import datetime
from typing import Literal

from sealtrain.rules import logs
from sealtrain.rules.cost import seconds_between
from sealtrain.rules.evidence.attested import HWMODELS, TO_DO
from sealtrain.rules.evidence.findings import Finding
from sealtrain.rules.facts import Facts
from sealtrain.rules.proof import CHECKPOINT_DAYS
from sealtrain.rules.receipt import check as check_receipt

Verdict = Literal["met", "not_met", "no_evidence", "not_applicable"]
Found = tuple[Verdict, tuple[str, ...]]
_SEALED_BY = {
    "owner": "sealed end to end: by its owner before upload; no service could read it",
    "service": "not sealed end to end: the service sealed what was uploaded",
}
_KEPT = (
    "kept for the next attempt, and billed as storage until that attempt or a teardown removes it, "
    f"at most {CHECKPOINT_DAYS} days"
)
OVERRUN_S = 900  # from the server's end time to "seen absent": one teardown with its retries


def _met(*reasons: str) -> Found:
    return "met", reasons


def _not_met(*reasons: str) -> Found:
    return "not_met", reasons


def _missing(facts: Facts, word: str, reason: str) -> Found:
    """A record is missing, or is there and broken: the second is a failure."""
    problem = facts.problems.get(word)
    return ("not_met", (problem,)) if problem else ("no_evidence", (reason,))


def dataset_bound(facts: Facts) -> Found:
    """Compare the dataset of the order with the one the signed receipt says was opened."""
    if facts.order is None:
        return _missing(facts, "order", "no order was frozen")
    if facts.receipt is None:
        return _missing(facts, "receipt", "no receipt of a training was issued")
    wrong = [f for f in _receipt_findings(facts) if f.field.startswith("dataset")]
    if wrong:
        return _not_met(*(f"{f.field}: got {f.got}, expected {f.expected}" for f in wrong))
    files, resume = facts.order.dataset.files, facts.order.checkpoint.resume
    return _met(
        f"order and receipt name the same {len(files)} file(s), dataset {facts.order.dataset.id}",
        _SEALED_BY[facts.order.dataset.sealed_by],
        *([f"went on from the checkpoint of run {resume.run}, manifest {resume.sha256}"] if resume else []),
    )


def workload_attested(facts: Facts) -> Found:
    """Judge the token again, compare with the recorded verdict, and read what a later look refused.

    Silence is a failure.
    """
    if facts.token_record is None:
        return _without_token(facts)
    judgement, verdict = facts.judgement, facts.verdict
    if verdict is None or judgement is None:
        told = facts.problems.get("verdict") or facts.problems.get("token")
        return _not_met(told or "a token came, and verdict, order, plan or machine is not on record")
    if not judgement.met:
        return _not_met(*(_shown(finding) for finding in judgement.findings))
    if verdict.verdict != "met" or verdict.token_digest != judgement.token_digest:
        return _not_met("the recorded verdict is not about this token, or was not met")
    refused = _refused_later(facts)
    if refused:
        return _not_met(f"accepted {verdict.time}; another look refused the machine", *refused)
    return _met(
        "the token is genuine, fresh, bound to this order and key, and meets every clause of policy "
        f"{judgement.policy_version}",
        f"whose word it is: {judgement.trust_root}",
    )


def _without_token(facts: Facts) -> Found:
    if facts.problems.get("token") or facts.machine is None:
        return _missing(facts, "token", "no machine was started, so nothing was attested")
    return _not_met("silence: a machine ran and showed no token")


def _refused_later(facts: Facts) -> list[str]:
    """What a later look found about an accepted machine: which look, when, why; what it had; what to do."""
    lost, alert = facts.lost, facts.alert
    told = [facts.problems[word] for word in ("lost", "alert") if word in facts.problems]
    if lost is not None:
        told += [f"lost {lost.time}, by {lost.token}: {_shown(finding)}" for finding in lost.reasons]
    if alert is not None:
        told += [f"alarm {alert.time}, by {alert.source}: {_shown(finding)}" for finding in alert.reasons]
    if not told:
        return []
    released = facts.evidence.records.get("release")
    had = f"handed over {released.created}" if released else "not handed over"
    return [*told, f"the data key was {had}", f"to do: {TO_DO[released is not None]}"]


def _shown(finding: Finding) -> str:
    return f"{finding.reason}: {finding.field}: got {finding.got}, expected {finding.expected}"


def key_released_after_verdict(facts: Facts) -> Found:
    """Compare the storage's own times of verdict and hand-over, and what both are about."""
    if facts.release is None:
        return _missing(facts, "release", "no key was handed over")
    released, verdict = facts.evidence.records["release"], facts.verdict
    if verdict is None or verdict.verdict != "met" or not (facts.judgement and facts.judgement.met):
        return _not_met("the key was handed over without an accepting verdict")
    if facts.release.order_digest != facts.order_digest or verdict.order_digest != facts.order_digest:
        return _not_met("verdict and hand-over are not about the same order")
    decided = facts.evidence.records["verdict"].created
    if _time(released.created) < _time(decided):
        return _not_met(f"the hand-over of {released.created} is before the verdict of {decided}")
    return _met(f"verdict stored {decided}, hand-over stored {released.created}")


def key_log(facts: Facts) -> Found:
    """Read who opened the run's key, and when, from the key service's own log."""
    uses = [use for use in map(logs.key_use, facts.log_entries) if use and use.method == "Decrypt"]
    if not uses:
        return _missing(facts, "logs", "no data access entry of the key service was collected")
    allowed = sum(use.allowed for use in uses)
    if not allowed:
        return "no_evidence", (f"{len(uses)} refused attempt(s) to open the key, none allowed",)
    attested = facts.judgement is not None and facts.judgement.met
    if not (attested and facts.order and facts.machine and facts.verdict):
        return _not_met("the key was opened, and no machine of this run was attested")
    owner = f"{facts.evidence.key_pool}/subject/{facts.order.image_digest}::{facts.machine.instance_id}"
    wrong = [
        f"{use.time} by {use.principal}"
        for use in uses
        if use.allowed and (not use.principal.endswith(owner) or _time(use.time) < _time(facts.verdict.time))
    ]
    if wrong:
        return _not_met(*(f"the key was opened {line}" for line in wrong))
    if facts.evidence.logs_left_out:
        return "no_evidence", (_left_out(facts),)
    return _met(
        f"the key was opened {allowed} time(s), only by the attested machine, after the verdict",
        f"refused attempts: {len(uses) - allowed}",
    )


def model_from_attested_workload(facts: Facts) -> Found:
    """Compare receipt, attested key and the objects that were read back."""
    found = facts.receipt
    if found is None:
        return _missing(facts, "receipt", "no model was made")
    if not (facts.judgement and facts.judgement.met):
        return _not_met("the key that signed the receipt was not attested")
    wrong = _receipt_findings(facts)
    if wrong:
        return _not_met(*(f"{f.field}: got {f.got}, expected {f.expected}" for f in wrong))
    if facts.published is None:
        return _missing(facts, "published", "the model's objects were not compared with the receipt")
    signed = {one.object: one.sealed_sha256 for file in found.model for one in file.objects}
    read = {one.object: one.sha256 for one in facts.published.objects}
    if signed != read:
        return _not_met("the objects in the models bucket are not those of the receipt")
    return _met(
        f"the attested key signed the receipt for {len(found.model)} model file(s)",
        f"{len(read)} sealed object(s) were read back and are the receipt's",
    )


def encrypted_at_rest(facts: Facts) -> Found:
    """Compare the keys of bucket and disk, as the ledger has them, with the deployment's."""
    wanted = facts.evidence.storage_key
    made = [e for e in facts.entries if e.phase == "made" and e.kind in {"bucket", "instance"}]
    if not made:
        return "no_evidence", ("no bucket and no disk was made",)
    wrong = [
        f"{e.name}: got {e.detail.get('kms_key') or 'no key on record'}, expected {wanted}"
        for e in made
        if not str(e.detail.get("kms_key", "")).startswith(wanted)
    ]
    if wrong:
        return _not_met(*wrong)
    return _met(*(f"{e.kind} {e.name.rpartition('/')[2]} under {wanted}" for e in made))


def confidential_hardware(facts: Facts) -> Found:
    """Compare the attested processor technology with the planned one."""
    if facts.machine is None:
        return _missing(facts, "ledger", "no machine was made")
    planned = facts.machine.attempt.technology
    judgement = facts.judgement
    if judgement is None:
        return _missing(facts, "token", "no token that names the processor")
    hwmodel = judgement.claims.get("hwmodel")
    if not judgement.met or hwmodel != HWMODELS.get(planned):
        return _not_met(f"planned {planned}, token refused or naming {hwmodel}")
    return _met(
        f"the attested processor technology is {hwmodel}, as planned for {facts.machine.attempt.shape}"
    )


def gpu_attested(facts: Facts) -> Found:
    """Say whether a planned GPU was attested; a machine without one does not apply."""
    if facts.plan is None:
        return _missing(facts, "plan", "no machine was planned")
    if facts.machine is not None and not facts.machine.gpu:
        return "not_applicable", (f"{facts.machine.attempt.shape} has no GPU",)
    if facts.judgement is None:
        return _missing(facts, "token", "no token that names a GPU")
    if not facts.judgement.met:
        return _not_met("the token was refused")
    return _met("the GPU's driver runs in confidential mode; the device itself was not verified")


def within_limits(facts: Facts) -> Found:
    """Compare machine time and estimated cost with the job's limits."""
    if facts.plan is None or facts.job is None:
        return _missing(facts, "plan", "no limits were planned")
    billed = [one for one in facts.lifetimes if one.kind in {"instance", "reservation"} and one.created]
    if any(not one.seen_absent for one in billed):
        return _not_met("the machine was not seen absent, so its time has no end")
    lived = [seconds_between(one.created, one.seen_absent) for one in billed if one.kind == "instance"]
    seconds = max(lived, default=0)
    spent = facts.cost("")
    if seconds > facts.plan.seconds + OVERRUN_S:
        return _not_met(f"the machine lived {seconds} s, allowed were {facts.plan.seconds} s")
    if spent is None or spent.usd > facts.job.job.limits.cost_usd:
        return _not_met(f"estimated {spent}, allowed {facts.job.job.limits.cost_usd} USD")
    return _met(
        f"machine time {seconds} s of {facts.plan.seconds} s",
        f"estimated {spent.usd} USD of {facts.job.job.limits.cost_usd} USD",
    )


def nothing_left(facts: Facts) -> Found:
    """Compare proof and ledger: each resource was seen absent by a query."""
    if facts.proof is None:
        return _missing(facts, "proof", "no proof of teardown was written")
    standing = [line.name for line in facts.lifetimes if not line.seen_absent]
    if facts.proof.run != facts.evidence.run:
        return _not_met(f"the proof is that of run {facts.proof.run}")
    if facts.proof.left or standing:
        return _not_met(*(f"not seen absent: {name}" for name in sorted({*standing, *facts.proof.left})))
    if facts.proof.kept:
        return _not_met(*(f"{_KEPT}: {name}" for name in facts.proof.kept))
    late = [x.name for x in facts.lifetimes if x.created and _time(x.seen_absent) < _time(x.created)]
    if late:
        return _not_met(*(f"made after it was seen absent: {name}" for name in late))
    return _met(f"{len(facts.lifetimes)} resource(s) made or intended, each seen absent by a query")


def logs_recorded(facts: Facts) -> Found:
    """Say whether log entries were kept, and whether one of them raises an alarm."""
    if not facts.log_entries:
        return _missing(facts, "logs", "no log entry about this run was collected before it closed")
    alarms = [alarm for entry in facts.log_entries for alarm in logs.alarms(entry)]
    if alarms:
        return _not_met(*(f"{a.reason}: {a.field}: got {a.got}" for a in alarms))
    if facts.evidence.logs_left_out:
        return "no_evidence", (_left_out(facts),)
    return _met(f"{len(facts.log_entries)} log entries kept as issued, no alarm among them")


def _left_out(facts: Facts) -> str:
    kept, left_out = len(facts.evidence.logs), facts.evidence.logs_left_out
    return f"{left_out} of {kept + left_out} log entries are in the evidence bucket alone, not shown here"


def _receipt_findings(facts: Facts) -> list[Finding]:
    order, found = facts.order, facts.receipt
    if order is None or found is None:
        return []
    return check_receipt(found, order, facts.order_digest)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
