"""The data key of one dataset or one model.

- Always AES-256-GCM-HKDF streaming with segments of 1 MB; a keyset of any other kind is refused.
- The key's bytes leave only by `serialize`, to be wrapped by KMS; `repr` shows none of them.
"""

from functools import cache

import tink
from tink import proto_keyset_format, secret_key_access, streaming_aead

from sealtrain.sealing.errors import SealingError

_KEY_TYPE = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
_MAX_KEYSET_BYTES = 16 * 1024


@cache
def _register() -> None:
    """Make Tink's streaming primitives known to it, once per process."""
    streaming_aead.register()


class DataKey:
    """A Tink keyset for streaming encryption; made by `new_data_key` or `DataKey.parse`."""

    def __init__(self, handle: tink.KeysetHandle) -> None:
        self._handle = handle

    def __repr__(self) -> str:
        return "DataKey(<secret>)"

    def primitive(self) -> streaming_aead.StreamingAead:
        """Give Tink's streaming AEAD for this key (used inside `sealing` only)."""
        return self._handle.primitive(streaming_aead.StreamingAead)

    def serialize(self) -> bytes:
        """Give the secret keyset bytes, about 100: wrap them before they go anywhere."""
        return bytes(proto_keyset_format.serialize(self._handle, secret_key_access.TOKEN))

    @classmethod
    def parse(cls, serialized: bytes) -> "DataKey":
        """Read what `serialize` gave. Raises SealingError for anything else."""
        _register()
        if len(serialized) > _MAX_KEYSET_BYTES:
            raise _not_a_key(f"{len(serialized)} bytes")
        try:
            handle = proto_keyset_format.parse(serialized, secret_key_access.TOKEN)
            kinds = {key.type_url for key in handle.keyset_info().key_info}
            key = cls(handle)
            key.primitive()
        except (tink.TinkError, ValueError) as error:
            raise _not_a_key("bytes that Tink cannot read as a streaming keyset") from error
        if kinds != {_KEY_TYPE}:
            raise _not_a_key(f"a keyset with {sorted(kinds)}")
        return key


def new_data_key() -> DataKey:
    """Make a fresh random key."""
    _register()
    template = streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB
    return DataKey(tink.new_keyset_handle(template))


def _not_a_key(got: str) -> SealingError:
    return SealingError(
        "data key",
        got=got,
        expected=f"a keyset of {_KEY_TYPE.rsplit('.', 1)[-1]}",
        remedy="seal the dataset again with a fresh key",
    )
