"""How a run ended, why, and what to do: in the words of its record, or of the refusal in the inbox."""

from __future__ import annotations

from dataclasses import dataclass

from sealtrain.rules import job_reasons, outcome

from cli.progress import Progress

AGAIN = "`sealtrain submit DATA --attempt N` runs the same upload again, as attempt N"


@dataclass(frozen=True)
class Ending:
    """`outcome` is one word; `why` is empty for a success."""

    outcome: str
    why: str
    remedy: str


def ending(found: Progress) -> Ending | None:
    """The end of a run; None while it goes on."""
    if found.refusal is not None:
        refusal = found.refusal
        said = [f"{key} {refusal[key]}" for key in ("field", "got", "expected") if refusal.get(key)]
        details = f" ({'; '.join(said)})" if said else ""
        return Ending("refused", f"{refusal.get('message', '')}{details}", str(refusal.get("remedy") or ""))
    if not found.outcome:
        return None
    why, remedy = job_reasons.split(found.reason)
    if not remedy and found.outcome != "torn_down":  # the asker's reason, with the failed step's inside
        why, remedy = outcome.split(found.reason)
    if not remedy and found.outcome != "succeeded":
        remedy = f"`sealtrain logs {found.run}` tells what the functions said; {AGAIN}"
    return Ending(found.outcome, why, remedy)
