"""A failed execution says what was raised and where, as Google's executions API does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.workflows import ExecutionError

TEXT = """\
main:
  steps:
    - outer:
        steps:
          - call_it:
              call: broken
broken:
  steps:
    - read_item:
        call: http.get
        args: {url: http://a.test}
"""


def _failure(execute: Any, host: Any, text: str) -> ExecutionError:
    host.responses = [{"status": 503, "json_body": {"error": "busy"}}]
    with pytest.raises(ExecutionError) as failed:
        execute(text)
    return failed.value


def test_the_stack_names_one_step_a_routine_innermost_first(execute: Any, host: Any) -> None:
    """The innermost step of each routine is on the stack, with its line."""
    error = _failure(execute, host, TEXT)
    places = [(element.routine, element.step, element.line) for element in error.stack]
    assert places == [("broken", "read_item", 9), ("main", "call_it", 5)]


def test_the_context_is_the_message_and_the_places(execute: Any, host: Any) -> None:
    """The context reads as Google's."""
    assert _failure(execute, host, TEXT).context == (
        "HTTP server responded with error code 503\n"
        'in step "read_item", routine "broken", line: 9\n'
        'in step "call_it", routine "main", line: 5'
    )


def test_the_payload_is_the_raised_value_as_json(execute: Any, host: Any) -> None:
    """The payload is compact JSON with sorted keys."""
    error = _failure(execute, host, TEXT)
    assert json.loads(error.payload) == error.value
    assert error.payload.startswith('{"body":{"error":"busy"},"code":503,"headers":')


def test_a_raised_string_is_told_as_a_runtime_error(execute: Any, host: Any) -> None:
    """The context of a value without tags begins with RuntimeError."""
    error = _failure(execute, host, "- a: {raise: bad luck}\n")
    assert error.context == 'RuntimeError: "bad luck"\nin step "a", routine "main", line: 1'
    assert error.payload == '"bad luck"'


def test_the_shape_for_the_executions_api(execute: Any, host: Any) -> None:
    """The shape has payload, context and stackTrace, positions as strings."""
    shape = _failure(execute, host, "- a: {raise: x}\n").as_google()
    assert shape["stackTrace"] == {
        "elements": [{"routine": "main", "step": "a", "position": {"line": "1", "column": "3"}}]
    }
    assert shape.keys() == {"payload", "context", "stackTrace"}


def test_a_raise_in_except_has_a_stack_of_its_own(execute: Any, host: Any) -> None:
    """Raising the caught error again tells where it was raised again."""
    text = "- a: {try: {raise: x}, except: {as: e, steps: [{again: {raise: '${e}'}}]}}\n"
    assert [element.step for element in _failure(execute, host, text).stack] == ["again"]


def test_the_history_has_a_start_and_an_end_of_each_step(execute: Any, host: Any) -> None:
    """A host that records steps hears of each, with kind, and of the error that one ended with."""
    host.records_steps = True
    with pytest.raises(ExecutionError):
        execute("- a: {assign: [{x: 1}]}\n- b: {steps: [{c: {raise: bad}}]}\n")
    told = [(what, entry.step, entry.kind, error) for what, entry, error in host.history]
    assert told == [
        ("started", "a", "STEP_ASSIGN", None),
        ("ended", "a", "STEP_ASSIGN", None),
        ("started", "b", "STEP_STEPS", None),
        ("started", "c", "STEP_RAISE", None),
        ("ended", "c", "STEP_RAISE", "bad"),
        ("ended", "b", "STEP_STEPS", "bad"),
    ]
    assert len({entry.key for what, entry, _ in host.history if what == "started"}) == 3
