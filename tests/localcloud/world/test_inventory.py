"""The inventory: everything that exists, and what of it costs money by existing."""

from __future__ import annotations

from google.cloud import bigquery

from localcloud.world.inventory import inventory
from tests.localcloud.conftest import World

P = "projects/demo-project"
L = f"{P}/locations/us-central1"


def test_each_kind_is_told_with_its_labels_and_whether_it_bills(world: World) -> None:
    """One of each: buckets and usable key versions bill, the rest does not; what is deleted is gone."""
    labels = {"sealtrain-run": "r1"}
    bucket = world.storage().bucket("inventory")
    bucket.labels = labels
    bucket.create()
    ring = world.kms().create_key_ring(parent=L, key_ring_id="inventory", key_ring={}).name
    key = {"purpose": "ENCRYPT_DECRYPT", "labels": labels}
    key_name = world.kms().create_crypto_key(parent=ring, crypto_key_id="k", crypto_key=key).name
    topic = world.publisher().create_topic(request={"name": f"{P}/topics/inventory", "labels": labels}).name
    world.subscriber().create_subscription(name=f"{P}/subscriptions/inventory", topic=topic)
    world.bigquery().create_dataset("inventory")
    schema = [bigquery.SchemaField("a", "STRING")]
    world.bigquery().create_table(bigquery.Table("demo-project.inventory.t", schema))
    sink = {"name": "inventory", "destination": f"pubsub.googleapis.com/{topic}"}
    world.api("logging", "v2").projects().sinks().create(parent=P, body=sink).execute()
    target = {"topicName": topic, "data": "e30="}
    job = {"name": f"{L}/jobs/inventory", "schedule": "0 0 1 1 *", "pubsubTarget": target}
    world.api("cloudscheduler", "v1").projects().locations().jobs().create(parent=L, body=job).execute()
    rows = {row["kind"]: row for row in inventory(world.cloud) if "inventory" in row["name"]}
    told = {kind: (row["name"], bool(row["labels"]), row["bills"]) for kind, row in rows.items()}
    assert told == {
        "bigquery.dataset": (f"{P}/datasets/inventory", False, False),
        "bigquery.table": (f"{P}/datasets/inventory/tables/t", False, False),
        "cloudkms.cryptoKey": (key_name, True, False),
        "cloudkms.cryptoKeyVersion": (f"{key_name}/cryptoKeyVersions/1", True, True),
        "cloudkms.keyRing": (ring, False, False),
        "cloudscheduler.job": (f"{L}/jobs/inventory", False, False),
        "logging.sink": (f"{P}/sinks/inventory", False, False),
        "pubsub.subscription": (f"{P}/subscriptions/inventory", False, False),
        "pubsub.topic": (topic, True, False),
        "storage.bucket": ("projects/_/buckets/inventory", True, True),
    }
    assert all(row["created"].startswith("20") for row in rows.values())
    world.kms().destroy_crypto_key_version(name=f"{key_name}/cryptoKeyVersions/1")
    bucket.delete()
    left = {row["kind"]: row["bills"] for row in inventory(world.cloud) if "inventory" in row["name"]}
    assert left["cloudkms.cryptoKeyVersion"] is False
    assert "storage.bucket" not in left
