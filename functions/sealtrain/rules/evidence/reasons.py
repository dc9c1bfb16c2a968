"""The reason codes of refusals, each with its kind, meaning and remedy (reasons.toml).

One table, so that verdicts, alerts and `sealtrain explain` say the same. A code that is not in it counts
as bad.
"""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

FILE = Path(__file__).parent / "reasons.toml"


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a code stands for."""

    kind: Literal["bad", "unchecked"]
    means: str
    remedy: str


@lru_cache(maxsize=1)
def load() -> Mapping[str, Reason]:
    """Give the table."""
    return msgspec.convert(tomllib.loads(FILE.read_text()), dict[str, Reason])


def unchecked(code: str) -> bool:
    """Whether a code says that something could not be checked."""
    reason = load().get(code)
    return reason is not None and reason.kind == "unchecked"
