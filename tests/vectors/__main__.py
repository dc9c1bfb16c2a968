"""`python -m tests.vectors MANIFEST`: run every case; print expected and got; exit 1 on any that differs.

A format that is not verified here is told as "not checked here", counted apart and never accepted.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.vectors import quotes, tokens, trees
from tests.vectors.manifest import BrokenError, Case, Got, read

FORMATS: dict[str, Callable[[Case], Got]] = {
    "gca-oidc-jwt": tokens.judge,
    "tdx-quote": quotes.quote,
    "tdx-ccel+quote": quotes.log_and_quote,
    "rfc6962-merkle": trees.proofs,
}
RIGHT, FALSE_ACCEPT, FALSE_REFUSAL = "right", "false accepts", "false refusals"
BROKEN, NOT_CHECKED = "broken", "not checked here"


def run(case: Case) -> tuple[str, Got | None, str]:
    """Outcome, answer and remark of one case."""
    if case.broken:
        return BROKEN, None, case.broken
    verifier = FORMATS.get(case.format)
    if verifier is None:
        return NOT_CHECKED, None, case.format
    try:
        got = verifier(case)
    except (BrokenError, KeyError, IndexError, TypeError, ValueError) as error:
        return BROKEN, None, f"{type(error).__name__}: {error}"
    if got.verdict == case.expected:
        return RIGHT, got, ""
    return FALSE_ACCEPT if got.verdict == "accept" else FALSE_REFUSAL, got, "  ".join(got.lines)


def main(arguments: list[str]) -> int:
    """Print one line per case and the counts."""
    if len(arguments) != 1:
        print("usage: python -m tests.vectors MANIFEST", file=sys.stderr)
        return 2
    try:
        cases = read(Path(arguments[0]))
    except BrokenError as error:
        print(f"the manifest cannot be used: {error}", file=sys.stderr)
        return 2
    counts: Counter[str] = Counter()
    width = max((len(case.id) for case in cases), default=0)
    for case in cases:
        outcome, got, remark = run(case)
        counts[outcome] += 1
        answer = f"{got.verdict} ({got.reason})" if got else outcome
        mark = "" if outcome in (RIGHT, NOT_CHECKED) else f"  <-- {outcome}"
        line = f"{case.id:{width}}  expected {case.expected} ({case.reason})  got {answer}{mark}"
        print(f"{line}  {remark}".rstrip())
    kinds = (RIGHT, FALSE_ACCEPT, FALSE_REFUSAL, BROKEN, NOT_CHECKED)
    print(f"{len(cases)} cases: " + ", ".join(f"{counts[kind]} {kind}" for kind in kinds))
    return 1 if counts[FALSE_ACCEPT] + counts[FALSE_REFUSAL] + counts[BROKEN] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
