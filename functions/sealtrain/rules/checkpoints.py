"""Whose checkpoint counts: that of a machine which was trusted to its end, and said what it left.

Rules enforced here:
- the machine's last word is `preempted`, signed by the key beside the run's token; it holds the digest of the
  manifest, so that nobody else's bytes are taken for the checkpoint;
- the machine's evidence was accepted, and nothing on record speaks against it since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from sealtrain.rules import names, records
from sealtrain.rules.errors import EvidenceError


def was_trusted(run: str, stored: Collection[str], read: Callable[[str], bytes]) -> bool:
    """Whether the machine was trusted to its end; `stored` names the run's objects in the evidence bucket."""
    judged = [name for name in stored if name.endswith(("/verdict.json", "/judgement.json"))]
    return (
        names.verdict(run) in stored
        and names.lost(run) not in stored
        and not any(name.endswith(".alert.json") for name in stored)
        and not any(_speaks_against(records.parse(read(n), records.VerdictRecord, n)) for n in judged)
    )


def _speaks_against(judged: records.VerdictRecord) -> bool:
    if judged.verdict == "met":
        return False
    from sealtrain.rules.evidence import attested  # its libraries are seldom needed here

    return not attested.is_foreign(judged)


def check_left(run: str, said: records.Completion, by: records.TokenRecord, found: str) -> None:
    """Raise EvidenceError unless `found` is the digest of the manifest that the machine said it left."""
    said.check(by)
    if found != said.left_digest:
        raise EvidenceError(
            "the checkpoint of the attempt before is not the one that its machine left",
            field=names.checkpoint_manifest(run),
            got=found,
            expected=said.left_digest,
            remedy=f"`sealtrain teardown {run}` removes it; another attempt then begins anew",
        )
