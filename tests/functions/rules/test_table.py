"""Tests of `rules.table`."""

from __future__ import annotations

from typing import Any

import pytest
from sealtrain.rules import table
from sealtrain.rules.dataset import check_csv
from sealtrain.rules.errors import RefusedError

from workload.trainers.tabular.trainer import __main__ as trainer
from workload.trainers.tabular.trainer.table import MAX_CATEGORIES

GOOD = "a,b,kind\n1,x,yes\n,y,no\n3,x,yes\n"


def judge(*files: str, size: int | None = None, **arguments: Any) -> None:
    """Judge files by their first bytes; `size` larger than a file: only its beginning is seen."""
    looks = [check_csv(f"{i}.csv", f.encode(), size or len(f.encode())) for i, f in enumerate(files)]
    table.check_learnable(looks, arguments)


def test_the_bounds_are_the_trainers() -> None:
    """What is refused here is what the trainer would refuse, and nothing else."""
    assert trainer.MAX_CLASSES == table.MOST_CLASSES
    assert table.MOST_TEXTS == MAX_CATEGORIES
    assert set(trainer.Arguments.__dataclass_fields__) == table.ARGUMENTS


def test_what_can_be_learned_is_taken() -> None:
    """Numbers with gaps, a few texts, a target by name or the last, several files with one header."""
    judge(GOOD, GOOD)
    judge(GOOD, target="b")
    judge("a,kind\n" + "".join(f"{i}.5,{i % 2}\n" for i in range(500)))


@pytest.mark.parametrize(
    ("file", "arguments", "field", "got"),
    [
        ("a,a,kind\n1,2,x\n3,4,y\n", {}, "0.csv", "columns 1 and 2 have the same name"),
        ("a,,kind\n1,2,x\n3,4,y\n", {}, "0.csv", "column 2 has no name"),
        ("1,2\n3,4\n5,6\n", {}, "0.csv", "numbers in the first row"),
        (
            "63,1.5,ill\n51,2.5,well\n40,1.0,ill\n", {}, "0.csv",
            "the name of column 3 is one of the values below it",
        ),
        (GOOD, {"target": "nosuch"}, "arguments.target", "nosuch"),
        (GOOD, {"traget": "kind"}, "arguments", "traget"),
        ("a,kind\n1,x\n2,\n", {}, "0.csv", "column 2, which is to be learned: nothing in row 3"),
        ("a,kind\n1,x\n2,x\n", {}, "0.csv", "column 2, which is to be learned: only one different value(s)"),
        (
            "a,kind\n" + "".join(f"1,{i}\n" for i in range(101)), {}, "0.csv",
            "column 2, which is to be learned: more than 100 different value(s)",
        ),
        (
            "name,kind\n" + "".join(f"n{i},{i % 2}\n" for i in range(101)), {}, "0.csv",
            "column 1: text, more than 100 different",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused(file: str, arguments: Any, field: str, got: str) -> None:
    """The refusal says where and what, expected and remedy, and shows no value of the data."""
    with pytest.raises(RefusedError) as caught:
        judge(file, **arguments)
    body = caught.value.body
    assert (body.code, body.field, body.got) == ("not_learnable", field, got)
    assert body.expected
    assert body.remedy


def test_other_headers_and_no_table_at_all_are_refused() -> None:
    """Files that are read as one table have one header; without any CSV there is nothing to read."""
    with pytest.raises(RefusedError, match="another header"):
        judge(GOOD, "a,c,kind\n1,2,x\n3,4,y\n")
    with pytest.raises(RefusedError, match=r"\.csv"):
        judge()


def test_what_was_not_seen_is_not_judged() -> None:
    """One class in the beginning of a file says nothing about its rest."""
    judge("a,kind\n1,x\n2,x\n", size=10**6)
