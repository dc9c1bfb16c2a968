"""A run's records, read: the one view on which claims, cost and report rest.

Rules enforced here:
- a record counts only with the digest that is stated for it; a missing one is None, a broken one is
  a problem that is told, and neither is ever an exception;
- everything is derived anew from the records: the token is judged again, at the time of the recorded
  verdict; the receipt's signature is checked again. No stored verdict is believed.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property, partial
from typing import TypeVar

import msgspec

from sealtrain.rules import canonical, logs, records
from sealtrain.rules.capacity import Plan
from sealtrain.rules.cost import Cost, estimate
from sealtrain.rules.errors import EvidenceError, SealtrainError
from sealtrain.rules.evidence import attested, token
from sealtrain.rules.evidence.policy import Deployment
from sealtrain.rules.job import FrozenJob
from sealtrain.rules.ledger import Entry, parse_entry
from sealtrain.rules.order import HeldKey, Order, parse_order
from sealtrain.rules.proof import Lifetime, Proof, lifetimes
from sealtrain.rules.receipt import Receipt
from sealtrain.rules.receipt import parse as parse_receipt

T = TypeVar("T")
AboutRun = TypeVar("AboutRun", records.Loss, records.Alert)


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stored object, whole: its name, digest, creation time (by the storage), and text."""

    name: str
    sha256: str
    created: str
    text: str


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All records of a run, and what the deployment allowed.

    `logs_left_out` is how many collected log entries are not among `logs`.
    """

    run: str
    deployment: Deployment
    storage_key: str
    key_pool: str
    records: dict[str, Record]
    ledger: tuple[Record, ...]
    logs: tuple[Record, ...]
    logs_left_out: int = 0


class Facts:
    """Evidence, read under a pinned root of attestation; `problems` tells what is broken."""

    def __init__(self, evidence: Evidence, root_pem: str) -> None:
        self.evidence = evidence
        self.root_pem = root_pem
        self.problems: dict[str, str] = {}

    @cached_property
    def order(self) -> Order | None:
        """The order, if it is this run's."""
        order = self._read("order", parse_order)
        if order is not None and order.run != self.evidence.run:
            self.problems["order"] = f"the order is that of run {order.run}"
            return None
        return order

    @property
    def order_digest(self) -> str:
        """The order's digest, or an empty text."""
        return self.evidence.records["order"].sha256 if self.order else ""

    @cached_property
    def job(self) -> FrozenJob | None:
        """The job as it was admitted."""
        return self._read("job", lambda data: records.parse(data, FrozenJob, "the job"))

    @cached_property
    def plan(self) -> Plan | None:
        """The capacity decision."""
        return self._read("plan", lambda data: records.parse(data, Plan, "the plan"))

    @cached_property
    def verdict(self) -> records.VerdictRecord | None:
        """What was decided before any key was handed over."""
        return self._read("verdict", lambda data: records.parse(data, records.VerdictRecord, "the verdict"))

    @cached_property
    def lost(self) -> records.Loss | None:
        """That the machine lost its attestation after it was accepted; a refusal needs no second judge."""
        return self._read("lost", lambda data: _of_run(self.evidence.run, data, records.Loss))

    @cached_property
    def alert(self) -> records.Alert | None:
        """The first alarm that was raised about the machine."""
        return self._read("alert", lambda data: _of_run(self.evidence.run, data, records.Alert))

    @cached_property
    def token_record(self) -> records.TokenRecord | None:
        """The token as the workload wrote it, with its key."""
        return self._read("token", lambda data: records.parse(data, records.TokenRecord, "the token record"))

    @cached_property
    def release(self) -> HeldKey | None:
        """The hand-over of the wrapped key."""
        return self._read("release", lambda data: records.parse(data, HeldKey, "the release"))

    @cached_property
    def completion(self) -> records.Completion | None:
        """What the workload said at its end, if the key beside the token signed it."""
        record = self.token_record
        return None if record is None else self._read("completion", lambda data: _said(data, record))

    @cached_property
    def published(self) -> records.Published | None:
        """What was compared in the models bucket."""
        return self._read("published", lambda data: records.parse(data, records.Published, "the publication"))

    @cached_property
    def proof(self) -> Proof | None:
        """The proof of teardown."""
        return self._read("proof", lambda data: records.parse(data, Proof, "the proof"))

    @cached_property
    def receipt(self) -> Receipt | None:
        """The receipt, if the key beside the token signed it."""
        record = self.token_record
        if record is None:
            return None
        return self._read("receipt", lambda data: parse_receipt(data, record.public_key_pem))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The ledger's entries."""
        found = [
            self._parsed("ledger", one, partial(parse_entry, object_name=one.name))
            for one in self.evidence.ledger
        ]
        return tuple(entry for entry in found if entry and entry.run == self.evidence.run)

    @cached_property
    def lifetimes(self) -> tuple[Lifetime, ...]:
        """Every resource with its times."""
        return lifetimes(self.entries)

    @cached_property
    def log_entries(self) -> tuple[logs.LogEntry, ...]:
        """The log entries that were collected."""
        found = [self._parsed("logs", one, logs.parse) for one in self.evidence.logs]
        return tuple(entry for entry in found if entry)

    @cached_property
    def machine(self) -> attested.Machine | None:
        """The run's machine."""
        plan = self.plan
        if plan is None:
            return None
        return self._guarded("ledger", lambda: attested.machine_of(self.entries, plan))

    @cached_property
    def judgement(self) -> token.Judgement | None:
        """The token, judged again at the time of the recorded verdict."""
        order, record, machine, verdict = self.order, self.token_record, self.machine, self.verdict
        if order is None or record is None or machine is None or verdict is None:
            return None
        return self._guarded(
            "token",
            lambda: attested.judge(
                record,
                attested.expectation(
                    order=order,
                    order_digest=self.order_digest,
                    record=record,
                    machine=machine,
                    allowed=verdict.allowed or self.evidence.deployment,
                    root_pem=self.root_pem,
                    at=datetime.fromisoformat(verdict.time),
                ),
                self.order_digest,
            ),
        )

    def cost(self, until: str) -> Cost | None:
        """The estimate of what the machine cost."""
        return self._guarded("ledger", lambda: estimate(self.plan, self.lifetimes, until))

    def _read(self, word: str, parse: Callable[[bytes], T]) -> T | None:
        record = self.evidence.records.get(word)
        return None if record is None else self._parsed(word, record, parse)

    def _parsed(self, word: str, record: Record, parse: Callable[[bytes], T]) -> T | None:
        data = record.text.encode(errors="surrogatepass")
        if canonical.digest(data) != record.sha256:
            self.problems[word] = f"{record.name} has not the digest that is stated for it"
            return None
        return self._guarded(word, lambda: parse(data))

    def _guarded(self, word: str, action: Callable[[], T]) -> T | None:
        try:
            return action()
        except (SealtrainError, ValueError, TypeError) as error:
            self.problems[word] = str(error)[:300]
            return None


def _of_run(run: str, data: bytes, kind: type[AboutRun]) -> AboutRun:
    found = records.parse(data, kind, kind.__name__.lower())
    if found.run != run:
        raise EvidenceError("it is another run's", field="run", got=found.run, expected=run)
    return found


def _said(data: bytes, by: records.TokenRecord) -> records.Completion:
    said = records.parse(data, records.Completion, "the completion")
    said.check(by)
    return said
