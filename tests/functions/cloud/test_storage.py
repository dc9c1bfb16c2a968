"""Tests of `cloud.storage` on the stand-in."""

from typing import Any

import pytest
import requests
from sealtrain.cloud import storage as module
from sealtrain.cloud.connect import Cloud
from sealtrain.cloud.storage import Storage
from sealtrain.rules import names
from sealtrain.rules.errors import AlreadyExistsError, ConflictError, NotFoundError, UnavailableError
from sealtrain.rules.resources import BucketSpec

MIB = 1024 * 1024
NAME = "a/ü x.json"


@pytest.fixture
def storage(cloud: Cloud) -> Storage:
    """The storage of the test's cloud."""
    found: Storage = cloud.get("storage")
    return found


@pytest.fixture
def bucket(cloud: Cloud, storage: Storage, request: Any) -> str:
    """A fresh sealed bucket, as create_bucket makes it."""
    run = names.run_id("b", request.node.name, "1", 1)
    settings = cloud.settings
    spec = BucketSpec(
        name=names.sealed_bucket(settings, run),
        location=settings.region,
        kms_key=names.storage_key(settings),
        labels=names.labels(settings, run, 123),
    )
    clock = f"{settings.endpoint}/_control/clock"
    requests.post(clock, json={"advance": 2}, timeout=10).raise_for_status()  # one bucket in two seconds
    storage.create_bucket(spec)
    return spec.name


def test_a_bucket_is_what_was_asked_for(cloud: Cloud, storage: Storage, bucket: str) -> None:
    """Key, labels, uniform access, no public access, nothing kept of what is deleted."""
    found = storage.get_bucket(bucket)
    assert found is not None
    assert found.kms_key == names.storage_key(cloud.settings)
    assert found.labels["sealtrain-expires"] == "123"
    assert (found.uniform_access, found.public_access_prevention) == (True, "enforced")
    assert (found.soft_delete_s, found.versioning, found.location) == (0, False, "us-central1")
    prefix = names.sealed_bucket_prefix(cloud.settings)
    assert bucket in [b.name for b in storage.list_buckets(prefix)]


def test_a_bucket_is_made_once_and_deleted_when_empty(cloud: Cloud, storage: Storage, bucket: str) -> None:
    """Making it twice is told; deleting takes an empty one, and "not there" as done."""
    found = storage.get_bucket(bucket)
    assert found is not None
    with pytest.raises(AlreadyExistsError):
        storage.create_bucket(BucketSpec(bucket, found.location, found.kms_key or "", found.labels))
    storage.create(bucket, NAME, b"x")
    with pytest.raises(ConflictError):
        storage.delete_bucket(bucket)
    assert storage.delete(bucket, NAME)
    assert not storage.delete(bucket, NAME)
    assert storage.delete_bucket(bucket)
    assert not storage.delete_bucket(bucket)
    assert storage.get_bucket(bucket) is None


def test_create_is_once_and_put_is_over(storage: Storage, bucket: str) -> None:
    """A second create is told and changes nothing."""
    first = storage.create(bucket, NAME, b"one")
    with pytest.raises(AlreadyExistsError):
        storage.create(bucket, NAME, b"two")
    assert storage.get(bucket, NAME) == b"one"
    assert storage.put(bucket, NAME, b"three") != first
    assert storage.find(bucket, NAME) == b"three"


def test_a_generation_is_read_or_gone(storage: Storage, bucket: str) -> None:
    """Without versions an overwritten generation is not there any more."""
    old = storage.create(bucket, NAME, b"one")
    new = storage.put(bucket, NAME, b"two")
    assert storage.get(bucket, NAME, new) == b"two"
    assert storage.stat(bucket, NAME, old) is None
    with pytest.raises(NotFoundError):
        storage.get(bucket, NAME, old)
    with pytest.raises(NotFoundError):
        storage.open_reader(bucket, NAME, old).read(1)


@pytest.mark.parametrize(("data", "first", "got"), [(b"abcdef", 3, b"abc"), (b"ab", 9, b"ab"), (b"", 9, b"")])
def test_the_first_bytes(storage: Storage, bucket: str, data: bytes, first: int, got: bytes) -> None:
    """Of a longer, a shorter and an empty object."""
    storage.create(bucket, NAME, data)
    assert storage.get(bucket, NAME, first=first) == got


