"""What a verifier found wrong, in one form, and the one exception that carries it inside the verifiers.

A verifier never raises for what evidence holds: it gives findings. `Refused` stays inside this package.
Every reason code has its explanation and remedy in rules/evidence/reasons.py.
"""

import msgspec

SHOWN_CHARS = 200


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is wrong: which rule, what was found, what had to be there."""

    reason: str
    field: str
    got: str
    expected: str
    sentence: str


class Refused(Exception):  # noqa: N818 - it is an outcome, not an error
    """Ends a judgement with one finding."""

    def __init__(self, reason: str, field: str, got: object, expected: object, sentence: str = "") -> None:
        super().__init__(reason)
        self.finding = Finding(
            reason=reason,
            field=field,
            got=str(got)[:SHOWN_CHARS],
            expected=str(expected)[:SHOWN_CHARS],
            sentence=sentence,
        )
