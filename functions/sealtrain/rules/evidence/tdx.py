"""Verify an Intel TDX quote: signatures up to Intel's root, platform state by collateral, and the policy.

Rules enforced here:
1. sizes and layout first (tdx_quote.py); an SGX quote is not a TD;
2. no debug TD: a debuggable guest's memory can be read, so its quote proves nothing about secrets;
   the TDX module is Intel's own (its signer and attributes are zero);
3. with collateral, dcap-qvl verifies the five links (PCK path and revocation lists; the quoting
   enclave's signature; attestation key; quote signature; TCB info and identities, signed and fresh);
   it returns the TCB status, and only the statuses that the policy lists pass;
4. without collateral, the same signatures are verified here, and the verdict says that the platform's
   state could not be checked: never an acceptance. A caller who asks for signatures only says so;
5. report data, MRTD and RTMRs are compared with the caller's reference values; those not given are
   named as unjudged.

dcap-qvl is imported when first used: the functions judge tokens and do not carry it.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from sealtrain.rules import canonical
from sealtrain.rules.evidence import certificates, strict, tdx_quote
from sealtrain.rules.evidence.findings import Finding, Outcome, Refused, verdict_of
from sealtrain.rules.evidence.policy import Policy

VERIFIER = "sealtrain.rules.evidence.tdx 1"
COLLATERAL_LIMIT_BYTES = 262144
PATH_LIMIT_BYTES = 16384
ROOT_FILE = Path(__file__).parent / "intel_sgx_root.pem"
# SHA-256 over the DER form of "Intel SGX Root CA" (2018-05-21 to 2049-12-31), as in every genuine quote.
INTEL_ROOT = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
COLLATERAL_FIELDS = frozenset(
    {
        "pck_crl_issuer_chain",
        "root_ca_crl",
        "pck_crl",
        "tcb_info_issuer_chain",
        "tcb_info",
        "tcb_info_signature",
        "qe_identity_issuer_chain",
        "qe_identity",
        "qe_identity_signature",
    }
)
CHAINS = frozenset(name for name in COLLATERAL_FIELDS if name.endswith("_chain"))
DEBUG_BITS = 0xFF  # the first byte of the attributes: a TD under debug


class Reference(msgspec.Struct, frozen=True):
    """What a quote is judged against, at a time. None or empty: not judged, and said so."""

    at: datetime
    policy: Policy
    report_data: bytes | None = None
    mr_td: tuple[bytes, ...] = ()
    rtmr: tuple[bytes, ...] = ()
    signatures_only: bool = False


def verify(quote: bytes, collateral: bytes | None, reference: Reference) -> Outcome:
    """Verify a quote; never raises for what quote and collateral hold."""
    facts: dict[str, str] = {}
    findings: tuple[Finding, ...] = ()
    try:
        parsed = tdx_quote.parse(quote)
        facts |= _facts(parsed)
        if collateral is None:
            _check_signatures(parsed, reference.at)
        else:
            facts |= _check_with_collateral(quote, parsed, collateral, reference)
        findings = tuple(_policy_findings(parsed, reference, platform_known=collateral is not None))
    except Refused as refusal:
        findings = (refusal.finding,)
    return Outcome(
        verdict=verdict_of(findings),
        findings=findings,
        evidence_digest=canonical.digest(quote),
        verifier=VERIFIER,
        policy_version=reference.policy.version,
        facts=facts,
        unjudged=tuple(name for name in ("report_data", "mr_td", "rtmr") if not getattr(reference, name)),
    )


def _facts(parsed: tdx_quote.Quote) -> dict[str, str]:
    found = parsed.measurements
    return {
        "version": str(parsed.version),
        "mr_td": found.mr_td.hex(),
        **{f"rtmr{number}": value.hex() for number, value in enumerate(found.rtmr)},
        "report_data": found.report_data.hex(),
        "td_attributes": found.attributes.hex(),
    }


def _policy_findings(parsed: tdx_quote.Quote, reference: Reference, platform_known: bool) -> list[Finding]:
    found, wrong = parsed.measurements, []
    if found.attributes[0] & DEBUG_BITS:
        wrong.append(_finding("debug", "td_attributes", found.attributes.hex(), "no debug bit"))
    if any(found.seam_signer) or any(found.seam_attributes):
        wrong.append(_finding("tdx_module", "mr_signer_seam", found.seam_signer.hex(), "Intel's own: zeros"))
    if reference.report_data is not None and found.report_data != reference.report_data:
        wrong.append(_finding("nonce", "report_data", "another value", "the value bound to this run"))
    if reference.mr_td and found.mr_td not in reference.mr_td:
        wrong.append(_finding("measurement", "mr_td", found.mr_td.hex(), "one of the reference values"))
    if reference.rtmr and found.rtmr != reference.rtmr:
        wrong.append(_finding("measurement", "rtmr", found.rtmr[0].hex(), "the reference values"))
    if not (platform_known or reference.signatures_only):
        wrong.append(_finding("collateral_missing", "collateral", "nothing", "Intel's collateral"))
    return wrong


def _finding(reason: str, field: str, got: str, expected: str) -> Finding:
    return Refused(reason, field, got, expected, "The quote is of a TD that may hold the key.").finding


def _check_signatures(parsed: tdx_quote.Quote, at: datetime) -> None:
    """Verify PCK path, quoting enclave's report, attestation key and quote. Raises Refused."""
    pck = _pck_key(parsed.pck_path, at)
    _check(pck, parsed.qe_signature, parsed.qe_report, "quote.qe.report_signature")
    bound = hashlib.sha256(parsed.attestation_key + parsed.qe_auth).digest() + bytes(32)
    if parsed.qe_report[320:384] != bound:
        raise Refused("signature", "quote.signature.key", "another key", "the key in the enclave's report")
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + parsed.attestation_key)
    except ValueError as error:
        raise Refused("signature", "quote.signature.key", error, "a point on P-256") from error
    _check(key, parsed.signature, parsed.signed, "quote.signature.value")


