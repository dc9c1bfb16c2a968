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


def test_deeply_nested_yaml_is_refused_not_a_crash() -> None:
    """Nesting without end ends in a refusal."""
    with pytest.raises(DeploymentError):
        compile_source("- a:\n    return: " + "[" * 5000)


def test_steps_nested_within_steps_deeply_compile_or_are_refused() -> None:
    """A tower of nested steps does not overflow the compiler's stack."""
    text = '{"return": 1}'
    for _ in range(400):
        text = '{"steps": [{"s": ' + text + "}]}"
    with pytest.raises(DeploymentError):
        compile_source('[{"s": ' + text + "}]")
