"""Attest this VM, await the wrapped data key, and unwrap it.

- Two tokens: one for evidence (PKI, so that it verifies offline for years), stored as issued; one for
  Google's token exchange, kept in memory, never written or logged.
- Both carry a nonce over the order's digest and the fresh signing key, so neither fits another run.
- The key is unwrapped only with the order's digest as additional authenticated data; a key that the data's
  owner wrapped, before there was an order, with the digest of the owner's manifest, which the order names.
"""

import hashlib
import time

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sealtrain.rules import canonical
from sealtrain.rules.order import HeldKey, Order
from sealtrain.sealing import DataKey, SealingError

from workload.cloud import Cloud
from workload.errors import WorkloadError
from workload.launcher import instance_id, token

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


class Attestation:
    """This VM's fresh signing key and its tokens, for one order."""

    def __init__(self, order: Order, order_digest: str, socket: str) -> None:
        self._order, self._order_digest, self._socket = order, order_digest, socket
        self._key = ec.generate_private_key(ec.SECP256R1())
        public, form = self._key.public_key(), PublicFormat.SubjectPublicKeyInfo
        self.public_key_pem = public.public_bytes(Encoding.PEM, form).decode()
        der = public.public_bytes(Encoding.DER, form)
        self._nonce = hashlib.sha256(f"{order_digest}\n".encode() + der).hexdigest()

    def sign(self, data: bytes) -> bytes:
        """Sign with the attested key: ECDSA P-256, SHA-256, DER."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def write_evidence(self, cloud: Cloud) -> None:
        """Store a fresh evidence token, as issued, beside the public key it binds."""
        place = self._order.evidence
        issued = token(self._socket, place.audience, "PKI", self._nonce)
        record = {
            "token": issued,
            "public_key_pem": self.public_key_pem,
            "instance_id": instance_id(issued),
            "order_digest": self._order_digest,
        }
        name = f"{place.prefix}evidence/token.json"
        cloud.create_record(place.bucket, name, canonical.dumps(record))

    def unwrap(self, cloud: Cloud, released: HeldKey) -> DataKey:
        """Open the released key as the attested principal. Raises WorkloadError when refused."""
        how = self._order.release
        issued = token(self._socket, how.sts_audience, "OIDC", self._nonce)
        access = cloud.exchange(how.sts_audience, issued)
        bound_to = self._order.dataset.manifest or self._order_digest
        secret = cloud.decrypt(how.kms_key, released.wrapped_key, bound_to, access)
        try:
            return DataKey.parse(secret)
        except SealingError as error:
            raise WorkloadError("key_refused", "what was unwrapped is no data key") from error


def await_release(cloud: Cloud, order: Order, order_digest: str, deadline: float) -> HeldKey:
    """Poll until the wrapped key of exactly this order is handed over.

    Raises WorkloadError after `deadline`, in seconds of the monotonic clock.
    """
    bucket, _, name = order.release.object.removeprefix("gs://").partition("/")
    pause_s = _FIRST_PAUSE_S
    while (data := cloud.read(bucket, name)) is None:
        if time.monotonic() + pause_s > deadline:
            raise WorkloadError("release_timeout", "the wrapped key was not handed over in time")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
    try:
        released = msgspec.json.decode(data, type=HeldKey)
    except msgspec.MsgspecError as error:
        raise WorkloadError("release_mismatch", "the hand-over cannot be read") from error
    if released.order_digest != order_digest:
        raise WorkloadError("release_mismatch", "the hand-over is for another order")
    return released
