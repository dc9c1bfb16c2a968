"""A run's report: one model, written as JSON and as a page with the same numbers.

Rules enforced here:
- everything shown comes out of the bundle's statement; nothing is looked up or judged here;
- the same statement gives the same bytes;
- the trust root stands in a band of its own, and SIMULATED is said in words;
- no token, nonce or key is shown; whatever came from outside is escaped.

An attestation supports a control; it never by itself proves compliance. Every report says so.
"""

import re
from pathlib import Path

import jinja2
import msgspec

from sealtrain.rules import canonical
from sealtrain.rules.attempts import following
from sealtrain.rules.bundle import Statement, TrustRoot
from sealtrain.rules.capacity import Attempt, Refusal
from sealtrain.rules.claims import Claim, RecordRef
from sealtrain.rules.cost import Cost
from sealtrain.rules.evidence import policy
from sealtrain.rules.evidence.certificates import SIMULATED
from sealtrain.rules.evidence.findings import Finding
from sealtrain.rules.evidence.token import GENUINE
from sealtrain.rules.facts import Facts
from sealtrain.rules.ledger import zone_of
from sealtrain.rules.proof import Lifetime
from sealtrain.rules.uploads import run_of

GENERATOR = "sealtrain report 1"
CAVEAT = "An attestation supports a control; it never by itself proves compliance."
TEMPLATES = Path(__file__).parent
NOT_CHECKED = (
    "Revocation of the attestation's certificates: no list was fetched.",
    "The processor maker's own evidence (TDX quote, SEV report): Google's service checked it, and its "
    "token is what was checked here.",
    "The GPU itself: the token speaks of its driver's mode only.",
    "Side channels, and faults of the processor, its firmware or the platform.",
    "What the trainer computes: its image was approved by digest, its program was not read.",
    "Whether the data was right, lawful to use, or free of personal data.",
    "Log entries that arrived after the run was closed.",
)

# How each claim is checked, for readers who do not know the machinery.
CHECKED_BY = {
    "dataset_bound": "the order, frozen before the machine existed, against the machine's signed receipt",
    "workload_attested": "the attestation token: signature, freshness, nonce, and each clause of the policy; "
    "whether a later look at the machine refused it",
    "key_released_after_verdict": "the storage's own times of verdict and hand-over",
    "key_log": "the key service's own log of who used the key",
    "model_from_attested_workload": "the receipt under the attested key, and the stored model read back",
    "encrypted_at_rest": "the keys of bucket and disk, as the platform named them at creation",
    "confidential_hardware": "the processor technology in the token against the plan",
    "gpu_attested": "the token's words about the GPU's driver",
    "within_limits": "machine time and estimated cost against the job's limits",
    "nothing_left": "a query for each resource after its deletion",
    "logs_recorded": "the log entries about the run, each read for alarms",
}
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*(?:Z|\+00:00)")


class FileLine(msgspec.Struct, frozen=True):
    """One file that went in (`of` dataset) or came out (model): unsealed, its size in bytes and digest."""

    of: str
    name: str
    size: int
    sha256: str


class Link(msgspec.Struct, frozen=True):
    """One link of the chain from data to model; `value` is empty where the link is missing."""

    name: str
    value: str
    detail: str


class Clause(msgspec.Struct, frozen=True):
    """One clause of the policy, and whether the run's token met it."""

    id: str
    sentence: str
    verdict: str
    got: str
    expected: str


class Place(msgspec.Struct, frozen=True):
    """A run among the attempts at its upload: its number, and how many there are at most without a person.

    `went_on_from` is the run whose checkpoint it had, `next_run` the run that is due after it by itself;
    either may be empty.
    """

    number: int
    most: int
    went_on_from: str
    next_run: str


