"""`admit_run` and `seal_dataset` on what its owner sealed before upload."""

import io
from collections.abc import Callable
from contextlib import nullcontext

import msgspec
import pytest
from sealtrain.rules import names
from sealtrain.rules.errors import RefusedError
from sealtrain.sealing import (
    DataKey,
    Manifest,
    Part,
    SealingError,
    WrappedKey,
    open_file,
    parse_manifest,
    parse_owners_manifest,
)
from sealtrain.steps import create_bucket, create_key, plan_capacity, seal_dataset

from tests.functions.memory import CSV, DIGEST, DiedError, World
from tests.functions.sealing.vault import Keys, Vault, sealed

KEY = "projects/theirs/locations/l/keyRings/r/cryptoKeys/k"
Objects = dict[str, bytes]


class OwnersKeys(Keys):
    """A key of the owner's own project."""

    def wrap(self, secret: bytes, associated_data: str) -> WrappedKey:
        return msgspec.structs.replace(super().wrap(secret, associated_data), kms_key=KEY)


def sealed_upload(files: Objects, key: str = KEY) -> Objects:
    """The objects of a sealed folder, by path."""
    vault = Vault()
    found = sealed(vault, files, part_bytes=5)
    manifest = Manifest(id=found.id, sealed_by="owner", files=found.files)
    wrapped = OwnersKeys().wrap(found.key.serialize(), manifest.binding())
    manifest = msgspec.structs.replace(manifest, key=msgspec.structs.replace(wrapped, kms_key=key))
    return {**vault.objects, "manifest.json": manifest.encode()}


def uploaded(world: World, objects: Objects, job: bytes = b"{}") -> str:
    """Upload and admit; the run."""
    from sealtrain.steps import admit_run

    for path, data in objects.items():
        world.upload(f"incoming/set/{path}", data)
    return world.admit_again(admit_run, "incoming/set/job.yaml", world.upload("incoming/set/job.yaml", job))


def ready(world: World, objects: Objects, job: bytes = b"{}") -> str:
    """A run that is to be sealed."""
    run = uploaded(world, objects, job)
    for module in (plan_capacity, create_key, create_bucket):
        world.call(module, run=run)
    return run


def test_the_order_takes_over_parts_key_and_binding() -> None:
    """Parts are copied as they are; key and associated data are the owner's; sealed_by says so."""
    world, objects = World(), sealed_upload({"data.csv": CSV})
    run = ready(world, objects)
    found = world.call(seal_dataset, run=run)
    order, order_digest = world.state.order(run)
    manifest, key = parse_owners_manifest(objects["manifest.json"])
    assert found == seal_dataset.Result(run=run, order_digest=order_digest, done=True)
    assert (order.dataset.sealed_by, order.dataset.id) == ("owner", manifest.id)
    assert (order.dataset.manifest, order.release.kms_key) == (manifest.binding(), KEY)
    assert world.state.held(run, order_digest).wrapped_key == key.wrapped
    assert order.source.objects[0].name == "incoming/set/manifest.json"

    def fetch(part: Part) -> "nullcontext[io.BytesIO]":
        return nullcontext(io.BytesIO(world.storage.get(order.dataset.bucket, part.object)))

    out = io.BytesIO()
    open_file(order.dataset, order.dataset.files[0], fetch, out, DataKey.parse(Keys().unwrap(key)))
    assert out.getvalue() == CSV


def test_taking_over_may_die_at_any_write() -> None:
    """The next call copies what is missing, and one order stands."""
    for after in range(1, 6):
        world = World()
        run = ready(world, sealed_upload({"data.csv": CSV}))
        world.storage.dies_at = world.storage.writes + after
        with pytest.raises(DiedError):
            world.call(seal_dataset, run=run)
        world.storage.dies_at = 0
        assert world.call(seal_dataset, run=run).done


