"""TDX quotes: what the product says about them, beyond the verdicts of tests/data/vectors."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sealtrain.rules.evidence import policy, tdx, tdx_quote
from sealtrain.rules.evidence.findings import Outcome, Refused

DATA = Path(__file__).parents[3] / "data" / "vectors" / "tdx"
QUOTE = (DATA / "v4-uptodate.quote.bin").read_bytes()
COLLATERAL = (DATA / "v4-uptodate.collateral.json").read_bytes()
V5 = (DATA / "v5-a.quote.bin").read_bytes()
THEN = datetime(2025, 6, 20, 12, tzinfo=UTC)


def judged(quote: bytes = QUOTE, collateral: bytes | None = COLLATERAL, **changes: Any) -> Outcome:
    reference = tdx.Reference(**{"at": THEN, "policy": policy.load(), **changes})
    return tdx.verify(quote, collateral, reference)


def reasons(outcome: Outcome) -> set[str]:
    return {one.reason for one in outcome.findings}


def test_a_good_quote_is_met_and_tells_what_it_says() -> None:
    """The verdict carries measurements, TCB status, digests and versions, and names what was not judged."""
    found = judged()
    assert (found.verdict, found.findings) == ("met", ())
    assert found.facts["tcb_status"] == "UpToDate"
    assert len(bytes.fromhex(found.facts["mr_td"])) == 48
    assert found.unjudged == ("report_data", "mr_td", "rtmr")
    assert found.policy_version == policy.load().version
    assert found.evidence_digest.startswith("sha256:")


@pytest.mark.parametrize("quote", [QUOTE, V5], ids=["v4", "v5"])
def test_without_collateral_it_could_not_be_checked(quote: bytes) -> None:
    """Genuine signatures alone are never an acceptance: the platform's state is unknown."""
    found = judged(quote, None, at=datetime(2026, 6, 1, tzinfo=UTC))
    assert (found.verdict, reasons(found)) == ("unchecked", {"collateral_missing"})
    alone = judged(quote, None, at=datetime(2026, 6, 1, tzinfo=UTC), signatures_only=True)
    assert alone.verdict == "met"


def test_reference_values_are_compared() -> None:
    """Report data, MRTD and RTMRs have to be the caller's, each under its own reason."""
    measured = tdx_quote.parse(QUOTE).measurements
    right = {
        "report_data": measured.report_data,
        "mr_td": (bytes(48), measured.mr_td),
        "rtmr": measured.rtmr,
    }
    assert judged(**right).verdict == "met"
    assert judged(**right).unjudged == ()
    assert reasons(judged(**{**right, "report_data": bytes(64)})) == {"nonce"}
    assert reasons(judged(**{**right, "mr_td": (bytes(48),)})) == {"measurement"}
    assert reasons(judged(**{**right, "rtmr": (bytes(48),) * 4})) == {"measurement"}


def test_only_listed_statuses_pass() -> None:
    """A status that the policy does not list is refused, and so is an advisory that it names."""
    shipped = policy.load()
    none = msgspec.structs.replace(
        shipped, quote=policy.QuoteRules(accepted_statuses=("OutOfDate",), refused_advisories=())
    )
    assert reasons(judged(policy=none)) == {"tcb_status"}


@pytest.mark.parametrize(
    ("status", "advisories"),
    [("OutOfDate", []), ("Revoked", []), ("uptodate", []), ("", []), ("UpToDate", ["INTEL-SA-1"])],
)
def test_every_other_status_is_refused(status: str, advisories: list[str]) -> None:
    """OutOfDate, Revoked, unknown words, and refused advisories end the judgement."""
    rules = msgspec.structs.replace(
        policy.load(), quote=policy.QuoteRules(("UpToDate",), ("INTEL-SA-1", "INTEL-SA-2"))
    )
    with pytest.raises(Refused, match="tcb_status"):
        tdx._judge_platform(status, advisories, rules)


def test_only_zeros_may_follow_a_quote() -> None:
    """The quoting interface pads with zeros; anything else after the end is refused."""
    end = len(QUOTE.rstrip(b"\0"))
    assert judged(QUOTE + bytes(100)).verdict == "met"
    assert reasons(judged(QUOTE[:end] + b"\0x")) == {"malformed"}
    assert reasons(judged(QUOTE + bytes(16384))) == {"too_large"}


def with_collateral(**changes: Any) -> bytes:
    return json.dumps({**json.loads(COLLATERAL), **changes}).encode()


@pytest.mark.parametrize(
    ("collateral", "reason", "verdict"),
    [
        (b"", "malformed", "not_met"),
        (b"[]", "malformed", "not_met"),
        (COLLATERAL[:-1] + b',"pck_crl":""}', "malformed", "not_met"),
        (b"{}", "collateral", "not_met"),
        (with_collateral(pck_crl=1), "collateral", "not_met"),
        (with_collateral(pck_crl=""), "collateral_missing", "unchecked"),
        (with_collateral(root_ca_crl="zz"), "collateral_missing", "unchecked"),
        (with_collateral(tcb_info="{}"), "collateral_missing", "unchecked"),
        (with_collateral(tcb_info_signature="00" * 64), "collateral", "not_met"),
        (with_collateral(more="x" * 262144), "too_large", "not_met"),
    ],
)
def test_bad_collateral_never_accepts(collateral: bytes, reason: str, verdict: str) -> None:
    """What is wrong with the collateral is told apart from what is wrong with the quote."""
    found = judged(collateral=collateral)
    assert (reasons(found), found.verdict) == ({reason}, verdict)


def test_collateral_counts_at_the_given_time() -> None:
    """Before and after its time, collateral could not be used for a check."""
    late = judged(at=datetime(2027, 1, 1, tzinfo=UTC))
    assert (late.verdict, reasons(late)) == ("unchecked", {"collateral_expired"})


def test_the_root_is_intels_by_fingerprint() -> None:
    """The root certificate in the tree is the one that is pinned."""
    assert tdx._intel_root().subject.rfc4514_string().startswith("C=US")


def test_without_the_library_it_could_not_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where dcap-qvl is not installed, a quote with collateral is unchecked, not accepted."""
    import sys

    monkeypatch.setitem(sys.modules, "dcap_qvl", None)
    tdx._read.cache_clear()
    found = judged()
    assert (found.verdict, reasons(found)) == ("unchecked", {"verifier_missing"})
