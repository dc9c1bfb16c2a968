"""Tests of `rules.errors`."""

from sealtrain.rules import errors


def test_a_long_value_is_shortened() -> None:
    """A refusal never carries a whole payload."""
    error = errors.RefusedError("x", got="y" * 10_000)
    assert len(error.body.got or "") <= errors.SealtrainError.longest_got + 1


def test_text_names_field_got_expected_and_remedy() -> None:
    """Whoever reads the error's text reads all of it."""
    text = str(errors.RefusedError("no", field="f", got="g", expected="e", remedy="r"))
    assert text == "no; field: f; got: g; expected: e; do: r"
