"""Keys through the official client over REST."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound
from google.cloud.kms_v1 import CryptoKey, CryptoKeyVersion

from localcloud.world.inventory import inventory
from tests.localcloud.conftest import World, eventually

State = CryptoKeyVersion.CryptoKeyVersionState
USER = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
LOCATION = "projects/demo-project/locations/us-central1"
DAY_S = 86_400


@pytest.fixture(scope="module")
def ring(world: World) -> str:
    """A ring whose keys the account "user" may use."""
    name: str = world.kms().create_key_ring(parent=LOCATION, key_ring_id="ring", key_ring={}).name
    world.grant(name, USER, world.member("user"))
    world.grant(name, "roles/cloudkms.signerVerifier", world.member("user"))
    return name


def make(world: World, ring: str, name: str, **fields: Any) -> CryptoKey:
    """A symmetric key unless `fields` say otherwise."""
    body = {"purpose": CryptoKey.CryptoKeyPurpose.ENCRYPT_DECRYPT, **fields}
    return world.kms().create_crypto_key(parent=ring, crypto_key_id=name, crypto_key=body)


def test_key_as_made_is_read_back(world: World, ring: str) -> None:
    """Protection level, labels and durations are kept; the first version is primary and enabled."""
    made = make(
        world,
        ring,
        "kept",
        version_template={"protection_level": "HSM"},
        labels={"sealtrain-run": "r1"},
        rotation_period={"seconds": 30 * DAY_S},
        next_rotation_time=datetime.now(UTC) + timedelta(days=30),
    )
    read = world.kms().get_crypto_key(name=made.name)
    assert read == made
    assert read.primary.state == State.ENABLED
    assert read.primary.protection_level.name == "HSM"
    assert b"SIMULATED" in read.primary.attestation.content
    assert read.destroy_scheduled_duration == timedelta(days=30)
    assert dict(read.labels) == {"sealtrain-run": "r1"}
    assert made.name in [key.name for key in world.kms().list_crypto_keys(parent=ring)]
    assert world.kms().get_key_ring(name=ring).name == ring
    assert ring in [one.name for one in world.kms().list_key_rings(parent=LOCATION)]


def test_names_are_taken_once(world: World, ring: str) -> None:
    """A second ring or key of the same name is a conflict; a missing one is not found."""
    make(world, ring, "twice")
    with pytest.raises(Conflict):
        make(world, ring, "twice")
    with pytest.raises(Conflict):
        world.kms().create_key_ring(parent=LOCATION, key_ring_id="ring", key_ring={})
    with pytest.raises(NotFound):
        world.kms().get_crypto_key(name=f"{ring}/cryptoKeys/missing")
    with pytest.raises(NotFound):
        make(world, f"{LOCATION}/keyRings/missing", "x")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rotation_period": {"seconds": DAY_S}}, "nextRotationTime"),
        (
            {"rotation_period": {"seconds": 60}, "next_rotation_time": "2100-01-01T00:00:00Z"},
            "rotationPeriod",
        ),
        ({"next_rotation_time": "2001-01-01T00:00:00Z"}, "past"),
        ({"destroy_scheduled_duration": {"seconds": 60}}, "destroyScheduledDuration"),
        ({"purpose": "ASYMMETRIC_SIGN"}, "algorithm"),
        ({"purpose": "CRYPTO_KEY_PURPOSE_UNSPECIFIED"}, "purpose"),
    ],
)
def test_fields_that_do_not_go_together(world: World, ring: str, fields: dict[str, Any], named: str) -> None:
    """Each rule between fields is refused by name."""
    key = CryptoKey({"purpose": "ENCRYPT_DECRYPT", **fields})
    with pytest.raises(BadRequest, match=named):
        world.kms().create_crypto_key(parent=ring, crypto_key_id="bad", crypto_key=key)


def test_encryption_is_bound_to_key_version_and_associated_data(world: World, ring: str) -> None:
    """What was encrypted opens with the same key and associated data, and with nothing else."""
    key, other = make(world, ring, "bound").name, make(world, ring, "other").name
    user = world.kms("user")
    checksum = google_crc32c.value(b"data key")
    sealed = user.encrypt(
        request={
            "name": key,
            "plaintext": b"data key",
            "plaintext_crc32c": checksum,
            "additional_authenticated_data": b"order",
        }
    )
    assert sealed.name == f"{key}/cryptoKeyVersions/1"
    assert sealed.verified_plaintext_crc32c
    assert sealed.ciphertext_crc32c == google_crc32c.value(sealed.ciphertext)
    request = {"name": key, "ciphertext": sealed.ciphertext, "additional_authenticated_data": b"order"}
    opened = user.decrypt(request=request)
    assert (opened.plaintext, opened.plaintext_crc32c, opened.used_primary) == (b"data key", checksum, True)
    flipped = bytes([*sealed.ciphertext[:-1], sealed.ciphertext[-1] ^ 1])
    for change in (
        {"additional_authenticated_data": b"another order"},
        {"name": other},
        {"ciphertext": flipped},
        {"ciphertext": b"not ours"},
        {"ciphertext_crc32c": 1},
    ):
        with pytest.raises(BadRequest):
            user.decrypt(request={**request, **change})


def test_rotated_key_still_opens_what_it_sealed(world: World, ring: str) -> None:
    """A version made later encrypts once it is primary; older ciphertexts name their own version."""
    key, user = make(world, ring, "rotated").name, world.kms("user")
    sealed = user.encrypt(name=key, plaintext=b"x").ciphertext
    world.kms().create_crypto_key_version(parent=key, crypto_key_version={})
    world.kms().update_crypto_key_primary_version(name=key, crypto_key_version_id="2")
    assert user.encrypt(name=key, plaintext=b"x").name.endswith("/2")
    set_state(world, f"{key}/cryptoKeyVersions/1", State.DISABLED)
    for text, numbers in (("", "12"), ("state=ENABLED", "2"), ("state=DISABLED", "1")):
        found = world.kms().list_crypto_key_versions(request={"parent": key, "filter": text})
        assert "".join(one.name[-1] for one in found) == numbers
    set_state(world, f"{key}/cryptoKeyVersions/1", State.ENABLED)
    opened = user.decrypt(name=key, ciphertext=sealed)
    assert (opened.plaintext, opened.used_primary) == (b"x", False)


def test_rotation_happens_when_it_is_due(world: World, ring: str) -> None:
    """At `nextRotationTime` a new version becomes primary and the next time moves by the period."""
    due = datetime.now(UTC) + timedelta(days=1, seconds=world.cloud.clock._ahead)
    period = {"seconds": DAY_S}
    key = make(world, ring, "due", rotation_period=period, next_rotation_time=due).name
    world.cloud.clock.advance(DAY_S + 1)
    read = eventually(lambda: _if_primary(world, key, "2"))
    assert read.next_rotation_time == due + timedelta(days=1)


def _if_primary(world: World, key: str, number: str) -> CryptoKey | None:
    read = world.kms().get_crypto_key(name=key)
    return read if read.primary.name.endswith(f"/{number}") else None


def test_states_of_a_version(world: World, ring: str) -> None:
    """Disabled and destroyed versions refuse work; restore lands in disabled; the end comes in time."""
    key, kms, user = make(world, ring, "states").name, world.kms(), world.kms("user")
    version = f"{key}/cryptoKeyVersions/1"
    sealed = user.encrypt(name=key, plaintext=b"x").ciphertext
    set_state(world, version, State.DISABLED)
    with pytest.raises(BadRequest, match="DISABLED"):
        user.decrypt(name=key, ciphertext=sealed)
    set_state(world, version, State.ENABLED)
    scheduled = kms.destroy_crypto_key_version(name=version)
    assert scheduled.state == State.DESTROY_SCHEDULED
    assert scheduled.destroy_time.timestamp() == pytest.approx(world.cloud.clock.now() + 30 * DAY_S, abs=5)
    with pytest.raises(BadRequest, match="DESTROY_SCHEDULED"):
        user.encrypt(name=key, plaintext=b"x")
    with pytest.raises(BadRequest):
        kms.destroy_crypto_key_version(name=version)
    assert kms.restore_crypto_key_version(name=version).state == State.DISABLED
    set_state(world, version, State.ENABLED)
    assert user.decrypt(name=key, ciphertext=sealed).plaintext == b"x"
    kms.destroy_crypto_key_version(name=version)
    assert {row["bills"] for row in inventory(world.cloud) if row["name"] == version} == {False}
    world.cloud.clock.advance(30 * DAY_S + 1)
    eventually(lambda: kms.get_crypto_key_version(name=version).state == State.DESTROYED)
    with pytest.raises(BadRequest):
        kms.restore_crypto_key_version(name=version)
    assert not [row for row in inventory(world.cloud) if row["name"] == version]


def set_state(world: World, version: str, state: State) -> None:
    """Enable or disable a version."""
    body = {"name": version, "state": state}
    request = {"crypto_key_version": body, "update_mask": {"paths": ["state"]}}
    assert world.kms().update_crypto_key_version(request=request).state == state


def test_signature_verifies_under_the_public_key(world: World, ring: str) -> None:
    """A signature of a digest is a real ECDSA signature, and a signing key does not encrypt."""
    template = {"algorithm": "EC_SIGN_P256_SHA256", "protection_level": "HSM"}
    key = make(world, ring, "signer", purpose="ASYMMETRIC_SIGN", version_template=template).name
    version, user = f"{key}/cryptoKeyVersions/1", world.kms("user")
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(b"statement")
    answer = user.asymmetric_sign(name=version, digest={"sha256": hasher.finalize()})
    public = user.get_public_key(name=version)
    assert public.pem_crc32c == google_crc32c.value(public.pem.encode())
    loaded = serialization.load_pem_public_key(public.pem.encode())
    assert isinstance(loaded, ec.EllipticCurvePublicKey)
    loaded.verify(answer.signature, b"statement", ec.ECDSA(hashes.SHA256()))
    assert user.asymmetric_sign(request={"name": version, "data": b"statement"}).signature != b""
    with pytest.raises(BadRequest, match="purpose"):
        user.encrypt(name=key, plaintext=b"x")


def test_nobody_uses_keys_without_a_grant(world: World, ring: str) -> None:
    """Not the person at the keyboard, not a stranger; who may encrypt may not thereby decrypt."""
    key = make(world, ring, "guarded").name
    for account in (None, "stranger"):
        with pytest.raises(Forbidden, match="useToEncrypt"):
            world.kms(account).encrypt(name=key, plaintext=b"x")
    world.grant(key, "roles/cloudkms.cryptoKeyEncrypter", world.member("sealer"))
    sealed = world.kms("sealer").encrypt(name=key, plaintext=b"x").ciphertext
    with pytest.raises(Forbidden, match="useToDecrypt"):
        world.kms("sealer").decrypt(name=key, ciphertext=sealed)


def test_policy_round_trip(world: World, ring: str) -> None:
    """A key's policy is set and read through the API."""
    key, kms = make(world, ring, "policy").name, world.kms()
    policy = kms.get_iam_policy(request={"resource": key})
    policy.bindings.add(role=USER, members=[world.member("late")])
    kms.set_iam_policy(request={"resource": key, "policy": policy})
    assert world.kms("late").encrypt(name=key, plaintext=b"x").name


