"""What `sealtrain explain` is given and what it tells, whatever the evidence is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
from sealtrain.rules.evidence import policy, reasons
from sealtrain.rules.evidence.findings import Finding, verdict_of
from sealtrain.rules.evidence.key_sets import KeySet

from cli.ending import Ending
from cli.trust import Chosen


@dataclass(frozen=True)
class Given:
    """What the caller trusts and knows; None for what is not given."""

    at: datetime
    trust: Chosen | None = None
    keys: Callable[[policy.Issuer, str], KeySet] | None = None
    audience: str | None = None
    nonce: str | None = None
    collateral: bytes | None = None


@dataclass(frozen=True)
class Failed:
    """A check of a bundle that fails: what was seen, and what to do."""

    name: str
    detail: str
    remedy: str


@dataclass(frozen=True)
class Open:
    """A claim about a run that is `not_met` or has `no_evidence`: why, and what to do."""

    id: str
    title: str
    verdict: str
    reasons: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class Told:
    """What was found. `ending` is how the run ended, None where it goes on or there is no run."""

    kind: str
    findings: tuple[Finding, ...] = ()
    about: dict[str, str] = field(default_factory=dict)
    unjudged: tuple[str, ...] = ()
    ending: Ending | None = None
    checks: tuple[Failed, ...] = ()
    claims: tuple[Open, ...] = ()
    recorded: str = "met"
    """A verdict that was on record, where no reason stands beside it."""

    @property
    def succeeded(self) -> bool:
        """No run that the evidence is about is known to have ended otherwise."""
        return self.ending is None or self.ending.outcome == "succeeded"

    @property
    def verdict(self) -> str:
        """The worst that was found: not_met, unchecked, no_evidence, not_judged (parts were not), or met."""
        if self.checks or any(one.verdict == "not_met" for one in self.claims):
            return "not_met"
        if self.findings or self.recorded != "met":
            return verdict_of(self.findings) if self.findings else self.recorded
        if self.claims:
            return "no_evidence"
        return "not_judged" if self.unjudged else "met"

    @property
    def well(self) -> bool:
        """Nothing was found that somebody has to know or do."""
        return self.succeeded and self.verdict in ("met", "not_judged")

    def as_json(self) -> dict[str, Any]:
        """The same with the explanation of each reason code."""
        return {
            "evidence": self.kind,
            "verdict": self.verdict,
            "ending": asdict(self.ending) if self.ending else None,
            "checks": [asdict(one) for one in self.checks],
            "findings": [explained(one) for one in self.findings],
            "claims": [asdict(one) for one in self.claims],
            "not_judged": list(self.unjudged),
            "about": self.about,
        }


def together(kind: str, told: Sequence[Told], **more: Any) -> Told:
    """Several records as one: every finding once; `more` are further members."""
    worst = next((one.recorded for one in told if one.recorded != "met"), "met")
    found = Told(
        kind,
        tuple(dict.fromkeys(finding for one in told for finding in one.findings)),
        unjudged=tuple(dict.fromkeys(name for one in told for name in one.unjudged)),
        recorded=worst,
    )
    return replace(found, **more)


def explained(finding: Finding) -> dict[str, str]:
    """A finding with its code's kind, meaning and remedy."""
    known = reasons.load().get(finding.reason)
    return {
        **msgspec.to_builtins(finding),
        "kind": known.kind if known else "bad",
        "means": known.means if known else "A code that this version does not know.",
        "remedy": known.remedy if known else "Use the version of sealtrain that wrote it.",
    }
