"""What the deployment's own trainer cannot learn from, seen before a machine is paid for.

- Judged from the first bytes of each file, which admission has read anyway. What lies further on, the trainer
  finds itself, and names by its exit code (`rules.job_reasons`).
- The bounds are those of `workload/trainers/tabular`; a test compares them. Other trainers have other wishes:
  nothing here is asked of their data.
- A first row that is data would be lost as a header: a name among its own column's texts is refused.
- A refusal names file, row and column number; never a value, which would be data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sealtrain.rules.errors import RefusedError

ARGUMENTS = frozenset({"target", "holdout", "seed", "iterations"})
MOST_CLASSES = 100
MOST_TEXTS = 100


class Look(msgspec.Struct, frozen=True):
    """What was seen of a CSV file: its header, and rows; all of them if `whole`."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    whole: bool

    def column(self, at: int) -> list[str]:
        """The fields of a column that were seen."""
        return [row[at] for row in self.rows]


def is_table(name: str) -> bool:
    """Whether the trainer reads this file."""
    return name.lower().endswith(".csv")


def check_learnable(looks: Sequence[Look], arguments: Mapping[str, Any]) -> None:
    """Raise RefusedError if the files, as far as they were seen, are no table to learn from."""
    unknown = sorted(set(arguments) - ARGUMENTS)
    if unknown:
        raise _refused("arguments", ", ".join(unknown), ", ".join(sorted(ARGUMENTS)), "correct job.yaml")
    if not looks:
        raise _refused(
            "dataset", "no file whose name ends in .csv", "CSV, which the default trainer reads",
            "upload CSV, or name a trainer of your own in job.yaml",
        )  # fmt: skip
    first = looks[0]
    for look in looks:
        _check_header(look, first)
    _check_target(looks, _target(first, arguments))
    for at in range(len(first.header)):
        texts = {field for look in looks for field in look.column(at)}
        if first.header[at] in texts and not all(_is_number(text) for text in texts):
            got = f"the name of column {at + 1} is one of the values below it"
            raise _refused(first.name, got, "the columns' names in the first row", "add a header")
        if len(texts) > MOST_TEXTS and not all(_is_number(text) for text in texts):
            got = f"column {at + 1}: text, more than {MOST_TEXTS} different"
            expected = f"numbers, or at most {MOST_TEXTS} different texts"
            raise _refused(first.name, got, expected, "leave out columns of names, ids, free text or dates")


def _check_header(look: Look, first: Look) -> None:
    numbered = {name: at for at, name in enumerate(look.header, 1)}
    if len(numbered) != len(look.header):
        at = next(at for at, name in enumerate(look.header, 1) if numbered[name] != at)
        got = f"columns {at} and {numbered[look.header[at - 1]]} have the same name"
        raise _refused(look.name, got, "a different name for each column", "rename one in the first row")
    if "" in numbered:
        got = f"column {numbered['']} has no name"
        raise _refused(look.name, got, "a name for each column", "name it in the first row")
    if all(_is_number(name) for name in look.header):
        raise _refused(look.name, "numbers in the first row", "the columns' names", "add a header")
    if look.header != first.header:
        raise _refused(
            look.name, f"another header than that of {first.name}", "the same header in each CSV file",
            "make the headers equal, or upload the files apart",
        )  # fmt: skip


def _target(look: Look, arguments: Mapping[str, Any]) -> int:
    """Where the column to learn stands; without the argument it is the last one."""
    wanted = arguments.get("target")
    if wanted is None:
        return len(look.header) - 1
    if wanted not in look.header:
        raise _refused(
            "arguments.target", str(wanted), f"the name of one of the {len(look.header)} columns",
            "write it in job.yaml as it stands in the file's first row",
        )  # fmt: skip
    return look.header.index(str(wanted))


def _check_target(looks: Sequence[Look], at: int) -> None:
    first = looks[0]
    column = f"column {at + 1}, which is to be learned"
    for look in looks:
        fields = look.column(at)
        if "" in fields:
            got = f"{column}: nothing in row {fields.index('') + 2}"
            raise _refused(look.name, got, "a value in every row", "fill it in, or leave the row out")
    seen = {field for look in looks for field in look.column(at)}
    rows = sum(len(look.rows) for look in looks)
    if len(seen) > MOST_CLASSES or (len(seen) < 2 <= rows and all(look.whole for look in looks)):
        count = f"more than {MOST_CLASSES}" if len(seen) > 1 else "only one"
        raise _refused(
            first.name, f"{column}: {count} different value(s)", f"2 to {MOST_CLASSES} classes",
            "name the column of the classes with `arguments: {target: NAME}` in job.yaml",
        )  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        return not text.strip() or math.isfinite(float(text))
    except ValueError:
        return False


def _refused(field: str, got: str, expected: str, remedy: str) -> RefusedError:
    message = "the default trainer cannot learn from this"
    return RefusedError(message, code="not_learnable", field=field, got=got, expected=expected, remedy=remedy)
