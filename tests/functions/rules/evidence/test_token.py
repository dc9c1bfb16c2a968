"""The verifier of attestation tokens, both ways for each rule."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from sealtrain.rules.evidence import certificates, token

from tests.functions import authority
from tests.functions.authority import NOW, REMOVED

LATER = int(NOW.timestamp())


def judged(text: str, **changes: Any) -> token.Judgement:
    return token.judge(text, authority.expectation(**changes))


def reasons(text: str, **changes: Any) -> set[str]:
    judgement = judged(text, **changes)
    assert judgement.met == (not judgement.findings)
    return {finding.reason for finding in judgement.findings}


def issued(**changes: Any) -> str:
    return authority.issue(authority.claims(**changes))


def test_good_token_is_met() -> None:
    """A genuine token of this run's machine is met and says whose word it is."""
    judgement = judged(issued())
    assert judgement.met
    assert judgement.trust_root == "SIMULATED"
    assert judgement.claims["hwmodel"] == "GCP_AMD_SEV"


@pytest.mark.parametrize(
    "changes",
    [
        {"eat_nonce": "nonce-of-this-run-0001"},
        {"eat_nonce": ["another-nonce-000", "nonce-of-this-run-0001"]},
        {"exp": LATER - 59, "iat": LATER - 3600, "nbf": LATER - 3600},
        {"nbf": LATER + 30, "iat": LATER + 30, "exp": LATER + 3600},
        {"submods__container__env_override": REMOVED},
    ],
    ids=["nonce as string", "several nonces", "just expired", "clock behind", "no override"],
)
def test_good_variants_are_met(changes: dict[str, Any]) -> None:
    """What Google's format allows, and what bounded skew forgives, is met."""
    assert reasons(issued(**changes)) == set()


