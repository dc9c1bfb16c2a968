"""Bad uploads: a clear error that names the field, nothing half-made, nothing lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sealtrain.rules.uploads import run_of

from tests.journeys.world import World

CSV = b"a,b,c\n1,2,x\n3,4,y\n"
BOMB = "a: &a [1,2]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\narguments: {x: *c}\n"
UNPINNED = "trainer: us-central1-docker.pkg.dev/demo-project/trainers/tabular:latest\n"
RECIPE = "machine: {shape: a2-highgpu-1g, technology: SEV_SNP, mode: reservation}\n"

# name -> (data, job.yaml or None for a lone file, a word that the refusal must contain)
REFUSED = {
    "empty-file": (b"", None, "empty"),
    "not-a-csv": (bytes(range(256)) * 4, None, "CSV"),
    "one-column": (b"alone\n1\n2\n", None, "column"),
    "unknown-field": (CSV, "trainr: x\n", "trainr"),
    "wrong-type": (CSV, "limits: {seconds: soon}\n", "limits.seconds"),
    "yaml-bomb": (CSV, BOMB, "job.yaml"),
    "python-tag": (CSV, "arguments: !!python/object/apply:os.system ['true']\n", "job.yaml"),
    "not-pinned": (CSV, UNPINNED, "trainer"),
    "recipe": (CSV, RECIPE, "a2-highgpu-1g"),
    "calendar": (CSV, "machine: {shape: a3-highgpu-1g, mode: calendar}\n", "8 GPUs only"),
    "no-tee": (CSV, "tee: none\n", "tee"),
    "unknown-target": (CSV, "arguments: {target: nosuch}\n", "arguments.target"),
    "one-class": (b"a,b\n1,x\n2,x\n", None, "only one"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_bad_upload_is_refused_where_its_owner_finds_it(world: World, name: str) -> None:
    """The refusal lies outside incoming/, says field, got, expected and what to do; the upload stays."""
    data, job, word = REFUSED[name]
    upload = world.upload(f"bad-{name}" + ("" if job else ".csv"), data, job)

    refusal = world.refusal(upload)

    assert word.lower() in str(refusal).lower(), refusal
    assert refusal["remedy"]
    assert refusal["message"]
    assert world.inbox.blob(upload.object).exists()
    assert list(world.evidence.list_blobs(prefix=f"runs/{run_of(upload)}/")) == []
    assert world.bills(run_of(upload)) == []


ODD_NAMES = {
    "dot-dot": "incoming/../etc.csv",
    "nul": "incoming/a\x00b.csv",
    "too-long": "incoming/" + "x" * (1024 - len("incoming/.csv")) + ".csv",
    "right-to-left": "incoming/a\u202egpj.csv",
    "control": "incoming/a\x1b[31m.csv",
}


@pytest.mark.parametrize("name", sorted(ODD_NAMES))
def test_an_object_with_an_odd_name_is_refused(world: World, name: str) -> None:
    """Names with `..`, NUL, 1,024 bytes or direction marks start no run; their owner reads why."""
    upload = world.put(ODD_NAMES[name], CSV)
    assert len(upload.object.encode()) <= 1024

    refusal = world.refusal(upload)

    assert refusal["field"] == "object", refusal
    assert list(world.evidence.list_blobs(prefix=f"runs/{run_of(upload)}/")) == []


def test_what_is_not_a_run_starts_none(world: World) -> None:
    """Objects outside incoming/, and files of a folder that has no job.yaml yet, start nothing."""
    before = {e["name"] for e in _executions(world)}
    world.put("elsewhere/data.csv", CSV)
    world.put("incoming/folder/data.csv", CSV)
    upload = world.upload("after-the-others.csv", b"")
    world.refusal(upload)
    started = [e for e in _executions(world) if e["name"] not in before]
    assert len(started) == 1


def test_the_same_event_ten_times_at_once_is_one_run(world: World, few_lines: bytes) -> None:
    """One execution wins the claim; the others end without having made anything."""
    upload = world.upload("ten-times", few_lines, f"trainer: {world.trainers['minimal']}\n")
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: world.execute(upload), range(10)))

    closed = world.closed(upload)

    assert closed["outcome"] == "succeeded"
    assert len(world.ledger(run_of(upload), "instance", "made")) == 1


def _executions(world: World) -> list[dict[str, str]]:
    path = f"projects/{world.settings.project}/locations/{world.settings.region}/workflows/train"
    return list(world.get(f"/v1/{path}/executions").get("executions", []))
