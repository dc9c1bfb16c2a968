"""Whose checkpoint counts: that of a machine which was trusted to its end, and said what it left.

Rules enforced here:
- the machine's last word is `preempted`, signed by the key beside the run's token; it holds the digest of the
  manifest, so that nobody else's bytes are taken for the checkpoint;
- the machine's evidence was accepted, and nothing on record speaks against it since.
"""

from __future__ import annotations

from collections.abc import Callable

from sealtrain.rules import names, records
from sealtrain.rules.errors import EvidenceError


def was_trusted(
    run: str, listed: Callable[[str], list[str]], find: Callable[[str], bytes | None]
) -> bool:
    """Whether the machine was trusted to its end, by the evidence bucket.

    `listed` gives the names below a prefix, `find` an object's bytes or None.
    """
    verdict = find(names.verdict(run))
    if verdict is None or find(names.lost(run)) is not None or listed(names.alert_prefix(run)):
        return False
    judgements = (find(name) for name in listed(names.judgement_prefix(run)))
    return not any(_speaks_against(one) for one in (verdict, *judgements) if one is not None)


def _speaks_against(record: bytes) -> bool:
    judged = records.parse(record, records.VerdictRecord, "the judgement")
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