def case_names(cases: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [f"{number}-{reason}-{next(iter(c))}" for number, (reason, c) in enumerate(cases)]


CLAIM_CASES: list[tuple[str, dict[str, Any]]] = [
    ("issuer", {"iss": "https://evil.example"}),
    ("issuer", {"iss": "https://confidentialcomputing.googleapis.com/"}),
    ("issuer", {"iss": REMOVED}),
    ("audience", {"aud": "https://sts.googleapis.com"}),
    ("audience", {"aud": [authority.AUDIENCE]}),
    ("audience", {"aud": REMOVED}),
    ("expired", {"exp": LATER - 60, "iat": LATER - 3600, "nbf": LATER - 3600}),
    ("expired", {"exp": REMOVED}),
    ("malformed", {"exp": str(LATER + 100)}),
    ("malformed", {"exp": True}),
    ("malformed", {"iat": float(LATER)}),
    ("lifetime", {"exp": LATER + 10**12}),
    ("lifetime", {"exp": 10**30}),
    ("lifetime", {"nbf": LATER - 7200}),
    ("not_yet_valid", {"nbf": LATER + 120, "iat": LATER + 120}),
    ("not_yet_valid", {"nbf": REMOVED}),
    ("not_yet_valid", {"iat": LATER + 120}),
    ("nonce", {"eat_nonce": REMOVED}),
    ("nonce", {"eat_nonce": ["nonce-of-another-run"]}),
    ("nonce", {"eat_nonce": "nonce-of-this-run-0001-and-more"}),
    ("nonce", {"eat_nonce": {"nonce-of-this-run-0001": 1}}),
    ("nonce", {"eat_nonce": ["x"] * 6 + ["nonce-of-this-run-0001"]}),
    ("debug", {"dbgstat": "enabled"}),
    ("debug", {"dbgstat": REMOVED}),
    ("secboot", {"secboot": False}),
    ("secboot", {"secboot": "true"}),
    ("secboot", {"secboot": 1}),
    ("swname", {"swname": "GCE"}),
    ("hwmodel", {"hwmodel": "GCP_SHIELDED_VM"}),
    ("hwmodel", {"hwmodel": "GCP_INTEL_TDX"}),
    ("support", {"submods__confidential_space__support_attributes": ["USABLE"]}),
    ("support", {"submods__confidential_space": {}}),
    ("support", {"submods__confidential_space__support_attributes": "STABLE"}),
    ("image", {"submods__container__image_digest": "sha256:" + "00" * 32}),
    ("image", {"submods__container": {"restart_policy": "Never"}}),
    ("environment", {"submods__container__env_override": {"PYTHONPATH": "/elsewhere"}}),
    ("restart", {"submods__container__restart_policy": "Always"}),
    ("account", {"google_service_accounts": ["other@demo-project.iam.gserviceaccount.com"]}),
    ("project", {"submods__gce__project_id": "other-project"}),
    ("zone", {"submods__gce__zone": "europe-west4-a"}),
    ("instance", {"submods__gce__instance_id": "1"}),
    ("gpu", {"submods__nvidia_gpu": {"cc_mode": "DEVTOOLS"}}),
    ("gpu", {"submods__nvidia_gpu": {"cc_mode": "OFF"}}),
    ("gpu", {"submods__nvidia_gpu": {}}),
]


@pytest.mark.parametrize(("reason", "changes"), CLAIM_CASES, ids=case_names(CLAIM_CASES))
def test_wrong_claim_is_refused(reason: str, changes: dict[str, Any]) -> None:
    """A genuine signature over one wrong claim is refused for exactly that reason."""
    assert reasons(issued(**changes)) == {reason}


def test_image_of_another_order_is_refused() -> None:
    """An approved image that the order does not name is refused."""
    assert reasons(issued(), run=authority.run_facts(image_digest="sha256:" + "11" * 32)) == {"image"}


def test_gpu_run_needs_a_gpu() -> None:
    """A run planned with a GPU refuses a machine that shows none, and takes one that is ON."""
    with_gpu = authority.run_facts(gpu=True)
    assert reasons(issued(), run=with_gpu) == {"gpu"}
    assert reasons(issued(submods__nvidia_gpu=authority.GPU), run=with_gpu) == set()


def test_all_policy_failures_are_told() -> None:
    """A token that breaks several clauses is told all of them, each with got and expected."""
    judgement = judged(issued(swname="GCE", secboot=False))
    assert {(f.field, f.got) for f in judgement.findings} == {
        ("swname", '"GCE"'),
        ("secboot", "false"),
    }
    assert all(f.expected and f.sentence for f in judgement.findings)


HEADER_CASES: list[tuple[str, dict[str, Any]]] = [
    ("alg", {"alg": "none"}),
    ("alg", {"alg": "nOnE"}),
    ("alg", {"alg": "HS256"}),
    ("alg", {"alg": "RS512"}),
    ("key", {"jku": "http://169.254.169.254/keys"}),
    ("key", {"jwk": {"kty": "RSA"}}),
    ("key", {"x5u": "http://127.0.0.1/"}),
    ("key", {"crit": ["exp"]}),
    ("key", {"x5c": "text"}),
    ("key", {"x5c": [1]}),
    ("path", {"x5c": []}),
    ("path", {"x5c": ["AAAA", "AAAA"]}),
    ("path", {"x5c": ["not base64", "!"]}),
]


@pytest.mark.parametrize(("reason", "header"), HEADER_CASES, ids=case_names(HEADER_CASES))
def test_wrong_header_is_refused(reason: str, header: dict[str, Any]) -> None:
    """The message chooses neither the algorithm nor where the key comes from."""
    assert reasons(authority.issue(authority.claims(), header=header)) == {reason}


def test_other_key_with_our_path_is_refused() -> None:
    """A signature by another key under the genuine certificates is refused."""
    text = authority.issue(authority.claims(), key=authority.rsa_key("attacker"))
    assert reasons(text) == {"signature"}


def test_payload_of_another_token_is_refused() -> None:
    """A genuine signature does not cover another payload."""
    head, _, signature = issued().split(".")
    other = issued(sub="other").split(".")[1]
    assert reasons(f"{head}.{other}.{signature}") == {"signature"}


def test_look_alike_path_is_refused() -> None:
    """A path with the same names under an attacker's root is refused, with or without that root."""
    key = authority.rsa_key("attacker root")
    fake_root = authority.certificate("root", "root", ca=True, issuer_key=key)
    fake_middle = authority.certificate("intermediate", "root", ca=True, issuer_key=key)
    leaf = authority.good_path()[0]
    for path in ((leaf, fake_middle, fake_root), (leaf, fake_middle)):
        assert reasons(authority.issue(authority.claims(), path=path)) == {"path"}


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a.b.c.d", "..", "é.b.c", "e30.e30.", "W10.W10.AA", "e31.e30.AA"],
)
def test_malformed_text_is_refused(text: str) -> None:
    """What is not three segments of base64url over strict JSON objects is malformed."""
    assert reasons(text) <= {"malformed", "alg"}
    assert not judged(text).met