def _check(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes, field: str) -> None:
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise Refused("signature", field, "a signature that does not verify", "a signature") from error


def _pck_key(pem: bytes, at: datetime) -> ec.EllipticCurvePublicKey:
    strict.bounded(pem, PATH_LIMIT_BYTES, "quote.pck")
    try:
        path, key = _pck_path(pem.rstrip(b"\0"))
        path.check_time(at)
    except certificates.PathError as error:
        raise Refused("path", "quote.pck", error.got, error.expected) from error
    return key


@lru_cache(maxsize=64)
def _pck_path(pem: bytes) -> tuple[certificates.Path, ec.EllipticCurvePublicKey]:
    path = certificates.checked(certificates.from_pem(pem), _intel_root())
    key = certificates.public_key(path.leaf)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise certificates.PathError(type(key).__name__, "a key on P-256")
    return path, key


@lru_cache(maxsize=64)
def _check_chain(name: str, pem: str) -> None:
    try:
        path = certificates.from_pem(pem.encode())
        if len(path) < 2:
            raise certificates.PathError("one certificate", "a signer's certificate and Intel's root")
        certificates.check_links(path, _intel_root())
    except certificates.PathError as error:
        raise Refused("collateral", f"collateral.{name}", error.got, error.expected) from error


@lru_cache(maxsize=1)
def _intel_root() -> x509.Certificate:
    root = certificates.load_root(ROOT_FILE.read_text())
    if certificates.fingerprint(root) != INTEL_ROOT:
        raise Refused("root", ROOT_FILE.name, certificates.fingerprint(root), INTEL_ROOT)
    return root


