"""The two locks of a data key: Google's token exchange under the pool's condition, and our own verifier.

For every clause of the policy there are tokens that break it (breaking.py). Both locks are shown each:
the stand-in's exchange evaluates the very condition that is deployed, our verifier judges a genuine
signature over the same claims. What the pool cannot know, only our verdict can refuse: then the key's
versions are disabled and nothing is handed over.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import celpy
import pytest
import requests
from sealtrain.rules import names
from sealtrain.rules.evidence import policy, token
from sealtrain.rules.settings import Settings
from sealtrain.steps import submit_job, verify_evidence

from cli.deploy.world import pool as described_pool
from localcloud.doors.attestation_keys import attestation_keys
from tests.functions import authority
from tests.functions.closing import World as Closing
from tests.functions.rules.evidence import breaking
from tests.functions.rules.evidence.breaking import Breaking
from tests.localcloud.conftest import World, start

SETTINGS = authority.settings(approved_images=(authority.IMAGE, breaking.OTHER_IMAGE))
TOKENS = breaking.tokens(policy.load())
POOL_KNOWS = [one for one in TOKENS if one.clause.cel]
WE_ALONE_KNOW = [one for one in TOKENS if not one.clause.cel]
AUDIENCE = names.sts_audience(SETTINGS)
DATA_KEY = b"the data key of a run"


def label(one: Breaking) -> str:
    return f"{one.clause.id}-{one.shown[:30]}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stand-in with the deployment's pool, provider and release key, as the deployment describes them."""
    running = start(tmp_path_factory.mktemp("cloud"))
    pool, provider = described_pool(SETTINGS)
    pools = running.api("iam", "v1").projects().locations().workloadIdentityPools()
    parent, _, pool_id = pool.name.rpartition("/workloadIdentityPools/")
    pools.create(parent=parent, workloadIdentityPoolId=pool_id, body=pool.body).execute()
    given = {"workloadIdentityPoolProviderId": names.POOL_PROVIDER, "body": provider.body}
    pools.providers().create(parent=pool.name, **given).execute()
    ring = names.key_ring(SETTINGS, "release")
    kms = running.kms()
    kms.create_key_ring(parent=ring.partition("/keyRings/")[0], key_ring_id=ring.rpartition("/")[2])
    kms.create_crypto_key(
        parent=ring, crypto_key_id="r0123456789ab", crypto_key={"purpose": "ENCRYPT_DECRYPT"}
    )
    for image in SETTINGS.approved_images:
        member = names.attested_member(SETTINGS, image)
        running.grant(ring, "roles/cloudkms.cryptoKeyDecrypter", member)
    running.grant(ring, "roles/cloudkms.cryptoKeyEncrypter", running.member("sealer"))
    yield running
    running.server.stop()


def exchange(world: World, claims: dict[str, Any]) -> requests.Response:
    """Ask the token exchange with a token that the attestation service really signed."""
    now = int(world.cloud.clock.now())
    signed = {**claims, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 3600}
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": AUDIENCE,
        "subject_token": attestation_keys(world.cloud).sign_oidc(signed),
    }
    return requests.post(f"{world.cloud.endpoint}/v1/token", data=form, timeout=10)


def open_key(world: World, access_token: str) -> requests.Response:
    """Ask KMS for the data key with what the exchange gave."""
    key = f"{names.key_ring(SETTINGS, 'release')}/cryptoKeys/r0123456789ab"
    sealed = world.kms("sealer").encrypt(name=key, plaintext=DATA_KEY).ciphertext
    return requests.post(
        f"{world.cloud.endpoint}/v1/{key}:decrypt",
        json={"ciphertext": base64.b64encode(sealed).decode()},
        headers={"Authorization": f"Bearer {access_token}"},
        timeout=10,
    )


def refused_clauses(one: Breaking) -> set[str]:
    """The ids of the clauses for which our verifier refuses a genuine token with these claims."""
    expected = authority.expectation(allowed=policy.deployment(one.settings), run=one.run)
    judgement = token.judge(authority.issue(one.claims), expected)
    assert not judgement.met
    ids = {clause.sentence: clause.id for clause in policy.load().clauses}
    return {ids[finding.sentence] for finding in judgement.findings}