@pytest.mark.parametrize(
    "payload",
    [
        b"not json",
        b"[]",
        b'{"aud": "a", "aud": "b"}',
        b'{"exp": NaN}',
        b'{"x": "\\ud800"}',
        b"\xff",
        b"[" * 4000,
    ],
)
def test_signed_nonsense_is_malformed(payload: bytes) -> None:
    """A genuine signature over what is not one strict JSON object is refused."""
    assert reasons(authority.issue(payload)) == {"malformed"}


def test_other_spelling_of_a_segment_is_refused() -> None:
    """Base64 with padding, white space or unused bits set is not another good token."""
    good = issued()
    assert reasons(good + "\n") == {"malformed"}
    assert reasons(good + "==") == {"malformed"}


def test_oversize_is_refused_before_parsing() -> None:
    """More than 16 KiB is not parsed at all."""
    assert reasons("x" * 16385) == {"too_large"}
    assert reasons(authority.issue(authority.claims(filler="x" * 16384))) == {"too_large"}


def test_token_of_another_run_is_refused() -> None:
    """A replayed token, good for its own run, is refused by nonce."""
    assert reasons(issued(), nonce="nonce-of-the-next-run") == {"nonce"}


def test_root_has_to_be_pinned() -> None:
    """Without a readable root nothing is met and nobody's word is claimed."""
    for bad in ("", "text", authority.root_pem() * 2):
        judgement = judged(issued(), root_pem=bad)
        assert not judgement.met
        assert judgement.trust_root == token.NOTHING_ATTESTED


def test_trust_root_follows_from_the_root_alone() -> None:
    """Only a root with a pinned fingerprint is called Google's; every other one is SIMULATED."""
    root = authority.good_path()[2]
    assert certificates.trust_root(root) == "SIMULATED"
    assert certificates.fingerprint(root) not in certificates.GOOGLE_ROOTS


def test_certificate_validity_counts_at_the_given_time() -> None:
    """The path is judged at the time that the caller gives, not at today's."""
    late = NOW + timedelta(days=31)
    times = {"iat": int(late.timestamp()), "nbf": int(late.timestamp())}
    text = issued(exp=int(late.timestamp()) + 600, **times)
    assert reasons(text, at=late) == {"path"}


def test_small_key_is_refused() -> None:
    """A leaf with a key of 1024 bits is refused."""
    leaf = authority.certificate("small leaf", "intermediate", bits=1024)
    path = (leaf, *authority.good_path()[1:])
    key: rsa.RSAPrivateKey = authority.rsa_key("small leaf", 1024)
    assert reasons(authority.issue(authority.claims(), path=path, key=key)) == {"key"}


def test_judgement_names_policy_and_token() -> None:
    """A verdict names verifier, policy and token by digest."""
    judgement = judged(issued())
    assert judgement.token_digest.startswith("sha256:")
    assert judgement.policy_digest == authority.expectation().policy.digest
    assert judgement.verifier == token.VERIFIER


GOOD = issued()


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_garbage_never_raises(text: str) -> None:
    """Whatever the text, the answer is a judgement, and it is not met."""
    assert not judged(text).met


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, len(GOOD) - 1), character=st.characters(max_codepoint=0x2FF))
def test_no_character_of_a_token_can_change(position: int, character: str) -> None:
    """A good token with one character changed is not met."""
    text = GOOD[:position] + character + GOOD[position + 1 :]
    assert judged(text).met == (text == GOOD)