class Report(msgspec.Struct, frozen=True):
    """All that is shown about a run. `taken` is the zone of its machine, `no_room` those that refused one."""

    generator: str
    caveat: str
    run: str
    project: str
    outcome: str
    reason: str
    closed_at: str
    trust_root: TrustRoot
    simulated: bool
    totals: dict[str, int]
    claims: tuple[Claim, ...]
    chain: tuple[Link, ...]
    files: tuple[FileLine, ...]
    trainer: str
    machine: str
    metrics: dict[str, float | int]
    attempt: Place | None
    attempts: tuple[Attempt, ...]
    taken: str
    no_room: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    resources: tuple[Lifetime, ...]
    cost: Cost | None
    policy_version: str
    policy_digest: str
    clauses: tuple[Clause, ...]
    not_checked: tuple[str, ...]
    records: tuple[RecordRef, ...]
    bundle_sha256: str
    signed_by: str


def build(statement: Statement, root_pem: str, bundle_sha256: str) -> Report:
    """Make the report of a statement."""
    stated = statement.predicate
    facts = Facts(stated.evidence, root_pem)
    verdicts = [claim.verdict for claim in stated.claims]
    names = ("met", "not_met", "no_evidence", "not_applicable")
    return Report(
        generator=GENERATOR,
        caveat=CAVEAT,
        run=stated.run,
        project=stated.evidence.deployment.project,
        outcome=stated.outcome,
        reason=stated.reason,
        closed_at=stated.closed_at,
        trust_root=stated.trust_root,
        simulated=stated.trust_root.name == SIMULATED,
        totals={name: verdicts.count(name) for name in names},  # type: ignore[arg-type]
        claims=stated.claims,
        chain=_chain(facts),
        files=_files(facts),
        trainer=facts.order.image if facts.order else "",
        machine=_machine(facts),
        metrics=dict(sorted(facts.receipt.metrics.items())) if facts.receipt else {},
        attempt=_attempt(facts, statement),
        attempts=facts.plan.attempts if facts.plan else (),
        taken=facts.machine.zone if facts.machine else "",
        no_room=_no_room(facts),
        refusals=facts.plan.refusals if facts.plan else (),
        resources=facts.lifetimes,
        cost=stated.cost,
        policy_version=stated.policy_version,
        policy_digest=stated.policy_digest,
        clauses=_clauses(facts),
        not_checked=(*NOT_CHECKED, *_left_out(facts)),
        records=tuple(sorted({each for one in stated.claims for each in one.records}, key=lambda r: r.name)),
        bundle_sha256=bundle_sha256,
        signed_by=f"{stated.signer.key_version} ({stated.signer.keyid})",
    )


def _left_out(facts: Facts) -> tuple[str, ...]:
    count = facts.evidence.logs_left_out
    return (
        (f"{count} log entries: they did not fit into the bundle, and stay with its records.",)
        if count
        else ()
    )


def to_json(report: msgspec.Struct) -> bytes:
    """Write a report as JSON, sorted and indented."""
    return pretty(report)


def pretty(value: object) -> bytes:
    """Write a value as JSON for people: sorted, indented, the same bytes every time."""
    return msgspec.json.format(canonical.dumps(value), indent=2) + b"\n"


