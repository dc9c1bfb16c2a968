"""Tests of `steps.seal_dataset`."""

import base64
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from sealtrain.rules import canonical, dataset, names, receipt, records, signing
from sealtrain.rules.errors import JobFailedError, RefusedError
from sealtrain.sealing import DataKey, Part, associated_data, open_, open_file
from sealtrain.steps import create_bucket, create_key, plan_capacity, seal_dataset

from tests.functions import authority
from tests.functions.memory import CSV, DIGEST, DiedError, MemoryStorage, World


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


def seal_to_the_end(world: World, run: str, budget_s: float = 240) -> Any:
    """Call the step as the workflow does, with small parts, until it says that it is done."""
    for _ in range(100):
        found = seal_dataset.seal_dataset(
            seal_dataset.Request(run=run),
            storage=world.storage,  # type: ignore[arg-type]
            state=world.state,
            kms=world.kms,  # type: ignore[arg-type]
            settings=world.settings,
            clock=world.clock,
            budget_s=budget_s,
            part_bytes=5,
        )
        if found.done:
            return found
    raise AssertionError("it never ends")


def opened(world: World, run: str) -> dict[str, bytes]:
    """The sealed dataset, opened as the workload does."""
    order, order_digest = world.state.order(run)
    key, found = data_key(world, run, order_digest), {}
    for file in order.dataset.files:
        out = io.BytesIO()
        bucket = order.dataset.bucket

        def fetch(part: Part, bucket: str = bucket) -> Any:
            return nullcontext(io.BytesIO(world.storage.get(bucket, part.object)))

        open_file(order.dataset, file, fetch, out, key)
        found[file.path] = out.getvalue()
    return found


def test_a_large_dataset_takes_as_many_calls_as_its_time_allows() -> None:
    """Without any time, each call does one piece; nothing but the parts is left once the order stands."""
    world = World()
    run = ready(world)
    first = seal_dataset.seal_dataset(
        seal_dataset.Request(run=run), storage=world.storage, state=world.state, kms=world.kms,  # type: ignore[arg-type]
        settings=world.settings, clock=world.clock, budget_s=0, part_bytes=5,
    )  # fmt: skip
    assert (first.done, first.order_digest) == (False, "")
    seal_to_the_end(world, run, budget_s=0)
    assert opened(world, run) == {"data.csv": CSV}
    bucket = names.sealed_bucket(world.settings, run)
    assert len(world.state.order(run)[0].dataset.files[0].parts) == 3
    assert all(each.name.startswith("data/") for each in world.storage.list(bucket))


@pytest.mark.parametrize("forget", [False, True])
def test_a_call_may_die_at_any_write(forget: bool) -> None:
    """Wherever the process ends, the next call goes on; one order stands, and it opens to the upload."""
    died = 0
    for after in range(1, 40):
        world = World()
        run = ready(world, job=b"source: forget" if forget else b"{}")
        for _ in range(3):
            world.storage.dies_at = world.storage.writes + after
            try:
                seal_to_the_end(world, run)
                break
            except DiedError:
                died += 1
        world.storage.dies_at = 0
        seal_to_the_end(world, run)
        assert opened(world, run) == {"data.csv": CSV}
        assert world.storage.list(names.sealed_bucket(world.settings, run), "sealing/") == []
        assert (world.storage.stat(world.inbox, "incoming/set/data.csv") is None) == forget
    assert died > 10


def test_a_source_is_forgotten_only_if_the_job_says_so() -> None:
    """`source: forget` removes the frozen generation, and nothing that came later under its name."""
    world = World()
    run = ready(world, job=b"source: forget")
    newer = None

    class Storage(MemoryStorage):
        def delete(self, bucket: str, name: str, generation: str | None = None) -> bool:
            nonlocal newer
            if bucket == world.inbox and newer is None:
                newer = self.put(bucket, name, b"a,b\n9,9\n")
            return super().delete(bucket, name, generation)

    world.storage.__class__ = Storage
    seal_to_the_end(world, run)
    found = world.storage.stat(world.inbox, "incoming/set/data.csv")
    assert found is not None
    assert found.generation == newer


def test_a_source_stays_if_its_sealed_copy_cannot_be_read_back() -> None:
    """A part that is not what was written ends the run before anything is removed."""
    world = World()
    run = ready(world, job=b"source: forget")
    bucket = names.sealed_bucket(world.settings, run)
    write = world.storage.open_writer

    @contextmanager
    def damaging(to: str, name: str) -> Iterator[io.BytesIO]:
        with write(to, name) as buffer:
            yield buffer
            buffer.write(b"x")

    world.storage.open_writer = damaging  # type: ignore[method-assign]
    with pytest.raises(RefusedError) as caught:
        seal_to_the_end(world, run)
    assert caught.value.code == "sealing_refused"
    assert caught.value.body.field
    assert caught.value.body.field.startswith("part 1 of 3 of data.csv (data/")
    assert world.storage.stat(world.inbox, "incoming/set/data.csv") is not None
    assert world.storage.list(bucket, "data/")


def test_nothing_is_removed_from_a_run_that_is_being_torn_down() -> None:
    """The sealed copy goes with the run: then the source must stay."""
    world = World()
    run = ready(world, job=b"source: forget")
    world.storage.put(names.state_bucket(world.settings), names.teardown(run), b"{}")
    with pytest.raises(JobFailedError):
        seal_to_the_end(world, run)
    assert world.storage.stat(world.inbox, "incoming/set/data.csv") is not None


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


def test_the_largest_list_of_files_fits_every_record() -> None:
    """As many files, with as long names, as admission takes: what is written about them can be read."""
    world = World()
    long = dataset.MOST_NAMES_BYTES // dataset.MOST_FILES - len("incoming/set/.csv")
    for number in range(1, dataset.MOST_FILES):  # `ready` uploads the last one
        world.upload(f"incoming/set/{number:0{long}d}.csv", CSV)
    run = ready(world, job=b"{}")
    while not world.call(seal_dataset, run=run).done:
        pass

    order, order_digest = world.state.order(run)
    assert len(order.dataset.files) == dataset.MOST_FILES
    written = world.storage.get(names.state_bucket(world.settings), names.order(run))
    assert len(written) < records.RECORD_LIMIT_BYTES
    key = authority.workload_key("the machine")
    files = [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in order.dataset.files]
    place, digest = f"{order.output.prefix}model/{'n' * 100}", "sha256:" + "00" * 32
    part = {"object": place, "sealed_sha256": digest, "sealed_size": 2**40}
    model = [{"name": f"{n:0100d}", "size": 2**40, "sha256": digest, "objects": [part]} for n in range(64)]
    said = {
        "version": 1, "run": run, "order_digest": order_digest, "image_digest": order.image_digest,
        "dataset": {"id": order.dataset.id, "files": files}, "model": model, "metrics": {}, "started": "",
        "finished": "", "trainer_exit": 0,
    }  # fmt: skip
    signer = authority.ec_signer(key)
    signed = signing.serialize(signing.sign(receipt.PAYLOAD_TYPE, canonical.dumps(said), signer, "k"))
    assert len(signed) < records.RECORD_LIMIT_BYTES
    assert receipt.check(receipt.parse(signed, authority.public_pem(key)), order, order_digest) == []
