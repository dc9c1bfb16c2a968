"""The end of a demo: what came out, what it rests on, and whether all of it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sealtrain.rules.bundle import Check, Statement
from sealtrain.rules.facts import Facts
from sealtrain.rules.proof import Lifetime

from cli.called import called
from cli.output import plain, table
from cli.run_records import short_names


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the summary says."""

    run: str
    statement: Statement
    metrics: dict[str, float | int]
    lifetimes: tuple[Lifetime, ...]
    checks: list[Check]
    left: list[str]
    """Resources of the run that still bill, by the inventory."""
    folder: Path
    files: list[str]

    @property
    def shortcomings(self) -> list[str]:
        """What does not hold; empty: all does."""
        predicate = self.statement.predicate
        found = (
            [] if predicate.outcome == "succeeded" else [f"the run {predicate.outcome}: {predicate.reason}"]
        )
        found += [f"not met: {claim.title}" for claim in predicate.claims if claim.verdict == "not_met"]
        found += [f"verify {one.name}: {one.detail}" for one in self.checks if not one.ok]
        found += [f"still there: {one.name}" for one in self.lifetimes if not one.seen_absent]
        found += [f"still bills: {name}" for name in self.left]
        if "accuracy" not in self.metrics:
            found.append("the receipt names no accuracy")
        if not any(name.startswith("model/") for name in self.files):
            found.append("there is no model")
        return found


def summarise(
    statement: Statement,
    checks: list[Check],
    root_pem: str,
    left: list[str],
    folder: Path,
    files: list[str],
) -> Summary:
    """Gather it from the bundle's statement."""
    facts = Facts(statement.predicate.evidence, root_pem)
    return Summary(
        run=statement.predicate.run,
        statement=statement,
        metrics=dict(facts.receipt.metrics) if facts.receipt else {},
        lifetimes=facts.lifetimes,
        checks=checks,
        left=left,
        folder=folder,
        files=files,
    )


def bills(inventory: list[dict[str, Any]], run: str) -> list[str]:
    """Names of what the inventory holds of a run and what costs money by being there."""
    return [
        str(one["name"])
        for one in inventory
        if one["bills"]
        and (one.get("labels", {}).get("sealtrain-run") == run or run.removeprefix("r") in str(one["name"]))
    ]


def lines(summary: Summary) -> list[str]:
    """The summary for people."""
    predicate = summary.statement.predicate
    cost = predicate.cost
    shown = [f"run           {summary.run} {predicate.outcome}"]
    if "accuracy" in summary.metrics:
        shown.append(
            f"accuracy      {summary.metrics['accuracy']:.3f} on the held-out part{_rows(summary.metrics)}"
        )
    shown.append(f"trust root    {predicate.trust_root.name}")
    if cost is not None:
        worst = f"worst case allowed for {cost.usd_worst_case:.2f}"
        shown.append(f"cost          {cost.usd:.4f} USD estimated ({worst}; without {cost.not_included})")
    shown += ["", f"claims (trust root: {predicate.trust_root.name})"]
    shown += [f"  {claim.verdict:<14} {claim.title}" for claim in predicate.claims]
    shown += ["", "what was made, and when it was seen gone"]
    times = [
        [one.kind, name, one.created[11:19], one.seen_absent[11:19]]
        for one, name in zip(
            summary.lifetimes, short_names([one.name for one in summary.lifetimes]), strict=True
        )
    ]
    shown += [f"  {line}" for line in table(("kind", "name", "made", "gone"), times)]
    shown += [f"  {one.kind}: {one.state}" for one in summary.lifetimes if one.state not in ("", "absent")]
    shown.append(
        f"  inventory: {'nothing of the run bills' if not summary.left else ', '.join(summary.left)}"
    )
    good = sum(one.ok for one in summary.checks)
    shown += ["", f"verify        {good} of {len(summary.checks)} checks of the bundle hold"]
    shown.append(f"files         {summary.folder}/: {', '.join(summary.files)}")
    for shortcoming in summary.shortcomings:
        shown.append(f"DOES NOT HOLD {shortcoming}")
    if not summary.shortcomings:
        shown.append(f"next          look at {summary.folder}/report.html")
        shown.append(f"              {called()} up    # then submit data of your own")
    return [plain(line) for line in shown]


def told(summary: Summary) -> dict[str, Any]:
    """The same as JSON."""
    predicate = summary.statement.predicate
    return {
        "run": summary.run,
        "outcome": predicate.outcome,
        "reason": predicate.reason or None,
        "trust_root": predicate.trust_root.name,
        "metrics": summary.metrics,
        "cost_usd": predicate.cost.usd if predicate.cost else None,
        "claims": {claim.id: claim.verdict for claim in predicate.claims},
        "resources": [msgspec.to_builtins(one) for one in summary.lifetimes],
        "still_bills": summary.left,
        "checks": [{"name": one.name, "ok": one.ok, "detail": one.detail} for one in summary.checks],
        "folder": str(summary.folder),
        "files": summary.files,
        "shortcomings": summary.shortcomings,
    }


def _rows(metrics: dict[str, float | int]) -> str:
    """How many rows were held out, where the trainer says so."""
    if "n_test" not in metrics:
        return ""
    return f" ({metrics['n_test']:.0f} rows; trained on {metrics.get('n_train', 0):.0f})"
