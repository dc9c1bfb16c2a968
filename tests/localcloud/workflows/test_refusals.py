"""What a deployment refuses is told with its line and rule, all of it at once."""

from __future__ import annotations

import pytest

from localcloud.workflows import DeploymentError, compile_source

SOURCE = """\
main:
  params: [args]
  steps:
    - first:
        assign:
          - x: ${1 +}
          - y: ${missing}
    - second:
        call: http.get
        args:
          urll: http://a.test
    - third:
        next: nowhere
    - fourth:
        switch:
          - condition: ${x == 1}
            next: first
            retrun: 1
"""


def test_every_refusal_is_told_with_its_line() -> None:
    """One pass finds all faults, in line order."""
    with pytest.raises(DeploymentError) as refused:
        compile_source(SOURCE)
    assert [(refusal.line, refusal.rule) for refusal in refused.value.refusals] == [
        (6, "expression-syntax"),
        (7, "undefined-variable"),
        (9, "call-arguments"),
        (11, "call-arguments"),
        (13, "unknown-step"),
        (18, "unknown-key"),
    ]


def test_the_error_itself_shows_the_first_line_and_rule() -> None:
    """`line` and `rule` of the error are those of its first refusal, its text has them all."""
    with pytest.raises(DeploymentError) as refused:
        compile_source(SOURCE)
    assert (refused.value.line, refused.value.rule) == (6, "expression-syntax")
    assert str(refused.value).count("\n") == 5


def test_a_source_of_more_than_128_kilobytes_is_refused() -> None:
    """The size limit is of bytes, not characters."""
    long = "- a:\n    return: " + "é" * (64 * 1024)
    with pytest.raises(DeploymentError) as refused:
        compile_source(long)
    assert refused.value.rule == "source-size"


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? ", "[${, "])
def test_nesting_without_end_is_refused_at_once(piece: str) -> None:
    """Nesting deeper than 150 is refused where it gets too deep, whatever follows."""
    with pytest.raises(DeploymentError, match="nested deeper than 150 levels"):
        compile_source("- " + piece * (120_000 // len(piece)))


def test_aliases_that_unfold_without_end_are_refused() -> None:
    """A source that is small on disk and huge in memory is refused by its size."""
    bomb = "- &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"- &{name} [{', '.join(['*' + before] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(DeploymentError) as refused:
        compile_source(bomb)
    assert refused.value.rule == "source-size"


def test_a_target_that_is_too_long_is_refused() -> None:
    """What is assigned to is bound as an expression is."""
    with pytest.raises(DeploymentError) as refused:
        compile_source("- a:\n    assign:\n      - x: 1\n      - ? x" + ".a" * 5000 + "\n        : 1\n")
    assert refused.value.rule == "expression-length"


def test_steps_nested_within_steps_deeply_compile_or_are_refused() -> None:
    """A tower of nested steps does not overflow the compiler's stack."""
    text = '{"return": 1}'
    for _ in range(400):
        text = '{"steps": [{"s": ' + text + "}]}"
    with pytest.raises(DeploymentError):
        compile_source('[{"s": ' + text + "}]")