def test_many_parts_are_copied_over_several_calls() -> None:
    """Without time each call copies none, with some it copies some; it ends."""
    world = World()
    run = ready(world, sealed_upload({"data.csv": CSV}))
    calls = 0
    while True:
        calls += 1
        found = seal_dataset.seal_dataset(
            seal_dataset.Request(run=run), storage=world.storage, state=world.state, kms=world.kms,  # type: ignore[arg-type]
            settings=world.settings, clock=world.clock, budget_s=3,
        )  # fmt: skip
        if found.done:
            break
    assert calls > 1


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        (lambda o: o.pop(sorted(o)[1]), "sealed_part_missing", "part 2 of 3 of data.csv"),
        (lambda o: o.update({sorted(o)[1]: b"x"}), "sealed_part_changed", "part 2 of 3 of data.csv"),
        (lambda o: o.update({"more.csv": CSV}), "sealed_part_unknown", "more.csv"),
        (
            lambda o: o.update({"manifest.json": o["manifest.json"].replace(b"data.csv", b"dato.csv")}),
            "bad_manifest",
            "manifest id",
        ),
        (
            lambda o: o.update({"manifest.json": o["manifest.json"].replace(b'"owner"', b'"service"')}),
            "bad_manifest",
            "manifest sealed_by",
        ),
        (lambda o: o.update(sealed_upload({"data.csv": CSV}, key="k:decrypt?")), "bad_manifest", "kms_key"),
    ],
)
def test_an_upload_that_is_not_the_sealed_folder_is_refused(
    change: Callable[[Objects], object], code: str, field: str
) -> None:
    """What is missing, cut, added or rewritten is named with got and expected, and nothing is admitted."""
    objects = dict(sorted(sealed_upload({"data.csv": CSV}).items()))
    change(objects)
    with pytest.raises(RefusedError) as caught:
        uploaded(World(), objects)
    body = caught.value.body
    assert (body.code, field in str(body.field)) == (code, True), body
    assert body.got
    assert body.expected


def test_a_pinned_dataset_must_be_the_sealed_one() -> None:
    """The id in the manifest is compared at admission."""
    with pytest.raises(RefusedError) as caught:
        uploaded(World(), sealed_upload({"data.csv": CSV}), b"dataset: " + DIGEST.encode())
    assert caught.value.code == "dataset_not_pinned"


def test_a_file_of_that_name_may_be_data() -> None:
    """A manifest.json that is something else is a file like any other."""
    world = World()
    run = uploaded(world, {"manifest.json": b'{"name": "app"}', "data.csv": CSV}, b"format: files")
    assert world.state.job(run).manifest is None
    assert len(world.state.job(run).objects) == 2


def test_a_part_replaced_after_admission_is_refused() -> None:
    """The frozen generations are copied or none."""
    world, objects = World(), sealed_upload({"data.csv": CSV})
    run = ready(world, objects)
    world.upload(f"incoming/set/{sorted(objects)[1]}", b"other")
    with pytest.raises(RefusedError) as caught:
        world.call(seal_dataset, run=run)
    assert caught.value.code == "source_changed"


@pytest.mark.parametrize("key", [f"{KEY}:encrypt?x=", KEY.replace("theirs", "x?y=/.."), f"{KEY}/..", ""])
def test_a_key_name_that_is_none_is_refused(key: str) -> None:
    """What goes into a request's path is the name of a key and nothing else."""
    data = sealed_upload({"data.csv": CSV}, key=key)["manifest.json"]
    assert parse_manifest(data)
    with pytest.raises(SealingError, match="kms_key"):
        parse_owners_manifest(data)


def test_names_are_the_runs_own() -> None:
    """The copies lie in the run's bucket, under the prefix that the order names."""
    world = World()
    run = ready(world, sealed_upload({"data.csv": CSV}))
    world.call(seal_dataset, run=run)
    order, _ = world.state.order(run)
    listed = [o.name for o in world.storage.list(names.sealed_bucket(world.settings, run))]
    assert sorted(listed) == sorted(p.object for f in order.dataset.files for p in f.parts)
    assert all(name.startswith(order.dataset.prefix) for name in listed)
