"""Attesting: a challenge, a simulated hardware quote over it and over what was launched, a token in return.

The quote stands for the vTPM's (SEV) or the TD's (TDX): it is signed by the key that the machine's hardware
got when it was made. What it covers is what the launcher measured itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from localcloud.machine.link import Link
from localcloud.machine.told import Told


@dataclass(frozen=True)
class Measured:
    """What the launcher launched."""

    image_reference: str
    image_digest: str
    image_id: str
    restart_policy: str
    args: list[str]
    cmd_override: list[str]
    env: dict[str, str]
    env_override: dict[str, str]


class Attester:
    """Gets tokens for one machine. Raises LinkError when the service refuses."""

    def __init__(self, told: Told, link: Link, measured: Measured) -> None:
        self._told, self._link = told, link
        self._events = json.dumps(asdict(measured), sort_keys=True).encode()
        key = serialization.load_pem_private_key(told.hardware_key.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - the stand-in made it
        self._key = key

    def token(self, audience: str, token_type: str, nonces: list[str]) -> str:
        """An attestation token: `token_type` is OIDC or PKI."""
        place = f"projects/{self._told.project}/locations/{self._told.region}"
        challenge = self._link.call(f"/v1/{place}/challenges", {})
        body = {
            "gcpCredentials": {"serviceAccountIdTokens": [self._link.id_token(challenge["name"])]},
            **self._evidence(challenge["tpmNonce"]),
            "tokenOptions": {
                "audience": audience,
                "nonce": nonces,
                "tokenType": f"TOKEN_TYPE_{token_type}",
            },
        }
        return str(self._link.call(f"/v1/{challenge['name']}:verifyAttestation", body)["oidcClaimsToken"])

    def _evidence(self, nonce: str) -> dict[str, Any]:
        quote = json.dumps(
            {
                "simulated": True,
                "instance_id": self._told.instance_id,
                "nonce": nonce,
                "event_log_sha256": hashlib.sha256(self._events).hexdigest(),
            },
            sort_keys=True,
        ).encode()
        signature = self._key.sign(quote, ec.ECDSA(hashes.SHA256()))
        events = _b64(self._events)
        if self._told.confidential_type == "TDX":
            wrapped = json.dumps({"quote": _b64(quote), "signature": _b64(signature)}).encode()
            return {"tdCcel": {"canonicalEventLog": events, "tdQuote": _b64(wrapped)}}
        quotes = [{"hashAlgo": 11, "rawQuote": _b64(quote), "rawSignature": _b64(signature)}]
        return {"tpmAttestation": {"canonicalEventLog": events, "quotes": quotes}}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
