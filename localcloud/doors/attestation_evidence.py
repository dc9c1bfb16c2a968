"""Reading a machine's evidence: who it is, what it launched, and that its hardware says so.

The quote is SIMULATED: it is signed by a key that the stand-in gave the machine when it was turned on. What
is real is the chain of checks: the quote covers this challenge and the event log; the key is that instance's;
the instance runs and is confidential.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from localcloud.doors import Json
from localcloud.doors.compute_life import KIND
from localcloud.doors.errors import ApiError, invalid
from localcloud.machine.rules import confidential_type
from localcloud.world.cloud import Cloud

_ALIVE = ("RUNNING", "PROVISIONING")  # a machine may attest before its boot is booked


def examine(cloud: Cloud, request: Json, nonce: str) -> tuple[str, Json, Json]:
    """(instance name, instance, event log) of genuine evidence over `nonce`. Raises 400."""
    quote, signature, events, kind = _parts(request)
    facts = _json("quote", quote)
    known = cloud.store.get("machine.key", str(facts.get("instance_id")))
    if known is None:
        raise _bad("the quote's key belongs to no machine of this project")
    public = serialization.load_pem_public_key(known["public_key"].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)  # noqa: S101 - the stand-in made it
    try:
        public.verify(signature, quote, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise _bad("the quote's signature is not the machine's") from error
    if facts.get("nonce") != nonce:
        raise _bad("the quote does not cover this challenge's nonce")
    if facts.get("event_log_sha256") != hashlib.sha256(events).hexdigest():
        raise _bad("the event log is not the one that the quote covers")
    instance = cloud.store.get(KIND, known["instance"])
    if instance is None or instance["id"] != facts["instance_id"] or instance["status"] not in _ALIVE:
        raise _bad("the machine does not run")
    if confidential_type(instance) != kind:
        got = confidential_type(instance) or "not confidential"
        raise _bad(f"evidence of {kind}, but the machine is {got}")
    return known["instance"], instance, _json("canonicalEventLog", events)


def _parts(request: Json) -> tuple[bytes, bytes, bytes, str]:
    if "tpmAttestation" in request:
        evidence = request["tpmAttestation"]
        quotes = evidence.get("quotes") or [{}]
        raw, signature, kind = quotes[0].get("rawQuote"), quotes[0].get("rawSignature"), "SEV"
    elif "tdCcel" in request:
        evidence = request["tdCcel"]
        wrapped = _json("tdCcel.tdQuote", _bytes("tdCcel.tdQuote", evidence.get("tdQuote")))
        raw, signature, kind = wrapped.get("quote"), wrapped.get("signature"), "TDX"
    else:
        raise invalid("tee_attestation: tpmAttestation or tdCcel is required")
    events = _bytes("canonicalEventLog", evidence.get("canonicalEventLog"))
    return _bytes("quote", raw), _bytes("signature", signature), events, kind


def _bytes(field: str, text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise invalid(f"{field}: not base64") from error


def _json(field: str, content: bytes) -> Json:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise invalid(f"{field}: not the simulated form") from error
    if not isinstance(value, dict):
        raise invalid(f"{field}: not the simulated form")
    return value


def _bad(reason: str) -> ApiError:
    return invalid(f"Failed to verify attestation: {reason}.")
