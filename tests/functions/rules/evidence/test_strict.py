"""Strict reading: one spelling of base64url, JSON without surprises."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.rules.evidence import strict
from sealtrain.rules.evidence.findings import Refused

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def canonical(text: str) -> bytes | None:
    """The slow definition: what decodes, and encodes again to the same text."""
    try:
        return strict.base64url(text, "x")
    except Refused:
        return None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=70))
def test_bytes_have_one_spelling(data: bytes) -> None:
    """What is encoded decodes; with padding or another last character it does not."""
    text = urlsafe_b64encode(data).rstrip(b"=").decode()
    assert strict.base64url(text, "x") == data
    for other in (text + "=", text + "A====", text + "\n", " " + text, text + "."):
        assert canonical(other) is None
    if text:
        same = [c for c in ALPHABET if canonical(text[:-1] + c) == data]
        assert same == [text[-1]]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=ALPHABET + "+/=\n é", max_size=12))
def test_only_what_encodes_again_to_itself_is_taken(text: str) -> None:
    """Whatever is taken is the encoding of what it gives."""
    data = canonical(text)
    if data is not None:
        assert urlsafe_b64encode(data).rstrip(b"=").decode() == text


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1e999}',
        '{"a":"\\ud800"}',
        '{"a":1} x',
        "\ufeff{}",
        "[]",
        "1",
        "",
    ],
)
def test_surprising_json_is_refused(text: str) -> None:
    """Repeated keys, no numbers, lone surrogates, anything but one object."""
    with pytest.raises(Refused, match="malformed"):
        strict.json_object(text.encode(), "x")
