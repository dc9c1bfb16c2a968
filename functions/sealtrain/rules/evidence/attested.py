"""What a run's own records say about its machine, and hence what its token is judged against.

Rules enforced here:
- the machine is the one that the ledger says was made last, known by its numeric id;
- its technology and GPU are those of the plan's attempt in that zone, not what the machine says;
- audience comes from the order, the nonce from the order's digest and the workload's key;
- a later record that is not the machine's own word says nothing about it: all VMs may write one.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from sealtrain.rules import records
from sealtrain.rules.capacity import Attempt, Plan
from sealtrain.rules.errors import EvidenceError
from sealtrain.rules.evidence import policy, token
from sealtrain.rules.evidence.findings import Finding, Refused
from sealtrain.rules.ledger import Entry, zone_of
from sealtrain.rules.order import Order
from sealtrain.rules.shapes import SHAPES

SILENCE_S = 900
"""How long a machine may run before it has shown a token (a GPU's driver takes minutes)."""
TO_DO = {
    False: "the key stays closed: correct the cause, start another attempt",
    True: "the data key had been handed over: hold the data for known to whoever ran the machine; "
    "correct the cause, start another attempt",
}
"""What is left to do about a machine whose evidence is refused, by whether it had the data key."""
HWMODELS = {"SEV": "GCP_AMD_SEV", "TDX": "GCP_INTEL_TDX"}


class Machine(msgspec.Struct, frozen=True):
    """The run's machine: full name, numeric id as text, and what was planned for its zone."""

    name: str
    instance_id: str
    zone: str
    made: str
    attempt: Attempt
    detail: dict[str, Any]

    @property
    def gpu(self) -> bool:
        """Whether the planned shape has a GPU."""
        return bool(SHAPES[self.attempt.shape].gpu) if self.attempt.shape in SHAPES else False


def machine_of(entries: Iterable[Entry], plan: Plan) -> Machine | None:
    """Give the machine that was made last, or None. Raises EvidenceError for one not planned."""
    made = [entry for entry in entries if entry.kind == "instance" and entry.phase == "made"]
    if not made:
        return None
    last = max(made, key=lambda entry: entry.time)
    zone = zone_of(last.name)
    for attempt in plan.attempts:
        if attempt.zone == zone:
            return Machine(
                name=last.name,
                instance_id=str(last.detail.get("id", "")),
                zone=zone,
                made=last.time,
                attempt=attempt,
                detail=last.detail,
            )
    raise EvidenceError(
        "the machine in the ledger was not planned",
        field="ledger.instance",
        got=last.name,
        expected=f"a zone of {[attempt.zone for attempt in plan.attempts]}",
    )


def expectation(
    *,
    order: Order,
    order_digest: str,
    record: records.TokenRecord,
    machine: Machine,
    allowed: policy.Deployment,
    root_pem: str,
    at: datetime,
) -> token.Expectation:
    """Say what the run's token has to be, at a time. Raises EvidenceError for a bad public key."""
    return token.Expectation(
        root_pem=root_pem,
        audience=order.evidence.audience,
        nonce=records.nonce(order_digest, record.public_key_pem),
        at=at,
        policy=policy.load(),
        allowed=allowed,
        run=policy.Run(
            image_digest=order.image_digest,
            instance_id=machine.instance_id,
            instance_name=machine.name.rpartition("/")[2],
            zone=machine.zone,
            hwmodel=HWMODELS.get(machine.attempt.technology, ""),
            gpu=machine.gpu,
        ),
    )


def judge(record: records.TokenRecord, expected: token.Expectation, order_digest: str) -> token.Judgement:
    """Judge a token record: the token itself, and that it names this order."""
    judgement = token.judge(record.token, expected)
    if record.order_digest == order_digest:
        return judgement
    finding = Finding(
        reason="order",
        field="order_digest",
        got=record.order_digest[:100],
        expected=order_digest,
        sentence="The evidence was made for this run's order.",
    )
    return msgspec.structs.replace(judgement, met=False, findings=(*judgement.findings, finding))


def again(
    data: bytes,
    *,
    first: records.TokenRecord,
    order: Order,
    order_digest: str,
    machine: Machine,
    allowed: policy.Deployment,
    root_pem: str,
    at: datetime,
    seen: frozenset[str],
) -> records.VerdictRecord:
    """Judge a later attestation of a machine: as the first one, with the same key and a new token."""
    try:
        record = records.parse(data, records.TokenRecord, "token.json")
        expected = expectation(
            order=order,
            order_digest=order_digest,
            record=first,  # its key: a later token of another key is not this workload's
            machine=machine,
            allowed=allowed,
            root_pem=root_pem,
            at=at,
        )
        expected = msgspec.structs.replace(expected, seen=seen)
        judgement = judge(record, expected, order_digest)
        findings, token_digest, root = judgement.findings, judgement.token_digest, judgement.trust_root
    except EvidenceError as error:
        body = error.body
        refused = Refused(
            "malformed", body.field or "token", body.got or "", body.expected or "", token.GENUINE
        )
        findings, token_digest, root = (refused.finding,), "", token.NOTHING_ATTESTED
    return records.VerdictRecord(
        run=order.run,
        verdict="not_met" if findings else "met",
        reasons=findings,
        time=at.isoformat(),
        order_digest=order_digest,
        token_digest=token_digest,
        trust_root=root,
        policy_version=policy.load().version,
        policy_digest=policy.load().digest,
        verifier=token.VERIFIER,
        allowed=allowed,
    )


def is_foreign(verdict: records.VerdictRecord) -> bool:
    """Whether a later record that was refused is not this machine's own word.

    It is not if its token is not genuine, fresh, and for this key and order; nor if it names another
    instance: any VM may ask for a token with this run's nonce.
    """
    anothers = ("order", "instance")
    return any(one.sentence == token.GENUINE or one.reason in anothers for one in verdict.reasons)


def silence(ended: str = "") -> Finding:
    """What is found about a machine that showed no token: it ended, for this reason, or it is too late."""
    return Finding(
        reason="silence",
        field="token",
        got=ended or f"no token within {SILENCE_S} s",
        expected="a token before anything else",
        sentence="A machine that runs shows who it is.",
    )
