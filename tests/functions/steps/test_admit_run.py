"""Tests of `steps.admit_run`."""

import json
from typing import Any

import pytest
from sealtrain.rules import names
from sealtrain.rules.errors import RefusedError, SealtrainError, UnsupportedError
from sealtrain.steps import admit_run

from tests.functions.memory import CSV, DIGEST, DiedError, World


def admit(world: World, name: str, generation: str, execution: str = "execution-1") -> admit_run.Result:
    """Call the step."""
    found = world.call(
        admit_run, bucket=world.inbox, object=name, generation=generation, attempt=1, execution=execution,
        callback_url="u",
    )  # fmt: skip
    assert isinstance(found, admit_run.Result)
    return found


def refused(world: World, name: str, data: bytes, generation: str | None = None) -> dict[str, object]:
    """Admit an upload that is refused; give what the owner was told."""
    made = world.upload(name, data)
    with pytest.raises((RefusedError, UnsupportedError)):
        admit(world, name, generation or made)
    told = [k for k in world.storage.objects if k[0] == world.inbox and k[1].startswith("refused/")]
    assert len(told) == 1
    found: dict[str, object] = json.loads(world.storage.objects[told[0]][1])
    assert found["object"] == name
    assert {"run", "generation", "code", "field", "got", "expected", "remedy", "message", "time"} <= set(
        found
    )
    assert world.storage.find(names.state_bucket(world.settings), names.job(str(found["run"]))) is None
    return found


def test_a_lone_csv_is_admitted_and_frozen() -> None:
    """The job names image, machine time and each object by its generation."""
    world = World()
    generation = world.upload("incoming/data.csv")
    run = admit(world, "incoming/data.csv", generation).run
    frozen = world.state.job(run)
    assert [(o.path, o.generation, o.size) for o in frozen.objects] == [("data.csv", generation, len(CSV))]
    assert frozen.image_digest == DIGEST
    assert frozen.expires > world.time.timestamp()


def test_a_set_is_everything_beside_its_job() -> None:
    """job.yaml itself is no data."""
    world = World()
    world.upload("incoming/set/a.csv")
    world.upload("incoming/set/deep/b.csv")
    world.upload("incoming/other/c.csv")
    generation = world.upload("incoming/set/job.yaml", b"arguments: {target: b}")
    frozen = world.state.job(admit(world, "incoming/set/job.yaml", generation).run)
    assert [o.path for o in frozen.objects] == ["a.csv", "deep/b.csv"]
    assert frozen.job.arguments == {"target": "b"}


def test_one_execution_has_the_run() -> None:
    """The same execution gets the same answer again, another is told that it lost."""
    world = World()
    generation = world.upload("incoming/data.csv")
    first = admit(world, "incoming/data.csv", generation)
    assert admit(world, "incoming/data.csv", generation) == first
    other = admit(world, "incoming/data.csv", generation, "execution-2")
    assert (other.run, other.admitted) == (first.run, False)
    assert "execution-1" in other.reason


@pytest.mark.parametrize("dies_at", [2, 3])
def test_a_call_that_died_is_taken_up(dies_at: int) -> None:
    """Whether the process died at the claim or at the job, the same execution goes on."""
    world = World()
    generation = world.upload("incoming/data.csv")
    world.storage.dies_at = dies_at
    with pytest.raises(DiedError):
        admit(world, "incoming/data.csv", generation)
    found = admit(world, "incoming/data.csv", generation)
    assert found.admitted
    assert world.state.job(found.run)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("incoming/empty.csv", b"", "empty_dataset"),
        ("incoming/prose.csv", b"no table\n" * 9, "not_csv"),
        ("incoming/a\x00.csv", CSV, "bad_object_name"),
        ("incoming/\u202ecsv", CSV, "bad_object_name"),
        ("incoming/..", CSV, "bad_object_name"),
        ("incoming/" + "x" * 1015, CSV, "bad_object_name"),
        ("incoming/job.yaml", b"{}", "bad_upload"),
        ("incoming/set/job.yaml", b"{}", "dataset_missing"),
        ("incoming/set/job.yaml", b"unknown: 1", "bad_job"),
        ("incoming/set/job.yaml", b"a: &a [x]\nb: *a", "bad_job"),
        ("incoming/set/job.yaml", b"trainer: !!python/name:os.system", "bad_job"),
        ("incoming/set/job.yaml", b"trainer: host/x:latest", "image_not_pinned"),
        ("incoming/set/job.yaml", b"trainer: host/x@sha256:" + b"c" * 64, "image_not_approved"),
        (
            "incoming/set/job.yaml",
            b"machine: {shape: a2-highgpu-1g, technology: SEV_SNP}",
            "unsupported_shape",
        ),
        ("incoming/set/job.yaml", b"limits: {cost_usd: 0.01}", "cost_over_limit"),
        ("incoming/set/job.yaml", b"tee: none", "unsupported_tee"),
        ("incoming/notes.txt", b"no table", "not_learnable"),
        ("incoming/double.csv", b"a,a\n1,2\n3,4\n", "not_learnable"),
    ],
)
def test_a_refusal_is_written_where_the_owner_finds_it(name: str, data: bytes, code: str) -> None:
    """The reason stands in the inbox outside incoming/, and no job is made."""
    world = World()
    assert refused(world, name, data)["code"] == code


def test_a_replaced_upload_is_refused() -> None:
    """The generation that started the run must still stand."""
    world = World()
    old = world.upload("incoming/set/job.yaml", b"{}")
    assert refused(world, "incoming/set/job.yaml", b"{}", generation=old)["code"] == "source_changed"


def test_a_replaced_lone_file_is_refused() -> None:
    """The same holds for a file without a job.yaml."""
    world = World()
    old = world.upload("incoming/data.csv")
    assert refused(world, "incoming/data.csv", CSV, generation=old)["code"] == "source_changed"


def test_data_that_vanishes_while_it_is_read_is_refused() -> None:
    """Listed, and gone or replaced before its first bytes were read."""
    world = World()
    world.upload("incoming/set/a.csv")
    listed = world.storage.list

    def list_and_replace(bucket: str, prefix: str = "") -> list[Any]:
        found = listed(bucket, prefix)
        world.upload("incoming/set/a.csv", b"x")
        return found

    world.storage.list = list_and_replace  # type: ignore[method-assign]
    assert refused(world, "incoming/set/job.yaml", b"{}")["code"] == "source_changed"


def test_a_refusal_repeated_is_the_same() -> None:
    """The owner is told once; the step answers the same again."""
    world = World()
    generation = world.upload("incoming/x.csv", b"")
    for _ in range(2):
        with pytest.raises(SealtrainError) as caught:
            admit(world, "incoming/x.csv", generation)
        assert caught.value.code == "empty_dataset"
    assert len([k for k in world.storage.objects if k[1].startswith("refused/")]) == 1