def _check_with_collateral(
    quote: bytes, parsed: tdx_quote.Quote, collateral: bytes, reference: Reference
) -> dict[str, str]:
    """Verify quote and collateral by dcap-qvl and judge the TCB status. Raises Refused."""
    strict.bounded(collateral, COLLATERAL_LIMIT_BYTES, "collateral")
    fields, read = _read(collateral)
    import dcap_qvl

    try:
        report = dcap_qvl.verify(quote, read, int(reference.at.timestamp()))
    except ValueError as error:
        raise _cause(parsed, fields, reference.at, str(error)) from error
    # The library starts at its own copy of Intel's root, and takes the revocation list's issuer from the
    # quote; what else stands in the collateral's paths it does not look at. Here all of it has to be sound.
    _pck_key(parsed.pck_path, reference.at)
    for name in sorted(CHAINS):
        _check_chain(name, fields[name])
    _judge_platform(report.status, report.advisory_ids, reference.policy)
    return {"tcb_status": report.status, "advisories": ",".join(report.advisory_ids)}


@lru_cache(maxsize=16)
def _read(collateral: bytes) -> tuple[dict[str, str], Any]:
    """Read collateral strictly: its fields, and as the library takes it. Many quotes share one."""
    fields = strict.json_object(collateral, "collateral")
    if not set(fields) >= COLLATERAL_FIELDS or not all(isinstance(v, str) for v in fields.values()):
        raise Refused("collateral", "collateral", sorted(fields), sorted(COLLATERAL_FIELDS))
    try:
        import dcap_qvl
    except ImportError as error:
        raise Refused("verifier_missing", "dcap-qvl", "not installed", "the library dcap-qvl") from error
    try:
        return fields, dcap_qvl.QuoteCollateralV3.from_json(collateral.decode())
    except ValueError as error:
        # Its hex is what the library reads first: a list that is not there, or is no hex, comes out here.
        empty = [name for name in ("root_ca_crl", "pck_crl") if _crl_end(fields[name]) is None]
        if empty:
            raise _missing(empty[0]) from error
        raise Refused("collateral", "collateral", error, "collateral as Intel's service gives it") from error


def _missing(name: str) -> Refused:
    return Refused("collateral_missing", f"collateral.{name}", "unreadable or empty", "readable data")


def _judge_platform(status: str, advisories: list[str], policy: Policy) -> None:
    if status not in policy.quote.accepted_statuses:
        raise Refused("tcb_status", "tcb_status", status, " or ".join(policy.quote.accepted_statuses))
    refused = sorted(set(advisories) & set(policy.quote.refused_advisories))
    if refused:
        raise Refused("tcb_status", "advisories", refused, "none of those that the policy refuses")


def _cause(parsed: tdx_quote.Quote, fields: Mapping[str, Any], at: datetime, told: str) -> Refused:
    """Say which part the library refused: the quote itself, or what it was checked with.

    The library tells in words; codes come from looking again at what can be looked at separately.
    """
    try:
        _check_signatures(parsed, at)
    except Refused as refusal:
        return refusal
    for name, end in _ends(fields):
        if end is None:
            return _missing(name)
        if end < at:
            return Refused(
                "collateral_expired", f"collateral.{name}", end.isoformat(), f"after {at.isoformat()}"
            )
    return Refused("collateral", "collateral", told, "collateral that Intel signed and that fits the quote")


def _ends(fields: Mapping[str, Any]) -> list[tuple[str, datetime | None]]:
    """Until when each part of the collateral says that it is good; None for what cannot be read."""
    return [
        ("root_ca_crl", _crl_end(fields["root_ca_crl"])),
        ("pck_crl", _crl_end(fields["pck_crl"])),
        ("tcb_info", _json_end(fields["tcb_info"])),
        ("qe_identity", _json_end(fields["qe_identity"])),
    ]


def _crl_end(text: str) -> datetime | None:
    try:
        return x509.load_der_x509_crl(bytes.fromhex(text)).next_update_utc
    except certificates.UNREADABLE:
        return None


def _json_end(text: str) -> datetime | None:
    try:
        end = datetime.fromisoformat(str(strict.json_object(text.encode(), "collateral")["nextUpdate"]))
    except (Refused, ValueError, KeyError):
        return None
    return end if end.tzinfo else None
