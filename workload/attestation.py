"""Attest this VM, await the wrapped data key, and unwrap it.

- Tokens for evidence (PKI, so that they verify offline for years) are stored as issued: the first before
  anything else, a fresh one at every interval of the order, where no other VM can tell that it will stand.
  One for Google's token exchange is kept in memory, never written or logged.
- All carry a nonce over the order's digest and the fresh signing key, so none fits another run.
- A key is unwrapped only with what it was bound to as associated data: the order's digest; for a key that the
  data's owner wrapped before there was an order, the digest of the owner's manifest, which the order names.
"""

import hashlib
import time

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sealtrain.rules import canonical, later
from sealtrain.rules.order import HeldKey, Order
from sealtrain.sealing import DataKey, SealingError

from workload.cloud import Cloud
from workload.errors import WorkloadError
from workload.launcher import token

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
        self._places = later.public(order.evidence.places)
        self._shown, self._due = 0, 0.0

    def sign(self, data: bytes) -> bytes:
        """Sign with the attested key: ECDSA P-256, SHA-256, DER."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def show(self, cloud: Cloud) -> bool:
        """Store a fresh evidence token, as issued, beside the public key it binds, when one is due.

        Gives whether one was. A try that fails (WorkloadError) is due again a tenth of the interval
        later: who looks at the records judges a silence, not this VM.
        """
        place = self._order.evidence
        if time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + place.renew_s / 10
        record = {
            "token": token(self._socket, place.audience, "PKI", self._nonce),
            "public_key_pem": self.public_key_pem,
            "order_digest": self._order_digest,
        }
        if self._shown and cloud.read(place.bucket, self._next()) is not None:
            self._shown += 1  # an earlier try came through, and its answer did not
        cloud.create_record(place.bucket, self._next(), canonical.dumps(record))
        self._shown += 1
        self._due = time.monotonic() + place.renew_s
        return True

    def _next(self) -> str:
        prefix = self._order.evidence.prefix
        if not self._shown:
            return f"{prefix}token.json"
        return later.place(prefix, self._key, self._places, self._shown)

    def unwrap(self, cloud: Cloud, kms_key: str, wrapped: str, bound_to: str) -> DataKey:
        """Open a wrapped key as the attested principal. Raises WorkloadError when refused."""
        audience = self._order.release.sts_audience
        access = cloud.exchange(audience, token(self._socket, audience, "OIDC", self._nonce))
        try:
            return DataKey.parse(cloud.decrypt(kms_key, wrapped, bound_to, access))
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
