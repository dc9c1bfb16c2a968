"""Where a machine's later tokens stand: places that it and the functions can tell, and no other machine.

- All machines may create records below `shown/`. A place that another could tell in advance could be taken
  from the machine; and were its records found by a listing, enough of another's would drown them.
- So the n-th place is derived from a secret that neither side sends: Diffie-Hellman on P-256 between the key
  that the machine attested and one of the run's own. The order holds that one's public half; the private half
  is a record in the state bucket, which no machine may read.
- Places are taken in turn, from 1 on.
"""

import hashlib
import hmac
from typing import Self

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CURVE = ec.SECP256R1()


class PlaceKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run's own key: the private number, in hex."""

    private: str

    @classmethod
    def new(cls) -> Self:
        """Make one."""
        return cls(f"{ec.generate_private_key(_CURVE).private_numbers().private_value:064x}")

    def key(self) -> ec.EllipticCurvePrivateKey:
        """The key itself. Raises ValueError for a number that is none."""
        return ec.derive_private_key(int(self.private, 16), _CURVE)

    def public(self) -> str:
        """The public half as the order holds it: the compressed point, in hex."""
        return self.key().public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint).hex()


def public(text: str) -> ec.EllipticCurvePublicKey:
    """Read the public half. Raises ValueError."""
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, bytes.fromhex(text))


def place(
    prefix: str, own: ec.EllipticCurvePrivateKey, other: ec.EllipticCurvePublicKey, number: int
) -> str:
    """The name of the n-th later token: one key's private half and the other's public half give the same."""
    secret = hashlib.sha256(b"sealtrain places\n" + own.exchange(ec.ECDH(), other)).digest()
    word = hmac.new(secret, b"%d" % number, hashlib.sha256).hexdigest()[:32]
    return f"{prefix}{number:05d}-{word}/token.json"
