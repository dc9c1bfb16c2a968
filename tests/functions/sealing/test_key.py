"""The data key."""

import io

import pytest
import tink
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.sealing import DataKey, SealingError, new_data_key, open_, seal
from tink import aead, proto_keyset_format, secret_key_access


def test_a_key_survives_its_serialization() -> None:
    """A part sealed with a key opens with the key parsed from its bytes."""
    key, there, back = new_data_key(), io.BytesIO(), io.BytesIO()
    seal(io.BytesIO(b"rows"), there, key, b"place")
    open_(io.BytesIO(there.getvalue()), back, DataKey.parse(key.serialize()), b"place")
    assert back.getvalue() == b"rows"


def test_each_key_is_fresh() -> None:
    """Two new keys differ."""
    assert new_data_key().serialize() != new_data_key().serialize()


def test_a_key_does_not_show_itself() -> None:
    """Printing a key shows no byte of it."""
    assert repr(new_data_key()) == "DataKey(<secret>)"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_key_are_refused(junk: bytes) -> None:
    """Anything that is not a keyset gives our error."""
    with pytest.raises(SealingError, match="data key"):
        DataKey.parse(junk)


def test_a_keyset_of_another_kind_is_refused() -> None:
    """A keyset for another primitive is refused though Tink can read it."""
    aead.register()
    other = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    with pytest.raises(SealingError, match="data key"):
        DataKey.parse(proto_keyset_format.serialize(other, secret_key_access.TOKEN))


def test_an_oversized_key_is_refused_before_parsing() -> None:
    """A key is bounded in size."""
    with pytest.raises(SealingError, match="20000 bytes"):
        DataKey.parse(bytes(20_000))
