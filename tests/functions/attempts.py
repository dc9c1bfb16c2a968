"""Attempts at one upload, each up to its frozen order, with the checkpoints that their machines leave."""

from __future__ import annotations

import json
from typing import Any

from sealtrain.listeners import record_completion
from sealtrain.rules import canonical, names
from sealtrain.rules.bundle import open_statement
from sealtrain.rules.claims import Claim
from sealtrain.steps import (
    admit_run,
    create_bucket,
    create_key,
    plan_capacity,
    seal_dataset,
    start_vm,
    verify_evidence,
)

from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World

JOB = b"arguments: {seed: 1}\n"


class Attempts(World):
    """Attempts at one upload, in a world of their own."""

    def __init__(self, job: bytes = JOB) -> None:
        super().__init__()
        self.upload("incoming/set/data.csv")
        self.generation = self.upload("incoming/set/job.yaml", job)
        self.checkpoints = names.checkpoints_bucket(self.settings)

    def admit(self, number: int) -> Any:
        """Claim and admit an attempt."""
        return self.call(
            admit_run, bucket=self.inbox, object="incoming/set/job.yaml", generation=self.generation,
            attempt=number, execution=f"execution-{number}", callback_url="http://127.0.0.1:1/callback",
        )  # fmt: skip

    def attempt(self, number: int) -> str:
        """One attempt up to its frozen order; give its run id."""
        found = self.admit(number)
        for module in (plan_capacity, create_key, create_bucket, seal_dataset):
            self.call(module, run=found.run)
        return str(found.run)

    def run(self, number: int) -> str:
        """The run id of an attempt."""
        return str(names.run_id(self.inbox, "incoming/set/job.yaml", self.generation, number))

    def leave_checkpoint(self, run: str) -> None:
        """What a preempted workload leaves: parts, and last the manifest."""
        self.storage.create(self.checkpoints, f"{run}/checkpoint.tar.part-00000", b"part")
        self.storage.create(self.checkpoints, names.checkpoint_manifest(run), b"manifest of " + run.encode())

    def work(self, run: str) -> None:
        """A machine of the run's, and the verdict on it."""
        self.call(start_vm, run=run)
        self.attest(run)
        self.call(verify_evidence, run=run)

    def end(self, run: str, reason: str) -> None:
        """The workload's last word, recorded: with the checkpoint that it left, if any."""
        left = self.storage.find(self.checkpoints, names.checkpoint_manifest(run))
        digest = canonical.digest(left) if left and reason == "preempted" else None
        self.call(record_completion, **self.word(run, "failed", reason=reason, left_digest=digest))

    def preempt(self, run: str) -> None:
        """The whole way: a machine that is trusted, its checkpoint, its last word."""
        self.work(run)
        self.leave_checkpoint(run)
        self.end(run, "preempted")

    def close(self, run: str) -> Any:
        """Tear a preempted run down and close it, as its workflow does."""
        return super().end(run, {"code": "FAILED", "message": "preempted"})  # type: ignore[misc]

    def proof(self, run: str) -> dict[str, Any]:
        """The run's proof of teardown."""
        found: dict[str, Any] = json.loads(self.storage.get(self.evidence, names.proof(run)))
        return found

    def claim(self, run: str, word: str) -> Claim:
        """One claim of the run's signed bundle."""
        signed = self.storage.get(self.evidence, names.bundle(run))
        stated = open_statement(signed, authority.public_pem(BUNDLE_KEY)).predicate
        return {one.id: one for one in stated.claims}[word]

    def resumed(self, run: str) -> str | None:
        """The run that the order goes on from."""
        resume = self.state.order(run)[0].checkpoint.resume
        return None if resume is None else resume.run

    def left(self) -> set[str]:
        """The runs of which a checkpoint stands."""
        return {one.name.split("/")[0] for one in self.storage.list(self.checkpoints)}
