"""The list of reason codes and the codes that verifiers use are the same."""

import ast
from pathlib import Path

import sealtrain
from sealtrain.rules.evidence import policy, reasons

PACKAGE = Path(sealtrain.__file__).parent
MAKERS = {"Refused", "_finding", "Finding", "_alarm", "alarm"}
OWN_CODES = {"_whole"}  # gives its third argument on as a code


def used() -> set[str]:
    """Every code that the policy names or a verifier writes."""
    found = {clause.reason for clause in policy.load().clauses}
    for file in PACKAGE.rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in MAKERS:
                given = [k.value for k in call.keywords if k.arg == "reason"] or call.args[:1]
            elif name in OWN_CODES:
                given = call.args[2:3]
            else:
                continue
            found |= {one.value for one in given if isinstance(one, ast.Constant)}
    return {code for code in found if isinstance(code, str)}


def test_every_code_has_an_answer_and_every_answer_a_code() -> None:
    """Nothing is refused without an explanation, and nothing is explained that cannot happen."""
    assert used() == set(reasons.load())


def test_every_answer_says_what_and_what_to_do() -> None:
    """Whole sentences, and a remedy even where there is none."""
    for code, one in reasons.load().items():
        assert one.means.endswith("."), code
        assert one.remedy.endswith("."), code


def test_an_unknown_code_counts_as_bad() -> None:
    """A code from somewhere else is never taken for a missing check."""
    assert not reasons.unchecked("made_up")
    assert reasons.unchecked("keys_unavailable")
    assert not reasons.unchecked("signature")