def test_labels_and_rotation_change(world: World, ring: str) -> None:
    """A patch changes what the mask names and removes what it names without a value."""
    due = datetime.now(UTC) + timedelta(days=400)
    name = make(world, ring, "patched", labels={"a": "1"}, next_rotation_time=due).name
    key = CryptoKey(name=name, labels={"b": "2"})
    mask = {"paths": ["labels", "next_rotation_time"]}
    read = world.kms().update_crypto_key(request={"crypto_key": key, "update_mask": mask})
    assert dict(read.labels) == {"b": "2"}
    assert not read.next_rotation_time
    with pytest.raises(BadRequest, match="purpose"):
        world.kms().update_crypto_key(request={"crypto_key": key, "update_mask": {"paths": ["purpose"]}})


def test_uses_are_audited_when_the_project_asks_for_it(world: World, ring: str) -> None:
    """With DATA_READ configured, a decrypt leaves an entry that names caller, key and outcome."""
    key, user = make(world, ring, "audited").name, world.kms("user")
    project = "projects/demo-project"
    user.encrypt(name=key, plaintext=b"x")
    config = {"service": "cloudkms.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]}
    policy = world.cloud.iam.policy(project)
    world.cloud.iam.set_policy(project, {**policy, "auditConfigs": [config]})
    user.encrypt(name=key, plaintext=b"x")
    with pytest.raises(Forbidden):
        world.kms("stranger").encrypt(name=key, plaintext=b"x")
    world.cloud.iam.set_policy(project, policy)
    body = {
        "resourceNames": [project],
        "filter": f'resource.type="cloudkms_cryptokey" AND protoPayload.resourceName="{key}"',
        "orderBy": "timestamp asc",
    }
    entries = world.api("logging", "v2").entries().list(body=body).execute()["entries"]
    assert [
        (e["protoPayload"]["authenticationInfo"]["principalEmail"].split("@")[0], e["severity"])
        for e in entries
    ] == [("user", "INFO"), ("stranger", "ERROR")]
    assert base64.b64encode(b"x").decode() not in str(entries)