def false_clauses(one: Breaking, settings: Settings) -> set[str]:
    """The ids of the clauses whose own part of the pool's condition does not hold for the claims."""
    environment = celpy.Environment()
    assertion = celpy.json_to_cel(one.claims)
    found = set()
    for clause in policy.load().clauses:
        text = policy.clause_cel(clause, settings)
        if not text:
            continue
        try:
            held = bool(environment.program(environment.compile(text)).evaluate({"assertion": assertion}))
        except celpy.CELEvalError:
            held = False
        if not held:
            found.add(clause.id)
    return found


@pytest.mark.parametrize("clause", policy.load().clauses, ids=lambda clause: clause.id)
def test_both_locks_open_for_the_good_token_of_each_clause(world: World, clause: policy.Clause) -> None:
    """The token that a breaking one is made from opens the key, so that only the break can close it."""
    claims, run = breaking.good(clause)
    answer = exchange(world, claims)
    assert answer.status_code == 200, answer.text
    assert open_key(world, answer.json()["access_token"]).status_code == 200
    expected = authority.expectation(allowed=policy.deployment(SETTINGS), run=run)
    assert token.judge(authority.issue(claims), expected).findings == ()


@pytest.mark.parametrize("one", POOL_KNOWS, ids=label)
def test_both_locks_refuse_for_the_same_clause(world: World, one: Breaking) -> None:
    """The exchange gives no token, our verifier no verdict, and it is the same clause that says so."""
    answer = exchange(world, one.claims)
    assert answer.status_code == 400
    assert answer.json()["error"] == "unauthorized_client"
    if one.alone:
        assert "attribute condition" in answer.json()["error_description"]
        assert refused_clauses(one) == false_clauses(one, one.settings) == {one.clause.id}
    else:
        assert one.clause.id in refused_clauses(one) & false_clauses(one, one.settings)
        reasons = {c.reason for c in policy.load().clauses if c.id in refused_clauses(one)}
        assert one.clause.reason in reasons


@pytest.mark.parametrize("one", WE_ALONE_KNOW, ids=label)
def test_what_the_pool_cannot_know_our_verdict_refuses(one: Breaking) -> None:
    """Our verifier refuses for that clause, where the pool's condition holds."""
    if one.alone:
        assert refused_clauses(one) == {one.clause.id}
        assert false_clauses(one, one.settings) == set()
    else:
        assert one.clause.id in refused_clauses(one)


@pytest.mark.parametrize(
    "changes",
    [
        {"submods__gce__instance_id": "1"},
        {"submods__gce__instance_name": "sealtrain-rffffffffffff"},
        {"submods__gce__zone": "us-central1-f"},
        {"hwmodel": "GCP_INTEL_TDX", "attester_tcb": ["INTEL"]},
    ],
    ids=["instance", "instance-name", "planned-zone", "planned-hardware"],
)
def test_a_refusing_verdict_closes_the_key(changes: dict[str, Any]) -> None:
    """After a verdict that the pool could not give, the key is disabled and nothing is handed over."""
    closing = Closing()
    run = closing.start()
    closing.attest(run, **changes)
    with pytest.raises(verify_evidence.EvidenceError):
        closing.call(verify_evidence, run=run)
    key = names.run_key(closing.settings, run)
    assert [version.state for version in closing.kms.list_versions(key)] == ["DISABLED"]
    with pytest.raises(submit_job.EvidenceError, match="stays closed"):
        closing.call(submit_job, run=run)


def test_every_clause_has_a_breaking_token() -> None:
    """A clause that nothing breaks is a clause that nobody knows to work."""
    broken_alone = {one.clause.id for one in TOKENS if one.alone}
    assert broken_alone == {clause.id for clause in policy.load().clauses}


def test_a_policy_whose_clause_breaks_nowhere_is_refused() -> None:
    """A clause without values that break it cannot be read at all."""
    data = policy.POLICY_FILE.read_bytes()
    line = next(one for one in data.splitlines() if one.startswith(b"broken = "))
    with pytest.raises(policy.InvalidRequestError):
        policy.parse(data.replace(line + b"\n", b"", 1))
    with pytest.raises(policy.InvalidRequestError, match="broken"):
        policy.parse(data.replace(line, b"broken = []", 1))
