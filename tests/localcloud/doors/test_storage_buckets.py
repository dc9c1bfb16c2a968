"""Buckets through the official client."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed

from localcloud.world.inventory import inventory
from tests.localcloud.conftest import World

AGENT = "serviceAccount:service-100000000001@gs-project-accounts.iam.gserviceaccount.com"


def make_key(world: World, name: str, location: str = "us-central1") -> str:
    """A symmetric key in a ring of its own."""
    kms, parent = world.kms(), f"projects/{world.cloud.project}/locations/{location}"
    ring = kms.create_key_ring(parent=parent, key_ring_id=name, key_ring={}).name
    body = {"purpose": "ENCRYPT_DECRYPT"}
    return kms.create_crypto_key(parent=ring, crypto_key_id="storage", crypto_key=body).name


def test_settings_are_kept(world: World) -> None:
    """What a bucket is made with is what is read back."""
    bucket = world.storage().bucket("kept-settings")
    bucket.labels = {"sealtrain-run": "r1"}
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.versioning_enabled = True
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket.add_lifecycle_delete_rule(age=3)
    bucket.create(location="us-central1")
    read = world.storage().get_bucket("kept-settings")
    assert read.location == "US-CENTRAL1"
    assert read.labels == {"sealtrain-run": "r1"}
    assert read.iam_configuration.uniform_bucket_level_access_enabled
    assert read.iam_configuration.public_access_prevention == "enforced"
    assert read.versioning_enabled
    assert read.soft_delete_policy.retention_duration_seconds == 0
    assert next(iter(read.lifecycle_rules))["condition"] == {"age": 3}


def test_taken_name_is_a_conflict(world: World) -> None:
    """A second bucket of the same name is 409."""
    world.storage().create_bucket("taken-name")
    with pytest.raises(Conflict):
        world.storage().create_bucket("taken-name")


@pytest.mark.parametrize("name", ["Upper", "ab", "goog-x", "my-google", "a..b", "-ab", "x" * 64])
def test_impossible_names_are_refused(world: World, name: str) -> None:
    """Names that Cloud Storage forbids are 400."""
    bucket = world.storage().bucket("placeholder")
    bucket.name = name
    with pytest.raises(BadRequest, match="bucket name"):
        bucket.create()


def test_bucket_with_objects_stays(world: World) -> None:
    """A bucket that holds an object cannot be deleted; an empty one can."""
    bucket = world.storage().create_bucket("not-empty")
    bucket.blob("a").upload_from_string(b"")
    with pytest.raises(Conflict, match="not empty"):
        bucket.delete()
    bucket.blob("a").delete()
    bucket.delete()
    assert not bucket.exists()


def test_labels_are_merged_and_removed(world: World) -> None:
    """A patch merges labels, null removes one, and the metageneration moves on."""
    bucket = world.storage().bucket("patched")
    bucket.labels = {"a": "1", "b": "2"}
    bucket.create()
    labels = bucket.labels
    labels["c"] = "3"
    del labels["a"]
    bucket.labels = labels
    bucket.patch()
    read = world.storage().get_bucket("patched")
    assert read.labels == {"b": "2", "c": "3"}
    assert read.metageneration == 2
    with pytest.raises(PreconditionFailed):
        bucket.patch(if_metageneration_match=1)


def test_default_key_needs_the_agents_grant(world: World) -> None:
    """A default key that the storage agent may not use is 403 naming the agent; with the grant it is kept."""
    key = make_key(world, "granted")
    bucket = world.storage().bucket("with-key")
    bucket.default_kms_key_name = key
    with pytest.raises(Forbidden, match="gs-project-accounts"):
        bucket.create(location="us-central1")
    world.grant(key, "roles/cloudkms.cryptoKeyEncrypterDecrypter", AGENT)
    bucket.create(location="us-central1")
    blob = bucket.blob("x")
    blob.upload_from_string(b"data")
    assert blob.kms_key_name == f"{key}/cryptoKeyVersions/1"
    world.kms().destroy_crypto_key_version(name=f"{key}/cryptoKeyVersions/1")
    with pytest.raises(BadRequest, match="not enabled"):
        blob.download_as_bytes()
    with pytest.raises(BadRequest, match="not enabled"):
        bucket.copy_blob(blob, bucket, "y")


def test_a_copy_may_name_its_own_key(world: World) -> None:
    """A rewrite to another key is encrypted by that key; a signing key is none."""
    key = make_key(world, "rewriting")
    world.grant(key, "roles/cloudkms.cryptoKeyEncrypterDecrypter", AGENT)
    bucket = world.storage().create_bucket("rekeyed", location="us-central1")
    blob = bucket.blob("x")
    blob.upload_from_string(b"data")
    assert blob.kms_key_name is None
    world.cloud.clock.advance(1)
    sealed = bucket.blob("x", kms_key_name=key)
    sealed.rewrite(blob)
    assert bucket.get_blob("x").kms_key_name == f"{key}/cryptoKeyVersions/1"


def test_default_key_must_lie_where_the_bucket_lies(world: World) -> None:
    """A key of another region is 400."""
    key = make_key(world, "elsewhere", "europe-west4")
    world.grant(key, "roles/cloudkms.cryptoKeyEncrypterDecrypter", AGENT)
    bucket = world.storage().bucket("wrong-place")
    bucket.default_kms_key_name = key
    with pytest.raises(BadRequest, match="europe-west4"):
        bucket.create(location="us-central1")


def test_a_key_that_cannot_encrypt_is_no_default_key(world: World) -> None:
    """A signing key is refused; a key without a primary version makes no object."""
    kms, parent = world.kms(), f"projects/{world.cloud.project}/locations/us-central1"
    ring = kms.create_key_ring(parent=parent, key_ring_id="unfit", key_ring={}).name
    world.grant(ring, "roles/cloudkms.admin", AGENT)
    world.grant(ring, "roles/cloudkms.cryptoKeyEncrypterDecrypter", AGENT)
    signer = {"purpose": "ASYMMETRIC_SIGN", "version_template": {"algorithm": "EC_SIGN_P256_SHA256"}}
    bucket = world.storage().bucket("unfit-key")
    bucket.default_kms_key_name = kms.create_crypto_key(
        parent=ring, crypto_key_id="signer", crypto_key=signer
    ).name
    with pytest.raises(BadRequest, match="purpose"):
        bucket.create(location="us-central1")
    empty = {
        "parent": ring,
        "crypto_key_id": "empty",
        "crypto_key": {"purpose": "ENCRYPT_DECRYPT"},
        "skip_initial_version_creation": True,
    }
    bucket.default_kms_key_name = kms.create_crypto_key(request=empty).name
    bucket.create(location="us-central1")
    with pytest.raises(BadRequest, match="no primary"):
        bucket.blob("x").upload_from_string(b"x")


def test_enforced_keys_refuse_plain_objects(world: World) -> None:
    """A bucket that refuses Google-managed encryption takes no object without a key."""
    body = {
        "name": "only-cmek",
        "encryption": {"googleManagedEncryptionEnforcementConfig": {"restrictionMode": "FullyRestricted"}},
    }
    project = world.cloud.project
    world.cloud.clock.advance(2)
    world.api("storage", "v1").buckets().insert(project=project, body=body).execute()
    with pytest.raises(PreconditionFailed, match="FullyRestricted"):
        world.storage().bucket("only-cmek").blob("x").upload_from_string(b"")


def test_a_missing_bucket_is_not_found_for_everybody(world: World) -> None:
    """Who holds nothing learns that a bucket does not exist, but nothing about one that does."""
    world.storage().create_bucket("somebody-s")
    stranger = world.storage("stranger")
    with pytest.raises(NotFound):
        stranger.get_bucket("nobody-s")
    with pytest.raises(Forbidden, match="get access"):
        stranger.get_bucket("somebody-s")


def test_policy_round_trip(world: World) -> None:
    """A policy is read, changed under its etag, and a stale etag is refused."""
    bucket = world.storage().create_bucket("with-policy")
    policy, stale = bucket.get_iam_policy(), bucket.get_iam_policy()
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": [world.member("reader")]})
    bucket.set_iam_policy(policy)
    assert world.storage("reader").bucket("with-policy").test_iam_permissions(
        ["storage.objects.get", "storage.objects.delete"]
    ) == ["storage.objects.get"]
    with pytest.raises(PreconditionFailed):
        bucket.set_iam_policy(stale)


def test_retention_keeps_objects(world: World) -> None:
    """Under a retention policy an object is neither replaced nor deleted; a locked policy stays."""
    bucket = world.storage().bucket("retained")
    bucket.retention_period = 3600
    bucket.create()
    blob = bucket.blob("evidence")
    blob.upload_from_string(b"1")
    assert blob.retention_expiration_time is not None
    with pytest.raises(Forbidden, match="retention policy"):
        blob.upload_from_string(b"2")
    with pytest.raises(Forbidden, match="retention policy"):
        blob.delete()
    bucket.lock_retention_policy()
    bucket.retention_period = 60
    with pytest.raises(Forbidden, match="locked"):
        bucket.patch()


def test_agent_and_inventory(world: World) -> None:
    """The storage agent has Google's address, and a bucket bills."""
    client = world.storage()
    client.create_bucket("in-the-inventory")
    assert f"serviceAccount:{client.get_service_account_email()}" == AGENT
    rows = {row["name"]: row for row in inventory(world.cloud)}
    assert rows["projects/_/buckets/in-the-inventory"]["bills"] is True
    client.create_bucket("in-two-pages")
    listed = client.list_buckets(prefix="in-", page_size=1)
    assert [bucket.name for bucket in listed] == ["in-the-inventory", "in-two-pages"]
