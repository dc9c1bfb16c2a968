"""Tests of `cloud.kms` on the stand-in."""

import hashlib
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from sealtrain.cloud.connect import Cloud
from sealtrain.cloud.kms import Kms
from sealtrain.rules import names
from sealtrain.rules.errors import (
    AlreadyExistsError,
    NotFoundError,
    NotReadyError,
    SealtrainError,
    UnavailableError,
)
from sealtrain.rules.resources import KeySpec


@pytest.fixture
def kms(cloud: Cloud) -> Kms:
    """The key service of the test's cloud."""
    found: Kms = cloud.get("kms")
    return found


@pytest.fixture
def key(cloud: Cloud, kms: Kms, request: Any) -> str:
    """A fresh run key, as create_key makes it."""
    run = names.run_id("k", request.node.name, "1", 1)
    ring = names.key_ring(cloud.settings, "release")
    return kms.create_key(KeySpec(ring, run, names.labels(cloud.settings, run, 123), 86400)).name


def test_a_key_is_what_was_asked_for(cloud: Cloud, kms: Kms, key: str) -> None:
    """HSM, symmetric, never rotated, with its labels and the shortest delay of destruction."""
    found = kms.get_key(key)
    assert found is not None
    assert (found.purpose, found.protection, found.rotation_s) == ("ENCRYPT_DECRYPT", "HSM", None)
    assert (found.destroy_scheduled_s, found.primary_state) == (86400, "ENABLED")
    assert found.labels["sealtrain-run"] == key.rpartition("/")[2]
    assert key in [k.name for k in kms.list_keys(names.key_ring(cloud.settings, "release"))]


def test_a_key_is_made_once(cloud: Cloud, kms: Kms, key: str) -> None:
    """Making it twice is told; a key that is not there is None."""
    ring, _, run = key.partition("/cryptoKeys/")
    with pytest.raises(AlreadyExistsError):
        kms.create_key(KeySpec(ring, run, {}, 86400))
    assert kms.get_key(names.run_key(cloud.settings, "r000000000000")) is None


def test_encrypting_names_its_version_and_ends_with_it(kms: Kms, key: str) -> None:
    """A disabled version wraps nothing; a destroyed one stays on record."""
    wrapped = kms.encrypt(key, b"secret", b"sha256:order")
    assert wrapped.key_version == f"{key}/cryptoKeyVersions/1"
    assert b"secret" not in wrapped.ciphertext
    (version,) = kms.list_versions(key)
    assert kms.disable_version(version.name).state == "DISABLED"
    with pytest.raises(NotReadyError):
        kms.encrypt(key, b"secret", b"sha256:order")
    assert kms.destroy_version(version.name).state == "DESTROY_SCHEDULED"
    assert [v.state for v in kms.list_versions(key)] == ["DESTROY_SCHEDULED"]


def test_a_signature_verifies_under_the_public_key(cloud: Cloud, kms: Kms) -> None:
    """ECDSA over the digest that was given, in DER."""
    (version,) = kms.list_versions(names.bundle_key(cloud.settings))
    digest = hashlib.sha256(b"bundle").digest()
    public = serialization.load_pem_public_key(kms.public_key(version.name).encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(kms.sign(version.name, digest), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    with pytest.raises(NotFoundError):
        kms.sign(version.name[:-1] + "9", digest)


@pytest.mark.parametrize(("confirmed", "crc32c"), [(False, 0), (True, None), (True, 1)])
def test_damaged_bytes_are_not_used(kms: Kms, confirmed: bool, crc32c: int | None) -> None:
    """Not confirmed, without a checksum, or with another: ask again."""
    with pytest.raises(UnavailableError):
        kms._check("key", confirmed, b"payload", crc32c)


def test_what_was_wrapped_opens_by_its_own_version_after_a_rotation(cloud: Cloud, kms: Kms) -> None:
    """Old versions still open, new wraps use the new one; other associated data opens nothing."""
    key = names.sealing_key(cloud.settings)
    old = kms.encrypt(key, b"secret", b"dataset")
    rotate(cloud, key)
    new = kms.encrypt(key, b"secret", b"dataset")
    assert (old.key_version[-1], new.key_version[-1]) == ("1", "2")
    assert {kms.decrypt(key, one.ciphertext, b"dataset") for one in (old, new)} == {b"secret"}
    with pytest.raises(SealtrainError):
        kms.decrypt(key, old.ciphertext, b"another")


def rotate(cloud: Cloud, key: str) -> None:
    """Make a new version the primary one."""
    url = f"{cloud.settings.endpoint}/v1/{key}"
    made = requests.post(f"{url}/cryptoKeyVersions", json={}, timeout=10).json()["name"]
    body = {"cryptoKeyVersionId": made.rpartition("/")[2]}
    requests.post(f"{url}:updatePrimaryVersion", json=body, timeout=10).raise_for_status()
