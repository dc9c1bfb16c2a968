"""Tests of `rules.parsing`."""

import msgspec
import pytest
from sealtrain.rules.errors import InvalidRequestError, RefusedError
from sealtrain.rules.parsing import convert, parse


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    """Something inside."""

    count: int = 1


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    """Something outside."""

    run: str
    inner: Inner | None = None
    numbers: list[int] = []


@pytest.mark.parametrize(
    ("data", "field", "got", "expected"),
    [
        (b'{"run":"r","rum":1}', "rum", "rum", "one of inner, numbers, run"),
        (b'{"run":"r","inner":{"cuont":1}}', "inner.cuont", "cuont", "one of count"),
        (b"{}", "run", "nothing", "a value"),
        (b'{"run":1}', "run", "int", "str"),
        (b'{"run":"r","numbers":[1,"x"]}', "numbers[1]", "str", "int"),
        (b"[]", "body", "array", "object"),
        (b"{", "body", None, "one JSON object in UTF-8"),
        (b"\xff", "body", None, "one JSON object in UTF-8"),
        (b"", "body", None, "one JSON object in UTF-8"),
    ],
)
def test_a_refusal_names_field_got_and_expected(data: bytes, field: str, got: str, expected: str) -> None:
    """Whatever is wrong is told by its path, with what stood there and what may."""
    with pytest.raises(InvalidRequestError) as caught:
        parse(data, Outer, "the request")
    body = caught.value.body
    assert (body.field, body.got, body.expected) == (field, got, expected)


def test_plain_values_are_refused_in_the_callers_words() -> None:
    """The caller chooses which error a refusal is."""
    with pytest.raises(RefusedError, match=r"job\.yaml"):
        convert({"run": 1}, Outer, "job.yaml", refusal=RefusedError)


def test_deep_nesting_is_refused() -> None:
    """A bottomless document is an error of ours, not of the interpreter."""
    with pytest.raises(InvalidRequestError):
        parse(b'{"run":' + b"[" * 100_000, Outer, "the request")
