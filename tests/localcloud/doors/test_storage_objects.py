"""Objects through the official client."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import pytest
import requests
from google.api_core.exceptions import BadRequest, Forbidden, NotFound, PreconditionFailed
from google.cloud.storage import Bucket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud.doors.storage_contents import contents
from localcloud.world import events
from tests.localcloud.conftest import World, eventually

STEP = 256 * 1024


@pytest.fixture(scope="module")
def bucket(world: World) -> Bucket:
    """A bucket without versioning."""
    return world.storage().create_bucket("objects", location="us-central1")


def test_upload_tells_digests_and_generation(bucket: Bucket) -> None:
    """An upload answers with digests, size and a generation in microseconds; a new one grows."""
    blob = bucket.blob("digests")
    blob.metadata = {"who": "owner"}
    blob.upload_from_string(b"hello", content_type="text/csv")
    first = blob.generation
    assert blob.md5_hash == base64.b64encode(hashlib.md5(b"hello").digest()).decode()  # noqa: S324
    assert blob.crc32c == base64.b64encode(google_crc32c.value(b"hello").to_bytes(4, "big")).decode()
    assert (blob.size, blob.content_type, blob.metadata) == (5, "text/csv", {"who": "owner"})
    blob.upload_from_string(b"hello again")
    assert blob.generation > first > 10**15
    assert blob.metageneration == 1


def test_create_if_absent(bucket: Bucket) -> None:
    """ifGenerationMatch=0 lets exactly the first writer through."""
    bucket.blob("once").upload_from_string(b"1", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("once").upload_from_string(b"2", if_generation_match=0)
    assert bucket.blob("once").download_as_bytes() == b"1"


def test_overwritten_generation_is_gone(bucket: Bucket) -> None:
    """Without versioning, the generation that was read before is 404 after an overwrite."""
    blob = bucket.blob("changing")
    blob.upload_from_string(b"1")
    first = blob.generation
    blob.upload_from_string(b"2")
    with pytest.raises(NotFound):
        bucket.blob("changing", generation=first).download_as_bytes()
    with pytest.raises(PreconditionFailed):
        bucket.blob("changing").download_as_bytes(if_generation_match=first)
    with pytest.raises(PreconditionFailed):
        bucket.blob("changing").delete(if_generation_match=first)
    assert bucket.get_blob("changing").generation == blob.generation


def test_ranges(bucket: Bucket) -> None:
    """Parts of an object are read by range; beyond the end is 416."""
    blob = bucket.blob("ranges")
    blob.upload_from_string(b"0123456789")
    assert blob.download_as_bytes(start=2, end=4) == b"234"
    assert blob.download_as_bytes(start=7) == b"789"
    with blob.open("rb", chunk_size=STEP) as file:
        assert file.read() == b"0123456789"
    address = blob.client._connection.API_BASE_URL + f"/download/storage/v1{blob.path}?alt=media"
    assert requests.get(address, headers={"Range": "bytes=-3"}, timeout=5).content == b"789"
    beyond = requests.get(address, headers={"Range": "bytes=10-"}, timeout=5)
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */10")
    assert "crc32c=" in requests.get(address, timeout=5).headers["X-Goog-Hash"]


def test_empty_object(bucket: Bucket) -> None:
    """No bytes at all is an object too."""
    bucket.blob("empty").upload_from_string(b"")
    assert bucket.get_blob("empty").size == 0
    assert bucket.blob("empty").download_as_bytes() == b""


def test_chunked_upload(bucket: Bucket) -> None:
    """A resumable upload in chunks of unknown total gives the bytes that went in."""
    data = bytes(range(256)) * 4000
    with bucket.blob("chunks").open("wb", chunk_size=STEP) as file:
        for at in range(0, len(data), 99_999):
            file.write(data[at : at + 99_999])
    assert bucket.blob("chunks").download_as_bytes() == data
    large = bucket.blob("large", chunk_size=STEP)
    large.upload_from_string(data)
    assert large.crc32c == bucket.get_blob("chunks").crc32c


def test_broken_upload_resumes_after_a_restart(restarted: Callable[[], World]) -> None:
    """A session outlives the process: it tells how much it kept, takes the rest, and repeats its answer."""
    world = restarted()
    world.storage().create_bucket("resumed")
    base = f"{world.cloud.endpoint}/upload/storage/v1/b/resumed/o"
    begun = requests.post(f"{base}?uploadType=resumable&name=x", json={}, timeout=5)
    first, rest = b"a" * (STEP + 10), b"b" * 5
    size = len(first) + len(rest)
    address = begun.headers["Location"]
    chunk = {"Content-Range": f"bytes 0-{len(first) - 1}/{size}"}
    answer = requests.put(address, data=first, headers=chunk, timeout=5)
    assert (answer.status_code, answer.headers["Range"]) == (308, f"bytes=0-{STEP - 1}")
    address = restarted().cloud.endpoint + address[len(world.cloud.endpoint) :]
    asked = requests.put(address, headers={"Content-Range": f"bytes */{size}"}, timeout=5)
    assert (asked.status_code, asked.headers["Range"]) == (308, f"bytes=0-{STEP - 1}")
    last = {"Content-Range": f"bytes {STEP}-{size - 1}/{size}"}
    done = requests.put(address, data=(first + rest)[STEP:], headers=last, timeout=5)
    assert (done.status_code, done.json()["size"]) == (200, str(size))
    again = requests.put(address, headers={"Content-Range": f"bytes */{size}"}, timeout=5)
    assert again.json()["generation"] == done.json()["generation"]


def test_wrong_checksum_is_refused(bucket: Bucket) -> None:
    """Bytes that do not fit the digest sent with them make no object."""
    base = f"{bucket.client._connection.API_BASE_URL}/upload/storage/v1/b/{bucket.name}/o"
    sent = {"X-Goog-Hash": "crc32c=AAAAAA=="}
    answer = requests.post(f"{base}?uploadType=media&name=damaged", data=b"x", headers=sent, timeout=5)
    assert answer.status_code == 400
    assert "crc32c" in answer.json()["error"]["message"]
    assert bucket.get_blob("damaged") is None


def test_listing(bucket: Bucket) -> None:
    """Prefix, delimiter, offsets and pages."""
    names = ["list/a/1", "list/a/2", "list/b", "list/é", "list/c/3"]
    for name in names:
        bucket.blob(name).upload_from_string(b"")
    flat = [blob.name for blob in bucket.list_blobs(prefix="list/")]
    assert flat == sorted(names)
    pages = list(bucket.list_blobs(prefix="list/", page_size=2).pages)
    assert [blob.name for page in pages for blob in page] == sorted(names)
    folders = bucket.list_blobs(prefix="list/", delimiter="/", page_size=1)
    assert [blob.name for blob in folders] == ["list/b", "list/é"]
    assert folders.prefixes == {"list/a/", "list/c/"}
    part = bucket.list_blobs(prefix="list/", start_offset="list/a/2", end_offset="list/c")
    assert [blob.name for blob in part] == ["list/a/2", "list/b"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1))
def test_any_name(bucket: Bucket, name: str) -> None:
    """Every permitted name is written, read and listed as it is."""
    if name in (".", "..") or len(name.encode()) > 1024:
        return
    bucket.blob(name).upload_from_string(name.encode(), checksum=None)
    assert bucket.blob(name).download_as_bytes() == name.encode()
    assert name in [blob.name for blob in bucket.list_blobs(prefix=name[:1])]


@pytest.mark.parametrize("name", [".", "..", "a\rb", "a\nb", "é" * 513])
def test_impossible_names(bucket: Bucket, name: str) -> None:
    """Names that Cloud Storage forbids are 400."""
    with pytest.raises(BadRequest):
        bucket.blob(name).upload_from_string(b"")


def test_copy_rename_compose(bucket: Bucket) -> None:
    """Copies keep content and type; a composed object is the parts joined."""
    one, two = bucket.blob("parts/1"), bucket.blob("parts/2")
    one.upload_from_string(b"one", content_type="text/csv")
    two.upload_from_string(b"two")
    copied = bucket.copy_blob(one, bucket, "parts/copy")
    assert (copied.content_type, copied.md5_hash) == ("text/csv", one.md5_hash)
    assert bucket.rename_blob(copied, "parts/moved").download_as_bytes() == b"one"
    assert bucket.get_blob("parts/copy") is None
    rewritten = bucket.blob("parts/rewritten")
    assert rewritten.rewrite(one)[0] is None
    both = bucket.blob("parts/both")
    both.compose([one, two])
    assert both.download_as_bytes() == b"onetwo"
    assert (both.component_count, both.md5_hash) == (2, None)
    assert bucket.copy_blob(both, bucket, "parts/both-copied").component_count == 2


def test_metadata_patch(bucket: Bucket) -> None:
    """A patch changes metadata and metageneration, not content or generation."""
    blob = bucket.blob("described")
    blob.upload_from_string(b"x")
    generation = blob.generation
    blob.metadata = {"a": "1"}
    blob.patch(if_metageneration_match=1)
    assert (blob.generation, blob.metageneration) == (generation, 2)
    assert bucket.get_blob("described").metadata == {"a": "1"}
    with pytest.raises(PreconditionFailed):
        blob.patch(if_metageneration_match=1)


def test_stored_headers_come_with_the_content(bucket: Bucket) -> None:
    """What was said about the content at upload is told at download."""
    blob = bucket.blob("headers")
    blob.content_disposition = "attachment"
    blob.cache_control = "no-store"
    blob.upload_from_string(b"x", content_type="text/html")
    answer = requests.get(
        bucket.blob("headers").client._connection.API_BASE_URL + f"/download/storage/v1{blob.path}?alt=media",
        timeout=5,
    )
    kept = ("Content-Type", "Content-Disposition", "Cache-Control", "X-Goog-Generation")
    assert [answer.headers[one] for one in kept] == [
        "text/html",
        "attachment",
        "no-store",
        str(blob.generation),
    ]


def test_the_first_of_many_writers_wins(bucket: Bucket, world: World) -> None:
    """Of ten writers at once that all ask for absence, exactly one makes the object."""

    def write(number: int) -> bool:
        try:
            world.storage().bucket(bucket.name).blob("race").upload_from_string(
                str(number).encode(), if_generation_match=0
            )
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        won = list(pool.map(write, range(10)))
    assert sum(won) == 1
    assert bucket.blob("race").download_as_bytes() == str(won.index(True)).encode()


def test_overlapping_chunks_are_not_doubled(bucket: Bucket) -> None:
    """A client that sends again what was kept already does not change the object."""
    base = f"{bucket.client._connection.API_BASE_URL}/upload/storage/v1/b/{bucket.name}/o"
    begun = requests.post(f"{base}?uploadType=resumable&name=overlap", json={}, timeout=5)
    data = bytes(range(256)) * 2048
    first = {"Content-Range": f"bytes 0-{STEP - 1}/*"}
    requests.put(begun.headers["Location"], data=data[:STEP], headers=first, timeout=5)
    whole = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
    answer = requests.put(begun.headers["Location"], data=data, headers=whole, timeout=5)
    assert answer.json()["size"] == str(len(data))
    assert bucket.blob("overlap").download_as_bytes() == data
    begun = requests.post(f"{base}?uploadType=resumable&name=at-once", json={}, timeout=5)
    assert requests.put(begun.headers["Location"], data=b"all", timeout=5).json()["size"] == "3"


def test_an_upload_that_is_whole_takes_no_more(bucket: Bucket) -> None:
    """Its object was refused in the end, by the generation it was to replace: more bytes are refused too."""
    base = f"{bucket.client._connection.API_BASE_URL}/upload/storage/v1/b/{bucket.name}/o"
    begun = requests.post(f"{base}?uploadType=resumable&name=whole&ifGenerationMatch=0", json={}, timeout=5)
    bucket.blob("whole").upload_from_string(b"first")
    place, end = begun.headers["Location"], {"Content-Range": "bytes 0-2/3"}
    assert requests.put(place, data=b"all", headers=end, timeout=5).status_code == 412
    more = requests.put(place, data=b"more", headers={"Content-Range": "bytes 3-6/7"}, timeout=5)
    assert (more.status_code, "upload that is whole" in more.text) == (400, True)
    assert bucket.blob("whole").download_as_bytes() == b"first"


def test_holds_keep_an_object(bucket: Bucket) -> None:
    """An object under a temporary hold is not deleted."""
    blob = bucket.blob("held")
    blob.upload_from_string(b"x")
    blob.temporary_hold = True
    blob.patch()
    with pytest.raises(Forbidden, match="hold"):
        blob.delete()
    blob.temporary_hold = False
    blob.patch()
    blob.delete()


def test_versions(world: World) -> None:
    """With versioning, replaced and deleted content stays readable by generation."""
    bucket = world.storage().bucket("versioned")
    bucket.versioning_enabled = True
    bucket.create()
    blob = bucket.blob("x")
    blob.upload_from_string(b"1")
    first = blob.generation
    blob.upload_from_string(b"2")
    bucket.blob("x").delete()
    assert bucket.get_blob("x") is None
    assert bucket.blob("x", generation=first).download_as_bytes() == b"1"
    assert len(list(bucket.list_blobs(versions=True))) == 2
    old = bucket.get_blob("x", generation=first)
    old.metadata = {"old": "yes"}
    old.patch()
    assert bucket.get_blob("x", generation=first).metadata == {"old": "yes"}
    bucket.blob("x", generation=first).delete()
    assert bucket.get_blob("x", generation=first) is None


def test_permissions(world: World, bucket: Bucket) -> None:
    """Creating, replacing, reading and listing need their own permissions, also under a prefix condition."""
    bucket.blob("shared/x").upload_from_string(b"x")
    condition = 'resource.name.startsWith("projects/_/buckets/objects/objects/shared/")'
    resource = "projects/_/buckets/objects"
    world.grant(resource, "roles/storage.objectCreator", world.member("writer"), condition)
    world.grant(resource, "roles/storage.legacyObjectReader", world.member("reader"))
    writer, reader = world.storage("writer").bucket("objects"), world.storage("reader").bucket("objects")
    writer.blob("shared/new").upload_from_string(b"")
    with pytest.raises(Forbidden, match="create access"):
        writer.blob("other/new").upload_from_string(b"")
    with pytest.raises(Forbidden, match="delete access"):
        writer.blob("shared/new").upload_from_string(b"")
    with pytest.raises(Forbidden, match="get access"):
        writer.blob("shared/x").download_as_bytes()
    assert reader.blob("shared/x").download_as_bytes() == b"x"
    with pytest.raises(Forbidden, match="list access"):
        list(reader.list_blobs())
    with pytest.raises(Forbidden, match="list access"):
        reader.blob("shared/missing").download_as_bytes()
    with pytest.raises(NotFound):
        bucket.blob("shared/missing").download_as_bytes()


def test_changes_are_announced(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Creating, replacing and deleting an object is told to listeners, with the generation."""
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(events, "_OBJECT_LISTENERS", [])
    events.on_object(lambda _, kind, resource: heard.append((kind.rsplit(".")[-1], resource["generation"])))
    blob = bucket.blob("told")
    blob.upload_from_string(b"1")
    first = str(blob.generation)
    blob.upload_from_string(b"2")
    second = str(blob.generation)
    blob.delete()
    assert heard == [("finalized", first), ("deleted", first), ("finalized", second), ("deleted", second)]


def test_bytes_go_with_their_last_object(world: World) -> None:
    """Deleted content leaves the disk a while later, but not while another object holds the same bytes."""
    bucket = world.storage().bucket("bytes")
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket = world.storage().create_bucket(bucket)
    for name in ("a", "b"):
        bucket.blob(name).upload_from_string(b"same")
    path = contents(world.cloud).path(hashlib.sha256(b"same").hexdigest())
    bucket.blob("a").delete()
    assert bucket.blob("b").download_as_bytes() == b"same"
    bucket.blob("b").delete()
    os.utime(path, (0, 0))
    world.cloud.clock.advance(61)
    eventually(lambda: not path.exists())
