"""Rules between fields and states that our claims rest on, each both ways; sources in the rules' modules."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from google.api_core.exceptions import BadRequest, Forbidden
from googleapiclient.errors import HttpError

from tests.localcloud.conftest import World, eventually
from tests.localcloud.machine.instances import PROJECT, SPACE, client, insert, instance

L = f"projects/{PROJECT}/locations/us-central1"
COMPUTE_AGENT = "serviceAccount:service-100000000001@compute-system.iam.gserviceaccount.com"


def bucket_of(world: World, name: str, **body: Any) -> requests.Response:
    """Make a bucket, raw: the official client would wait and try again."""
    url = f"{world.cloud.endpoint}/storage/v1/b?project={PROJECT}"
    return requests.post(url, json={"name": name, **body}, timeout=10)


def write(world: World, bucket: str, name: str, data: bytes) -> requests.Response:
    url = f"{world.cloud.endpoint}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}"
    return requests.post(url, data=data, timeout=10)


def make_key(world: World, ring: str, location: str = "us-central1", **body: Any) -> str:
    rings = world.api("cloudkms", "v1").projects().locations().keyRings()
    parent = f"projects/{PROJECT}/locations/{location}"
    rings.create(parent=parent, keyRingId=ring, body={}).execute()
    made = rings.cryptoKeys().create(
        parent=f"{parent}/keyRings/{ring}",
        cryptoKeyId="k",
        body={"purpose": "ENCRYPT_DECRYPT", "destroyScheduledDuration": "86400s", **body},
    )
    return str(made.execute()["name"])


def test_one_bucket_per_two_seconds(world: World) -> None:
    """The second at once is 429 in Google's words; two seconds later it is made."""
    world.cloud.clock.advance(2)
    assert bucket_of(world, "rate-one").status_code == 200
    refused = bucket_of(world, "rate-two")
    error = refused.json()["error"]
    assert (refused.status_code, error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["message"] == "The project exceeded the rate limit for creating and deleting buckets."
    assert (error["errors"][0]["domain"], error["errors"][0]["reason"]) == (
        "usageLimits",
        "rateLimitExceeded",
    )
    world.cloud.clock.advance(2)
    assert bucket_of(world, "rate-two").status_code == 200


def test_one_write_per_second_to_an_object(world: World) -> None:
    """Overwriting or patching within a second is 429; other names, and a second later, are fine."""
    world.storage().create_bucket("write-rate")
    assert write(world, "write-rate", "a", b"1").status_code == 200
    assert write(world, "write-rate", "b", b"1").status_code == 200
    refused = write(world, "write-rate", "a", b"2")
    assert refused.status_code == 429
    assert "write-rate/a exceeded the rate limit for object mutation operations" in refused.text
    url = f"{world.cloud.endpoint}/storage/v1/b/write-rate/o/a"
    assert requests.patch(url, json={"metadata": {"a": "b"}}, timeout=10).status_code == 429
    world.cloud.clock.advance(1)
    assert write(world, "write-rate", "a", b"2").status_code == 200


def test_the_official_client_waits_out_the_rate(world: World) -> None:
    """Google's own retry turns a 429 into a short wait."""
    bucket = world.storage().create_bucket("patient")
    blob = bucket.blob("x")
    blob.upload_from_string(b"1")
    blob.upload_from_string(b"2")
    assert blob.download_as_bytes() == b"2"


def test_versioning_and_retention_exclude_each_other(world: World) -> None:
    """At creation and by patch, whichever comes second; each alone is fine."""
    both = {"versioning": {"enabled": True}, "retentionPolicy": {"retentionPeriod": "60"}}
    world.cloud.clock.advance(2)
    refused = bucket_of(world, "both", **both)
    assert (refused.status_code, "exclude each other" in refused.text) == (400, True)
    for name, first, second in (
        ("versioned-first", "versioning", "retentionPolicy"),
        ("retained-first", "retentionPolicy", "versioning"),
    ):
        world.cloud.clock.advance(2)
        assert bucket_of(world, name, **{first: both[first]}).status_code == 200
        url = f"{world.cloud.endpoint}/storage/v1/b/{name}"
        assert requests.patch(url, json={second: both[second]}, timeout=10).status_code == 400


def test_a_deleted_object_stays_for_its_bucket_s_soft_delete(world: World) -> None:
    """Seven days by default: listed, readable by generation, restorable; then gone. With 0: gone at once."""
    storage = world.storage()
    kept, plain = storage.create_bucket("softly"), storage.bucket("at-once")
    plain.soft_delete_policy.retention_duration_seconds = 0
    plain = storage.create_bucket(plain)
    for bucket in (kept, plain):
        blob = bucket.blob("x")
        blob.upload_from_string(b"data")
        generation = blob.generation
        blob.delete()
        found = list(bucket.list_blobs(soft_deleted=True))
        assert len(found) == (1 if bucket is kept else 0)
    gone = kept.list_blobs(soft_deleted=True)
    old = next(iter(gone))
    assert (old.hard_delete_time - old.soft_delete_time).days == 7
    again = kept.restore_blob("x", generation=old.generation)
    assert again.generation != old.generation
    assert kept.blob("x").download_as_bytes() == b"data"
    url = f"{world.cloud.endpoint}/storage/v1/b/softly/o/x?softDeleted=true"
    assert requests.get(f"{url}&generation={old.generation}", timeout=10).json()["name"] == "x"
    assert requests.get(url, timeout=10).status_code == 400
    assert requests.get(f"{url}&generation={generation + 1}", timeout=10).status_code == 404
    world.cloud.clock.advance(7 * 86_400 + 1)
    eventually(lambda: not list(kept.list_blobs(soft_deleted=True)))


def test_keys_are_deleted_in_order_and_their_names_stay_reserved(world: World) -> None:
    """Versions once destroyed, then the key, then the ring; each too early is refused."""
    locations = world.api("cloudkms", "v1").projects().locations()
    rings = locations.keyRings()
    keys, versions = rings.cryptoKeys(), rings.cryptoKeys().cryptoKeyVersions()
    rotation = {"rotationPeriod": "86400s", "nextRotationTime": "2099-01-01T00:00:00Z"}
    key = make_key(world, "ending", **rotation)
    ring, version = f"{L}/keyRings/ending", f"{key}/cryptoKeyVersions/1"

    def refused(call: Any, why: str) -> None:
        with pytest.raises(HttpError, match=why) as told:
            call.execute()
        assert told.value.status_code == 400

    refused(versions.delete(name=version), "ENABLED")
    versions.destroy(name=version, body={}).execute()
    refused(versions.delete(name=version), "DESTROY_SCHEDULED")
    refused(keys.delete(name=key), "CryptoKeyVersion")
    world.cloud.clock.advance(86_401)
    eventually(lambda: versions.get(name=version).execute()["state"] == "DESTROYED")
    assert versions.delete(name=version).execute()["done"]
    assert "primary" not in keys.get(name=key).execute()
    refused(keys.delete(name=key), "rotation")
    keys.patch(name=key, updateMask="rotationPeriod,nextRotationTime", body={}).execute()
    refused(rings.delete(name=ring), "CryptoKey")
    assert keys.delete(name=key).execute()["done"]
    with pytest.raises(HttpError, match="stays reserved") as told:
        keys.create(parent=ring, cryptoKeyId="k", body={"purpose": "ENCRYPT_DECRYPT"}).execute()
    assert told.value.status_code == 409
    retired = locations.retiredResources()
    (record,) = retired.list(parent=L).execute()["retiredResources"]
    assert retired.get(name=record["name"]).execute()["originalResource"] == key
    with pytest.raises(HttpError, match="404"):
        retired.get(name=f"{L}/retiredResources/none").execute()
    assert rings.delete(name=ring).execute()["done"]
    rings.create(parent=L, keyRingId="ending", body={}).execute()
    with pytest.raises(HttpError, match="stays reserved"):
        keys.create(parent=ring, cryptoKeyId="k", body={"purpose": "ENCRYPT_DECRYPT"}).execute()


def test_a_disk_s_key_needs_compute_s_agent_and_its_region(world: World) -> None:
    """403 without the grant, 400 from another region, accepted with both."""
    key, far = make_key(world, "disks"), make_key(world, "disks", "europe-west4")

    def disk(kms_key: str) -> dict[str, Any]:
        boot = {"boot": True, "initialize_params": {"source_image": SPACE}}
        return {"disks": [{**boot, "disk_encryption_key": {"kms_key_name": kms_key}}]}

    with pytest.raises(Forbidden, match="compute-system"):
        insert(world, instance(world, "keyed", **disk(key)))
    for one in (key, far):
        world.grant(one, "roles/cloudkms.cryptoKeyEncrypterDecrypter", COMPUTE_AGENT)
    with pytest.raises(BadRequest, match="europe-west4"):
        insert(world, instance(world, "keyed", **disk(far)))
    insert(world, instance(world, "keyed", **disk(key)))


def test_an_instance_ends_in_the_future(world: World) -> None:
    """terminationTime must be a time, and to come."""
    for wrong in ("soon", "2020-01-01T00:00:00Z"):
        scheduling = {"termination_time": wrong, "instance_termination_action": "DELETE"}
        with pytest.raises(BadRequest, match="terminationTime"):
            insert(
                world, instance(world, "over", scheduling={"on_host_maintenance": "TERMINATE", **scheduling})
            )


def test_a3_cannot_be_reserved(world: World) -> None:
    """Neither on demand nor by reservation; n2d can (test_compute_capacity)."""
    held = {"count": 1, "instance_properties": {"machine_type": "a3-highgpu-1g"}}
    request = {
        "project": PROJECT,
        "zone": "us-central1-a",
        "reservation_resource": {"name": "a3", "specific_reservation": held},
    }
    with pytest.raises(BadRequest, match="SPOT or FLEX_START only"):
        client(world, "Reservations").insert_unary(request=request)


@pytest.mark.parametrize(
    ("field", "permission"),
    [
        ({"labels": {"a": "b"}}, "compute.instances.setLabels"),
        ({"metadata": {"items": [{"key": "a", "value": "b"}]}}, "compute.instances.setMetadata"),
        ({"tags": {"items": ["a"]}}, "compute.instances.setTags"),
        (
            {
                "network_interfaces": [
                    {"network": "global/networks/default", "access_configs": [{"name": "x"}]}
                ]
            },
            "compute.subnetworks.useExternalIp",
        ),
        (
            {"disks": [{"boot": True, "initialize_params": {"source_image": SPACE, "labels": {"a": "b"}}}]},
            "compute.disks.setLabels",
        ),
    ],
)
def test_each_field_of_a_machine_needs_its_permission(world: World, field: Any, permission: str) -> None:
    """Who may create instances and disks may not set everything about them."""
    account = "maker-" + permission.lower().replace(".", "-")[8:]
    role = f"projects/{PROJECT}/roles/maker"
    held = ["compute.instances.create", "compute.disks.create", "compute.subnetworks.use"]
    world.cloud.store.put("iam.role", role, {"name": role, "includedPermissions": held})
    world.grant(f"projects/{PROJECT}", role, world.member(account))
    instances, bare = client(world, "Instances", account), instance(world, "bare")
    for one in ("service_accounts", "labels", "metadata"):
        bare.pop(one, None)
    asked = {"project": PROJECT, "zone": "us-central1-a"}
    with pytest.raises(Forbidden, match=permission):
        instances.insert_unary(**asked, instance_resource={**bare, "name": account, **field})
    instances.insert_unary(**asked, instance_resource={**bare, "name": account})


def test_a_foreign_project_is_refused(world: World) -> None:
    """By name; the own project's number is as good as its id."""
    accounts = world.api("iam", "v1").projects().serviceAccounts()
    with pytest.raises(HttpError, match="Permission denied on resource project other"):
        accounts.list(name="projects/other").execute()
    accounts.list(name="projects/100000000001").execute()


def test_a_condition_must_be_an_expression(world: World) -> None:
    """A policy whose condition is no CEL is refused when it is set, not when it is asked."""
    topics = world.api("pubsub", "v1").projects().topics()
    topic = f"projects/{PROJECT}/topics/conditional"
    topics.create(name=topic, body={}).execute()
    binding = {"role": "roles/pubsub.viewer", "members": ["allUsers"]}
    for expression, status in (("resource.name ==", 400), ("resource.name == 'x'", 200)):
        policy = {"version": 3, "bindings": [{**binding, "condition": {"expression": expression}}]}
        answer = requests.post(
            f"{world.cloud.endpoint}/v1/{topic}:setIamPolicy", json={"policy": policy}, timeout=10
        )
        assert answer.status_code == status, answer.text


def test_a_machine_has_one_account(world: World) -> None:
    """Two are refused; one is what the other tests start with."""
    both = [{"email": "a@x"}, {"email": "b@x"}]
    with pytest.raises(BadRequest, match="expected one at most"):
        insert(world, instance(world, "two", service_accounts=both))
