"""Read an Intel TDX quote, version 4 or 5, byte by byte.

Layout: Intel TDX DCAP Quoting Library API, appendix A.3 (version 4) and A.4 (version 5). Rules:
- every length is bounded by the bytes that are there; what a length does not cover is refused, but
  for zeros after the quote's end: the interface that gives quotes pads its buffer with them;
- only ECDSA P-256 quotes of a TD: an SGX enclave's quote is another thing, whatever its signature;
- certification data is the PCK certificate path inside the quoting enclave's report (types 6, 5).

Nothing is verified here; rules/evidence/tdx.py does.
"""

import struct
from typing import NamedTuple

from sealtrain.rules.evidence import strict
from sealtrain.rules.evidence.findings import Refused

LIMIT_BYTES = 16384
HEADER = 48
TEE_TDX = 0x81
ECDSA_P256 = 2
INTEL_QE = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
# version 5 body types: TD report 1.0, 1.5, and 1.5 with further fields at its end; bytes, least and most
BODIES = {2: (584, 584), 3: (648, 648), 4: (649, 1024)}
SIGNATURE = 64
KEY = 64
QE_REPORT = 384
QE_DATA, PCK_PATH = 6, 5


class Measurements(NamedTuple):
    """What a TD report says; the offsets are those of both report versions."""

    seam_signer: bytes
    seam_attributes: bytes
    attributes: bytes
    mr_td: bytes
    rtmr: tuple[bytes, bytes, bytes, bytes]
    report_data: bytes


class Quote(NamedTuple):
    """A quote taken apart. `signed` is what the attestation key signs."""

    version: int
    signed: bytes
    measurements: Measurements
    signature: bytes
    attestation_key: bytes
    qe_report: bytes
    qe_signature: bytes
    qe_auth: bytes
    pck_path: bytes


class _Reader:
    """Takes bytes off the front; refuses to read past the end."""

    def __init__(self, data: bytes, field: str) -> None:
        self.data, self.field, self.at = data, field, 0

    def take(self, count: int, what: str) -> bytes:
        if count > len(self.data) - self.at:
            raise Refused(
                "malformed", f"{self.field}.{what}", f"{len(self.data) - self.at} bytes", f"{count} bytes"
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int, what: str) -> int:
        return int.from_bytes(self.take(size, what), "little")

    def end(self, padded: bool = False) -> None:
        rest = self.data[self.at :]
        if rest and not (padded and not any(rest)):
            raise Refused("malformed", self.field, f"{len(rest)} bytes more", "nothing after the end")


def parse(data: bytes) -> Quote:
    """Take a quote apart. Raises Refused."""
    strict.bounded(data, LIMIT_BYTES, "quote")
    reader = _Reader(data, "quote")
    header = reader.take(HEADER, "header")
    version, key_type, tee = struct.unpack_from("<HHI", header)
    if version not in (4, 5):
        raise Refused("quote_version", "quote.version", version, "4 or 5")
    if tee != TEE_TDX:
        raise Refused("not_a_td", "quote.tee_type", hex(tee), f"{hex(TEE_TDX)}: Intel TDX")
    if key_type != ECDSA_P256:
        raise Refused("malformed", "quote.attestation_key_type", key_type, f"{ECDSA_P256}: ECDSA P-256")
    if header[12:28] != INTEL_QE:
        raise Refused("quoting_enclave", "quote.qe_vendor_id", header[12:28].hex(), INTEL_QE.hex())
    body = reader.take(_body_size(reader, version), "body")
    signed = data[: reader.at]
    signature = _Reader(reader.take(reader.number(4, "signature_size"), "signature"), "quote.signature")
    reader.end(padded=True)
    own, key = signature.take(SIGNATURE, "value"), signature.take(KEY, "key")
    enclave = _certification(signature, QE_DATA, "qe")
    signature.end()
    report, qe_signature = enclave.take(QE_REPORT, "report"), enclave.take(SIGNATURE, "report_signature")
    auth = enclave.take(enclave.number(2, "auth_size"), "auth")
    path = _certification(enclave, PCK_PATH, "pck")
    enclave.end()
    return Quote(
        version=version,
        signed=signed,
        measurements=_measurements(body),
        signature=own,
        attestation_key=key,
        qe_report=report,
        qe_signature=qe_signature,
        qe_auth=auth,
        pck_path=path.data,
    )


def _body_size(reader: _Reader, version: int) -> int:
    if version == 4:
        return BODIES[2][0]
    kind, size = reader.number(2, "body_type"), reader.number(4, "body_size")
    if kind not in BODIES:
        raise Refused("not_a_td", "quote.body_type", kind, "2, 3 or 4: a TD report")
    least, most = BODIES[kind]
    if not least <= size <= most:
        raise Refused("malformed", "quote.body_size", size, f"{least} to {most} for body type {kind}")
    return size


def _certification(reader: _Reader, kind: int, what: str) -> _Reader:
    found, size = reader.number(2, f"{what}_type"), reader.number(4, f"{what}_size")
    if found != kind:
        raise Refused("malformed", f"{reader.field}.{what}_type", found, kind)
    return _Reader(reader.take(size, what), f"quote.{what}")


def _measurements(body: bytes) -> Measurements:
    first, second, third, fourth = (body[at : at + 48] for at in (328, 376, 424, 472))
    return Measurements(
        seam_signer=body[64:112],
        seam_attributes=body[112:120],
        attributes=body[120:128],
        mr_td=body[136:184],
        rtmr=(first, second, third, fourth),
        report_data=body[520:584],
    )
