"""Signed envelopes: what verifies, what does not, and that other tools agree."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.rules import dsse, signing
from sealtrain.rules.errors import EvidenceError

from tests.functions import authority

KIND = "application/example+json"
KEY = authority.workload_key()
PEM = authority.public_pem(KEY)


def sealed(body: bytes = b'{"a":1}') -> signing.Envelope:
    return signing.sign(KIND, body, authority.ec_signer(KEY), signing.key_id(PEM))


def test_payload_comes_back() -> None:
    """An envelope that is written, read and verified gives its payload."""
    envelope = dsse.parse(signing.serialize(sealed()))
    assert dsse.verify(envelope, PEM, KIND) == b'{"a":1}'


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=200), position=st.integers(min_value=0), mask=st.integers(1, 255))
def test_no_byte_can_change(body: bytes, position: int, mask: int) -> None:
    """A changed byte of payload or signature does not verify."""
    envelope = sealed(body)
    for field in ("payload", "sig"):
        data = bytearray(base64.b64decode(_field(envelope, field)))
        if not data:
            continue
        data[position % len(data)] ^= mask
        with pytest.raises(EvidenceError):
            dsse.verify(_with(envelope, field, base64.b64encode(data).decode()), PEM, KIND)


def _field(envelope: signing.Envelope, field: str) -> str:
    return envelope.payload if field == "payload" else envelope.signatures[0].sig


def _with(envelope: signing.Envelope, field: str, text: str) -> signing.Envelope:
    if field == "payload":
        return msgspec.structs.replace(envelope, payload=text)
    signature = msgspec.structs.replace(envelope.signatures[0], sig=text)
    return msgspec.structs.replace(envelope, signatures=(signature,))


def test_type_key_and_spelling_count() -> None:
    """Another type, another key, and another spelling of base64 are refused."""
    with pytest.raises(EvidenceError, match="another kind"):
        dsse.verify(sealed(), PEM, KIND + "x")
    with pytest.raises(EvidenceError, match="not made by this key"):
        dsse.verify(sealed(), authority.public_pem(authority.workload_key("other")), KIND)
    for text in (sealed(b"ab").payload.replace("=", ""), "YWJ=", "YW I=", "YWI=\n"):
        with pytest.raises(EvidenceError, match="base64"):
            dsse.verify(_with(sealed(b"ab"), "payload", text), PEM, KIND)


@pytest.mark.parametrize("change", ["none", "two", "field", "type", "not json", "deep"])
def test_envelope_is_exactly_the_format(change: str) -> None:
    """Not one signature, a field too many, a wrong type or no JSON is refused."""
    plain = json.loads(signing.serialize(sealed()))
    match change:
        case "none":
            plain["signatures"] = []
        case "two":
            plain["signatures"] *= 2
        case "field":
            plain["more"] = 1
        case "type":
            plain["payload"] = 1
    text = {"not json": b"{", "deep": b"[" * 100_000}.get(change, json.dumps(plain).encode())
    with pytest.raises(EvidenceError):
        dsse.parse(text)


def test_size_is_bounded_before_parsing() -> None:
    """More than the limit is refused unread."""
    with pytest.raises(EvidenceError, match="too large"):
        dsse.parse(b"x" * 101, limit_bytes=100)


def test_only_p256_keys_count() -> None:
    """A key of another curve, or no key, is refused."""
    other = ec.generate_private_key(ec.SECP384R1())
    pem = other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for text in (pem.decode(), "no key"):
        with pytest.raises(EvidenceError, match="public key"):
            dsse.verify(sealed(), text, KIND)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_openssl_agrees(tmp_path: Path) -> None:
    """The command in the module's head verifies an envelope with openssl alone."""
    envelope = sealed()
    (tmp_path / "key.pem").write_text(PEM)
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope.signatures[0].sig))
    script = (
        f"type={KIND}; {{ printf 'DSSEv1 %d %s %d ' ${{#type}} \"$type\" $(wc -c < payload); "
        "cat payload; } > signed; openssl dgst -sha256 -verify key.pem -signature signature signed"
    )
    for body, code in ((b'{"a":1}', 0), (b'{"a":2}', 1)):
        (tmp_path / "payload").write_bytes(body)
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, check=False)
        assert done.returncode == code
