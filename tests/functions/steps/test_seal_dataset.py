"""Tests of `steps.seal_dataset`."""

import base64
import hashlib
import io

import pytest
from sealtrain.rules import names
from sealtrain.rules.errors import RefusedError
from sealtrain.sealing import DataKey, associated_data, open_
from sealtrain.steps import create_bucket, create_key, plan_capacity, seal_dataset

from tests.functions.memory import CSV, DIGEST, DiedError, World


def ready(world: World, job: bytes | None = None) -> str:
    """A run with key and bucket, not sealed yet."""
    run = world.admit(job=job)
    for module in (plan_capacity, create_key, create_bucket):
        world.call(module, run=run)
    return run


def data_key(world: World, run: str, order_digest: str) -> DataKey:
    """The data key out of the wrap, which shows what it was bound to."""
    wrapped = base64.b64decode(world.state.held(run, order_digest).wrapped_key)
    prefix = b"wrapped:" + order_digest.encode() + b":"
    assert wrapped.startswith(prefix)
    return DataKey.parse(wrapped.removeprefix(prefix))


def test_what_was_uploaded_comes_out_again_and_every_digest_agrees() -> None:
    """The sealed part opens under the wrapped key at its place, to the uploaded bytes."""
    world = World()
    run = ready(world)
    found = world.call(seal_dataset, run=run)
    order, order_digest = world.state.order(run)
    assert found.order_digest == order_digest
    (file,) = order.dataset.files
    (part,) = file.parts
    assert file.sha256 == part.sha256 == "sha256:" + hashlib.sha256(CSV).hexdigest()
    sealed = world.storage.get(order.dataset.bucket, part.object)
    assert "sha256:" + hashlib.sha256(sealed).hexdigest() == part.sealed_sha256
    assert CSV not in sealed
    out = io.BytesIO()
    place = associated_data(order.dataset.id, file.path, 0, 1)
    open_(io.BytesIO(sealed), out, data_key(world, run, order_digest), place)
    assert out.getvalue() == CSV


def test_sealing_twice_gives_the_order_that_stands() -> None:
    """The second call writes nothing."""
    world = World()
    run = ready(world)
    first = world.call(seal_dataset, run=run)
    writes = world.storage.writes
    assert world.call(seal_dataset, run=run) == first
    assert world.storage.writes == writes


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_call_that_died_is_taken_up_under_a_fresh_key(after: int) -> None:
    """Died at a part, at the held key or at the order: the next call makes one order that opens."""
    world = World()
    run = ready(world)
    world.storage.dies_at = world.storage.writes + after
    with pytest.raises(DiedError):
        world.call(seal_dataset, run=run)
    assert world.state.find_order_digest(run) is None
    found = world.call(seal_dataset, run=run)
    assert data_key(world, run, found.order_digest)


@pytest.mark.parametrize("change", ["replace", "remove"])
def test_a_changed_upload_is_refused(change: str) -> None:
    """What is sealed is the admitted generation or nothing."""
    world = World()
    run = ready(world)
    if change == "replace":
        world.upload("incoming/data.csv", b"x,y\n9,9\n")
    else:
        del world.storage.objects[world.inbox, "incoming/data.csv"]
    with pytest.raises(RefusedError) as caught:
        world.call(seal_dataset, run=run)
    assert caught.value.code == "source_changed"
    assert world.state.find_order_digest(run) is None


def test_a_pinned_dataset_must_be_the_one() -> None:
    """An owner may pin the dataset's id in the job; other data is refused before anything is sealed."""
    world = World()
    run = ready(world, job=b"dataset: " + DIGEST.encode())
    with pytest.raises(RefusedError) as caught:
        world.call(seal_dataset, run=run)
    assert caught.value.code == "dataset_not_pinned"
    bucket = names.sealed_bucket(world.settings, run)
    assert not [key for key in world.storage.objects if key[0] == bucket]


def test_one_flipped_byte_is_another_dataset() -> None:
    """The dataset's id follows its bytes."""
    ids = []
    for data in (CSV, CSV.replace(b"4", b"5")):
        world = World()
        generation = world.upload("incoming/data.csv", data)
        from sealtrain.steps import admit_run

        run = world.admit_again(admit_run, "incoming/data.csv", generation)
        for module in (plan_capacity, create_key, create_bucket, seal_dataset):
            world.call(module, run=run)
        ids.append(world.state.order(run)[0].dataset.id)
    assert ids[0] != ids[1]


def test_parts_of_several_files_do_not_collide() -> None:
    """Parts are numbered through the whole dataset."""
    world = World()
    world.upload("incoming/set/other.csv", b"a,b\n5,6\n")
    run = ready(world, job=b"{}")
    world.call(seal_dataset, run=run)
    order, _ = world.state.order(run)
    objects = [part.object for file in order.dataset.files for part in file.parts]
    assert [name.rpartition("/")[2] for name in objects] == ["part-00000", "part-00001"]
    assert all(name.startswith(order.dataset.prefix) for name in objects)