def to_html(report: msgspec.Struct, template: str = "report.html.j2") -> bytes:
    """Write a report as one page that needs nothing else."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    environment.filters["times"] = _times
    environment.tests["holding"] = lambda text, part: part in text
    environment.globals["checked_by"] = CHECKED_BY
    return environment.get_template(template).render(report=report).encode()


def _chain(facts: Facts) -> tuple[Link, ...]:
    order, found, machine = facts.order, facts.receipt, facts.machine
    judgement, model = facts.judgement, ""
    if found is not None:
        model = ", ".join(f"{one.name} {one.sha256}" for one in found.model)
    return (
        Link(
            "data",
            order.dataset.id if order else "",
            f"{len(order.dataset.files)} file(s), sealed by the {order.dataset.sealed_by}"
            if order
            else "no order was frozen",
        ),
        Link("order", facts.order_digest, "binds data, image, arguments and limits"),
        Link("image", order.image_digest if order else "", "the container that was approved"),
        Link(
            "attestation",
            judgement.token_digest if judgement and judgement.met else "",
            f"machine {machine.instance_id} in {machine.zone}, {judgement.trust_root}"
            if machine and judgement
            else "no accepted token",
        ),
        Link(
            "key",
            facts.release.key_version if facts.release else "",
            f"handed over {facts.evidence.records['release'].created}"
            if facts.release
            else "was not handed over",
        ),
        Link(
            "receipt",
            facts.evidence.records["receipt"].sha256 if found else "",
            f"the machine's signed word on the training, {found.started} to {found.finished}"
            if found
            else "no receipt",
        ),
        Link("model", model, f"{len(found.model)} file(s)" if found else "no model"),
    )


def _no_room(facts: Facts) -> tuple[str, ...]:
    """The zones in which the platform refused a machine or its reservation."""
    refused = (one for one in facts.entries if one.phase == "refused")
    return tuple(dict.fromkeys(zone_of(one.name) for one in refused if zone_of(one.name)))


def _attempt(facts: Facts, statement: Statement) -> Place | None:
    job = facts.job
    if job is None or job.upload is None:
        return None
    resume = facts.order.checkpoint.resume if facts.order else None
    follows = following(facts, statement.predicate.outcome, statement.predicate.claims)
    return Place(
        number=job.upload.attempt,
        most=job.job.most_attempts,
        went_on_from=resume.run if resume else "",
        next_run=run_of(follows) if follows else "",
    )


def _files(facts: Facts) -> tuple[FileLine, ...]:
    """The dataset's files by the order, the model's by the receipt."""
    order, found = facts.order, facts.receipt
    data = [FileLine("dataset", f.path, f.size, f.sha256) for f in order.dataset.files] if order else []
    model = [FileLine("model", f.name, f.size, f.sha256) for f in found.model] if found else []
    return (*data, *model)


def _machine(facts: Facts) -> str:
    machine = facts.machine
    if machine is None:
        return ""
    shape, technology = machine.attempt.shape, machine.attempt.technology
    return f"{shape}, confidential by {technology}, in {machine.zone}, id {machine.instance_id}"


def _clauses(facts: Facts) -> tuple[Clause, ...]:
    judgement = facts.judgement
    if judgement is None:
        return ()
    foreign = next((f for f in judgement.findings if f.sentence == GENUINE), None)
    lines = [_clause("genuine", GENUINE, foreign, judged=True)]
    machine = facts.machine
    gpu, tdx = (machine.gpu, machine.attempt.technology == "TDX") if machine else (False, False)
    for clause in policy.load().clauses:
        of_gpu = clause.claim.startswith("submods.nvidia_gpu.")
        if (of_gpu and not gpu) or (clause.when == "run.tdx" and not tdx):
            lines.append(Clause(clause.id, clause.sentence, "not_applicable", "", ""))
            continue
        found = (f for f in judgement.findings if (f.field, f.sentence) == (clause.claim, clause.sentence))
        lines.append(_clause(clause.id, clause.sentence, next(found, None), judged=foreign is None))
    return tuple(lines)


def _clause(name: str, sentence: str, finding: Finding | None, judged: bool) -> Clause:
    if finding is not None:
        return Clause(name, sentence, "not_met", finding.got, finding.expected)
    return Clause(name, sentence, "met" if judged else "no_evidence", "", "")


def _times(text: str) -> str:
    """Show every time in a sentence as people write it, to the millisecond."""
    return _MOMENT.sub(r"\1 \2 UTC", text)


def _moment(text: str) -> str:
    """Show a time to the second; a text that is no such time is shown as it is."""
    return text[:19].replace("T", " ") + " UTC" if text.endswith(("+00:00", "Z")) else text
