"""What is signed."""

from sealtrain.rules import signing


def test_encoding_is_that_of_the_specification() -> None:
    """The bytes that are signed follow DSSE v1, lengths in decimal bytes."""
    assert signing.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert signing.pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "
