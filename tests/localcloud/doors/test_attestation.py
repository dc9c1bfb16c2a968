"""The attestation service and the token exchange, asked by somebody who is not a genuine machine."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.auth.identity_pool import Credentials, SubjectTokenSupplier
from google.auth.transport.requests import Request

from localcloud.doors.attestation_keys import attestation_keys
from localcloud.world.faults import Fault
from tests.localcloud.conftest import World
from tests.localcloud.deploying import PARENT, account
from tests.localcloud.machine.instances import PROJECT

ZONE = f"projects/{PROJECT}/zones/us-central1-a"
POOL = "projects/100000000001/locations/global/workloadIdentityPools/attested"
AUDIENCE = f"//iam.googleapis.com/{POOL}/providers/verifier"
DIGEST = "sha256:" + "a" * 64
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
EVENTS: dict[str, Any] = {
    "image_reference": "r",
    "image_digest": DIGEST,
    "image_id": "i",
    "restart_policy": "Never",
    "args": [],
    "env": {},
    "cmd_override": [],
    "env_override": {},
}


class Machine:
    """A machine whose instance exists as a document only; its evidence can be bent before it is sent."""

    def __init__(
        self,
        world: World,
        identity: str,
        confidential: str = "SEV",
        status: str = "RUNNING",
        image: str = "confidential-space-images/global/images/confidential-space-260800",
    ) -> None:
        self.world, self.identity = world, identity
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.nonce: str | None = None
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        name = f"{ZONE}/instances/m{identity}"
        known = {"instance": name, "public_key": public.decode()}
        instance = {
            "id": identity,
            "name": f"m{identity}",
            "status": status,
            "zone": ZONE,
            "machineType": "x/n2d-standard-2",
            "metadata": {},
            "confidentialInstanceConfig": {"confidentialInstanceType": confidential},
            "_image": f"projects/{image}",
            "serviceAccounts": [{"email": account(world, "workload")}],
        }
        world.cloud.store.put("machine.key", identity, known)
        world.cloud.store.put("compute.instance", name, instance)
        world.grant(
            f"projects/{PROJECT}", "roles/confidentialcomputing.workloadUser", world.member("workload")
        )

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        token = self.world.cloud.tokens.access_token(self.world.member("workload"))
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self.world.cloud.endpoint}/v1/{path}", json=body, headers=headers, timeout=10)

    def challenge(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.post(f"{PARENT}/challenges", {}).json()
        return answer

    def attest(self, challenge: dict[str, Any], **bent: Any) -> requests.Response:
        events = json.dumps(EVENTS).encode()
        quote = {
            "instance_id": self.identity,
            "nonce": challenge["tpmNonce"],
            "event_log_sha256": hashlib.sha256(events).hexdigest(),
            **bent.get("quote", {}),
        }
        raw = bent.get("raw", json.dumps(quote).encode())
        signature = self.key.sign(raw, ec.ECDSA(hashes.SHA256()))
        proof = {"rawQuote": _b64(raw), "rawSignature": _b64(bent.get("signature", signature))}
        evidence = {"canonicalEventLog": _b64(bent.get("events", events)), "quotes": [proof]}
        options = {"audience": AUDIENCE, "tokenType": "TOKEN_TYPE_OIDC"}
        body = {"tpmAttestation": evidence, "tokenOptions": options, **bent.get("body", {})}
        return self.post(f"{challenge['name']}:verifyAttestation", body)

    def token(self) -> str:
        answer = self.attest(self.challenge())
        assert answer.status_code == 200, answer.text
        return str(answer.json()["oidcClaimsToken"])


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def attested(world: World) -> World:
    """A pool whose condition wants a stable image; its condition names the digest."""
    pools = world.api("iam", "v1").projects().locations().workloadIdentityPools()
    parent = f"projects/{PROJECT}/locations/global"
    pools.create(parent=parent, workloadIdentityPoolId="attested", body={}).execute()
    body = {
        "oidc": {
            "issuerUri": "https://confidentialcomputing.googleapis.com/",
            "allowedAudiences": [AUDIENCE],
        },
        "attributeMapping": {
            "google.subject": "assertion.submods.gce.instance_id",
            "attribute.image_digest": "assertion.submods.container.image_digest",
        },
        "attributeCondition": "'STABLE' in assertion.submods.confidential_space.support_attributes"
        f" && attribute.image_digest == '{DIGEST}'",
    }
    given = {"workloadIdentityPoolProviderId": "verifier", "body": body}
    pools.providers().create(parent=POOL, **given).execute()
    return world


def test_genuine_evidence_gives_a_token_once(attested: World) -> None:
    """The second use of a challenge is refused."""
    machine = Machine(attested, "1")
    challenge = machine.challenge()
    assert machine.attest(challenge).status_code == 200
    again = machine.attest(challenge)
    assert again.status_code == 400
    assert "already been used" in again.text


@pytest.mark.parametrize(
    ("bent", "message"),
    [
        ({"quote": {"nonce": "another"}}, "nonce"),
        ({"quote": {"instance_id": "999"}}, "no machine"),
        ({"signature": b"forged"}, "signature"),
        ({"events": b"{}"}, "event log"),
        ({"body": {"colour": 1}}, "colour"),
        ({"body": {"tpmAttestation": {"quotes": []}}}, "not base64"),
        ({"body": {"tokenOptions": {"tokenType": "TOKEN_TYPE_SAML"}}}, "TYPE_ENUM"),
        ({"body": {"tokenOptions": {"nonce": ["n" * 20]}}}, "audience"),
        ({"body": {"tokenOptions": {"tokenType": "TOKEN_TYPE_AWS_PRINCIPALTAGS"}}}, "not imitated"),
        ({"raw": b"{"}, "not the simulated form"),
        ({"raw": b"[]"}, "not the simulated form"),
        ({"body": {"gcpCredentials": {"serviceAccountIdTokens": ["x.y.z"]}}}, "serviceAccountIdTokens"),
    ],
)
def test_bent_evidence_is_refused(attested: World, bent: dict[str, Any], message: str) -> None:
    """Each with 400 and what is wrong."""
    machine = Machine(attested, "2")
    answer = machine.attest(machine.challenge(), **bent)
    assert answer.status_code == 400
    assert message in answer.text


@pytest.mark.parametrize(
    ("confidential", "status"), [("", "RUNNING"), ("TDX", "RUNNING"), ("SEV", "TERMINATED")]
)
def test_a_machine_that_is_not_what_it_says_gets_no_token(
    attested: World, confidential: str, status: str
) -> None:
    """Not confidential, of another technology, or not running."""
    machine = Machine(attested, "3", confidential, status)
    assert machine.attest(machine.challenge()).status_code == 400


def test_a_machine_that_booted_something_else_gets_no_token(attested: World) -> None:
    """Only a Confidential Space image is attested."""
    machine = Machine(attested, "7", image="ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64")
    answer = machine.attest(machine.challenge())
    assert (answer.status_code, "Confidential Space image" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("identity", "what", "body", "status", "named"),
    [
        ("8", "access-token", {}, 200, "token"),
        ("8", "colour", {}, 400, "colour"),
        ("8", "id-token", {}, 400, "audience"),
        ("9", "access-token", {}, 403, "no service account"),
        ("none", "access-token", {}, 401, "unknown machine"),
        ("other", "access-token", {}, 401, "not a machine's proof"),
    ],
)
def test_a_machine_proves_itself_for_tokens_of_its_account(
    attested: World, identity: str, what: str, body: dict[str, str], status: int, named: str
) -> None:
    """Its account's tokens, to a machine that is known and has an account; each refusal says why."""
    machine = Machine(attested, identity)
    if identity == "none":
        attested.cloud.store.delete("machine.key", identity)
    if identity == "9":
        attested.cloud.store.delete("compute.instance", f"{ZONE}/instances/m9")
    proof = jwt.encode({"instance_id": identity, "what": what}, machine.key, "ES256")
    if identity == "other":
        Machine(attested, identity)  # now its key is another
    url = f"{attested.cloud.endpoint}/_machine/{what}"
    answer = requests.post(url, json=body, headers={"Authorization": f"Machine {proof}"}, timeout=10)
    assert (answer.status_code, named in answer.text) == (status, True), answer.text


def test_attesting_needs_the_permission(attested: World) -> None:
    """Who may not ask for challenges gets 403, which names the permission."""
    token = attested.cloud.tokens.access_token(attested.member("stranger"))
    url = f"{attested.cloud.endpoint}/v1/{PARENT}/challenges"
    answer = requests.post(url, json={}, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.status_code == 403
    assert "confidentialcomputing.challenges.create" in answer.text


class Supplier(SubjectTokenSupplier):  # type: ignore[misc]
    def __init__(self, token: str) -> None:
        self.token = token

    def get_subject_token(self, context: Any, request: Any) -> str:  # noqa: ARG002 - the library's interface
        return self.token


def test_an_attestation_token_opens_what_its_digest_may_use(attested: World) -> None:
    """Google's own federation client exchanges it; the digest's principalSet holds the role."""
    credentials = Credentials(
        audience=AUDIENCE,
        subject_token_type=JWT_TYPE,
        token_url=f"{attested.cloud.endpoint}/v1/token",
        subject_token_supplier=Supplier(Machine(attested, "4").token()),
    )
    credentials.refresh(Request())
    caller = attested.cloud.tokens.caller(credentials.token)
    assert caller is not None
    assert caller.principal == f"principal://iam.googleapis.com/{POOL}/subject/4"
    member = f"principalSet://iam.googleapis.com/{POOL}/attribute.image_digest/{DIGEST}"
    resource = f"projects/{PROJECT}/locations/us-central1/keyRings/r/cryptoKeys/k"
    permission = "cloudkms.cryptoKeyVersions.useToDecrypt"
    assert not attested.cloud.iam.allowed(caller, permission, resource)
    attested.grant(resource, "roles/cloudkms.cryptoKeyDecrypter", member)
    assert attested.cloud.iam.allowed(caller, permission, resource)


def exchange(world: World, token: str, **changes: str) -> tuple[int, str, str]:
    body = {
        "audience": AUDIENCE,
        "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
        "subjectTokenType": JWT_TYPE,
        "subjectToken": token,
        **changes,
    }
    answer = requests.post(f"{world.cloud.endpoint}/v1/token", json=body, timeout=10)
    told = answer.json()
    return answer.status_code, told.get("error", ""), told.get("error_description", "")


def test_the_exchange_refuses_what_is_not_its_own(attested: World) -> None:
    """Forged, for another audience, another image, an unknown provider, PKI form: OAuth's errors."""
    good = Machine(attested, "5").token()
    assert exchange(attested, good)[0] == 200
    keys = attestation_keys(attested.cloud)
    claims = keys.verify_oidc(good)
    other_image = {**claims["submods"], "container": {"image_digest": "sha256:" + "b" * 64}}
    for token, error in (
        (good[:-6] + "AAAAAA", "invalid_grant"),
        (keys.sign_oidc({**claims, "aud": "other"}), "invalid_grant"),
        (keys.sign_oidc({**claims, "iss": "https://other.example.com"}), "invalid_grant"),
        (keys.sign_pki(claims), "invalid_grant"),
        (keys.sign_oidc({**claims, "submods": other_image}), "unauthorized_client"),
    ):
        assert exchange(attested, token)[:2] == (400, error)
    assert exchange(attested, good, audience=AUDIENCE + "x")[1] == "invalid_target"
    assert exchange(attested, good, grantType="password")[1] == "unsupported_grant_type"
    for field in ("colour", "requestedTokenType", "subjectTokenType"):
        assert exchange(attested, good, **{field: "red"})[1] == "invalid_request"
    garbled = requests.post(f"{attested.cloud.endpoint}/v1/token", data=b"{", timeout=10)
    assert (garbled.status_code, garbled.json()["error"]) == (400, "invalid_request")
    attested.cloud.faults.plant(Fault("sts.token", 503, times=1))
    assert requests.post(f"{attested.cloud.endpoint}/v1/token", json={}, timeout=10).status_code == 503


def test_an_expired_token_is_stale(attested: World) -> None:
    """An hour after it was issued it opens nothing."""
    token = Machine(attested, "6").token()
    attested.cloud.clock.advance(3601)
    assert "stale" in exchange(attested, token)[2]