def test_no_object_fills_the_memory(
    storage: Storage, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a larger one a byte more than is held: its reader finds it too large, and the rest stays."""
    monkeypatch.setattr(module, "MOST_BYTES", 1_000_000)
    storage.create(bucket, NAME, bytes(1_000_000))
    assert len(storage.get(bucket, NAME)) == 1_000_000
    storage.put(bucket, NAME, bytes(5_000_000))
    assert len(storage.get(bucket, NAME)) == 1_000_001


def test_absent_things_are_none(storage: Storage, bucket: str) -> None:
    """Looking for what is not there is no error; reading it is."""
    assert storage.find(bucket, "none") is None
    assert storage.stat(bucket, "none") is None
    assert storage.list(bucket, "none") == []
    with pytest.raises(NotFoundError):
        storage.get(bucket, "none")


def test_large_objects_stream_both_ways_and_are_checked(storage: Storage, bucket: str) -> None:
    """Written in pieces, read in pieces, and compared with the checksum at the end."""
    with storage.open_writer(bucket, "big") as writer:
        for number in range(20):
            writer.write(bytes([number]) * MIB)
    found = storage.stat(bucket, "big")
    assert found is not None
    assert found.size == 20 * MIB

    def read(crc32c: str) -> int:
        reader = storage.open_reader(bucket, "big", found.generation, crc32c)
        total = 0
        while data := reader.read(MIB):
            total += len(data)
        return total

    assert read(found.crc32c) == 20 * MIB
    with pytest.raises(UnavailableError) as caught:
        read("AAAAAA==")
    assert caught.value.code == "damaged_in_transit"


def test_a_writer_that_fails_leaves_nothing(storage: Storage, bucket: str) -> None:
    """An error inside the block cancels the upload, however much was sent."""

    def die_half_way() -> None:
        with storage.open_writer(bucket, "half") as writer:
            writer.write(b"x" * 9 * MIB)
            raise KeyError("half-way")

    with pytest.raises(KeyError):
        die_half_way()
    assert storage.stat(bucket, "half") is None


def test_a_writer_creates_and_never_replaces(storage: Storage, bucket: str) -> None:
    """A second stream to the same name is told at the latest at its end."""
    storage.create(bucket, NAME, b"one")
    with pytest.raises(AlreadyExistsError), storage.open_writer(bucket, NAME) as writer:
        writer.write(b"two")
    assert storage.get(bucket, NAME) == b"one"


def test_a_listing_is_by_prefix_and_complete(storage: Storage, bucket: str) -> None:
    """Names, sizes and generations as text."""
    made = {name: storage.create(bucket, name, b"xy") for name in ("a/1", "a/2", "b/1")}
    found = storage.list(bucket, "a/")
    assert [(o.name, o.generation, o.size) for o in found] == [(n, made[n], 2) for n in ("a/1", "a/2")]


def test_a_stream_begins_in_the_middle(storage: Storage, bucket: str) -> None:
    """From any byte on; then nothing is compared with the whole object's checksum."""
    storage.create(bucket, NAME, b"0123456789")
    found = storage.stat(bucket, NAME)
    assert found is not None
    assert storage.open_reader(bucket, NAME, found.generation, found.crc32c, 4).read() == b"456789"
    assert storage.open_reader(bucket, NAME, found.generation, found.crc32c).read() == b"0123456789"


def test_a_copy_is_made_once_and_of_one_generation(storage: Storage, bucket: str) -> None:
    """The bytes never pass through here; a copy that stands is given back as it is."""
    generation = storage.create(bucket, NAME, b"one")
    copy = storage.copy(bucket, NAME, generation, bucket, "copy")
    assert storage.get(bucket, "copy") == b"one"
    newer = storage.put(bucket, NAME, b"two")
    assert storage.copy(bucket, NAME, newer, bucket, "copy") == copy
    with pytest.raises(NotFoundError):
        storage.copy(bucket, NAME, generation, bucket, "another")


def test_a_generation_is_deleted_and_no_other(storage: Storage, bucket: str) -> None:
    """What came later under the same name stays."""
    old = storage.create(bucket, NAME, b"one")
    storage.put(bucket, NAME, b"two")
    assert not storage.delete(bucket, NAME, old)
    assert storage.get(bucket, NAME) == b"two"
