"""Sealed data in whole runs: sealed by its owner, keys rotated in mid-run, a source forgotten, tampering."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sealtrain.rules import names, receipt
from sealtrain.rules.uploads import Upload, run_of

from cli.api import Api
from cli.keys import OwnersKey
from cli.model import open_model
from cli.sealing import seal_folder
from cli.trust import check
from cli.verbs.fetch import public_keys
from cli.verbs.rewrap import rewrap
from tests.journeys.world import World


def sealed_by_owner(world: World, tmp_path: Path, data: bytes, name: str) -> tuple[Path, dict[str, bytes]]:
    """A folder as `sealtrain seal` writes it, and its objects by name below incoming/NAME/."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "data.csv").write_bytes(data)
    target = tmp_path / f"{name}.sealed"
    key = OwnersKey(Api(world.settings), names.datasets_key(world.settings))
    seal_folder(tmp_path / name, target, key, part_bytes=len(data) // 3 + 1)
    files = [file for file in sorted(target.rglob("*")) if file.is_file()]
    return target, {file.relative_to(target).as_posix(): file.read_bytes() for file in files}


def upload_all(world: World, name: str, objects: dict[str, bytes], job: str) -> Upload:
    """Upload a folder with the official client, the job last."""
    for path, content in objects.items():
        world.inbox.blob(f"incoming/{name}/{path}").upload_from_string(content)
    return world.put(f"incoming/{name}/job.yaml", job.encode())


def opened_model(world: World, run: str, out: Path) -> list[str]:
    """The model's files, opened for its owner and compared with the receipt."""
    record = world.record(names.token(run)) or {}
    signed = world.evidence.blob(names.receipt(run)).download_as_bytes()
    found = receipt.parse(signed, record["public_key_pem"])
    return open_model(Api(world.settings), world.settings, run, found, out)


def test_a_dataset_that_its_owner_sealed_is_trained_on_and_never_plain(
    world: World, patients: bytes, tmp_path: Path
) -> None:
    """The VM opens it with the owner's key; no object holds a plain row; the report says end to end."""
    _, objects = sealed_by_owner(world, tmp_path, patients, "owners")
    job = f"trainer: {world.trainers['minimal']}\n"

    upload = upload_all(world, "owners", objects, job)

    run = run_of(upload)
    closed = world.closed(upload)
    assert closed["outcome"] == "succeeded", closed
    order = world.json(world.state, names.order(run))
    manifest = json.loads(objects["manifest.json"])
    assert order is not None
    assert order["dataset"]["sealed_by"] == "owner"
    assert order["dataset"]["id"] == manifest["id"]
    assert order["dataset"]["manifest"] == manifest["key"]["associated_data"]
    assert order["release"]["kms_key"] == names.datasets_key(world.settings)
    bundle = world.evidence.blob(names.bundle(run)).download_as_bytes()
    checks, _ = check(bundle, public_keys(Api(world.settings), world.settings), datetime.now(UTC))
    assert [c for c in checks if not c.ok] == []
    assert "sealed end to end: by its owner" in json.dumps(world.record(names.report(run, "json")))
    row = patients.splitlines()[-2]
    inbox, state = world.inbox.list_blobs(prefix="incoming/owners/"), world.state.list_blobs()
    mine = [*inbox, *(blob for blob in state if run in blob.name)]
    assert len(mine) > 5
    assert [blob.name for blob in mine if row in blob.download_as_bytes()] == []
    assert world.bills(run) == []


@pytest.mark.parametrize(
    ("name", "code", "field"),
    [
        ("dropped", "sealed_part_missing", "part 2 of"),
        ("truncated", "sealed_part_changed", "part 2 of"),
        ("stranger", "sealed_part_unknown", "extra.csv"),
        ("renamed", "bad_manifest", "manifest id"),
    ],
)
def test_a_sealed_upload_that_is_not_whole_is_refused_before_anything_is_made(
    world: World, few_lines: bytes, tmp_path: Path, name: str, code: str, field: str
) -> None:
    """The owner reads which file and which part it is, what was found and what was expected."""
    _, objects = sealed_by_owner(world, tmp_path, few_lines, name)
    part = json.loads(objects["manifest.json"])["files"][0]["parts"][1]["object"]
    if name == "dropped":
        del objects[part]
    elif name == "truncated":
        objects[part] = objects[part][:-1]
    elif name == "stranger":
        objects["extra.csv"] = few_lines
    else:
        objects["manifest.json"] = objects["manifest.json"].replace(b"data.csv", b"dato.csv")

    refusal = world.refusal(upload_all(world, name, objects, "{}"))

    assert (refusal["code"], field in refusal["field"]) == (code, True), refusal
    assert refusal["got"]
    assert refusal["expected"]


def test_a_part_swapped_after_admission_opens_nothing(
    world: World, few_lines: bytes, tmp_path: Path
) -> None:
    """Two parts of equal size, swapped in the upload: only the VM can see it, and it names the part."""
    _, objects = sealed_by_owner(world, tmp_path, few_lines * 3, "swapped")
    one, two = [p["object"] for p in json.loads(objects["manifest.json"])["files"][0]["parts"][:2]]
    objects[one], objects[two] = objects[two], objects[one]

    closed = world.closed(upload := upload_all(world, "swapped", objects, ""))

    assert closed["outcome"] != "succeeded"
    assert "dataset_mismatch" in json.dumps(closed)
    assert world.record(names.receipt(run_of(upload))) is None
    assert world.bills(run_of(upload)) == []


def test_keys_rotated_in_the_middle_of_a_run_change_nothing_for_it(
    world: World, patients: bytes, tmp_path: Path
) -> None:
    """The data key opens with the version that wrapped it; the model is sealed with the newest; both open."""
    api = Api(world.settings)
    upload = world.upload("rotated", patients, f"trainer: {world.trainers['minimal']}\n")
    run = run_of(upload)
    world.until(lambda: world.json(world.state, names.order(run)), "the order is frozen")
    keys = [names.run_key(world.settings, run), names.owner_key(world.settings)]
    newest = {key: rotate(api, key) for key in (*keys, names.storage_key(world.settings))}

    closed = world.closed(upload)

    assert closed["outcome"] == "succeeded", closed
    held = world.json(world.state, names.release(run))
    assert held is not None
    assert held["key_version"].endswith("/cryptoKeyVersions/1")
    model = world.json(world.models, names.model_manifest(run))
    assert model is not None
    assert model["key"]["key_version"] == newest[names.owner_key(world.settings)]
    assert opened_model(world, run, tmp_path / "model")


def test_an_owners_key_rotated_in_the_middle_of_a_run_changes_nothing_for_it(
    world: World, few_lines: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run opens what it was given with the version that wrapped it. `rewrap` then moves the sealed folder
    to the newest one: the old one is not needed any more, and the next run trains on the same dataset.
    """
    api, key = Api(world.settings), names.datasets_key(world.settings)
    folder, objects = sealed_by_owner(world, tmp_path, few_lines, "rotating")
    before = json.loads(objects["manifest.json"])
    job = f"trainer: {world.trainers['minimal']}\n"
    upload = upload_all(world, "rotating", objects, job)
    world.until(lambda: world.json(world.state, names.order(run_of(upload))), "the order is frozen")
    newest = rotate(api, key)

    closed = world.closed(upload)

    assert closed["outcome"] == "succeeded", closed
    held = world.json(world.state, names.release(run_of(upload))) or {}
    assert held["key_version"] == before["key"]["key_version"] != newest
    assert world.bundle_problems(run_of(upload)) == []

    for name in ("project", "project_number", "region", "endpoint"):
        monkeypatch.setenv(f"SEALTRAIN_{name.upper()}", str(getattr(world.settings, name)))
    assert rewrap(str(folder), "", as_json=False) == 0
    manifest = (folder / "manifest.json").read_bytes()
    after = json.loads(manifest)
    assert after["key"]["key_version"] == newest
    assert {**after, "key": ""} == {**before, "key": ""}
    api.call(
        "PATCH", "cloudkms", f"/v1/{held['key_version']}", body={"state": "DISABLED"},
        params={"updateMask": "state"},
    )  # fmt: skip

    again = upload_all(world, "rewrapped", {**objects, "manifest.json": manifest}, job)

    assert world.closed(again)["outcome"] == "succeeded"
    order = world.json(world.state, names.order(run_of(again))) or {}
    assert order["dataset"]["id"] == before["id"]


def rotate(api: Api, key: str) -> str:
    """Make a new version of the key the primary one, as a rotation does; its name."""
    made = str(api.post("cloudkms", f"/v1/{key}/cryptoKeyVersions")["name"])
    api.post("cloudkms", f"/v1/{key}:updatePrimaryVersion", {"cryptoKeyVersionId": made.rpartition("/")[2]})
    return made


def test_a_source_is_forgotten_when_the_job_says_so(world: World, few_lines: bytes) -> None:
    """`source: forget`: the run succeeds, and the data is not in the inbox any more; the job stays."""
    upload = world.upload("forgotten", few_lines, f"trainer: {world.trainers['minimal']}\nsource: forget\n")

    closed = world.closed(upload)

    assert closed["outcome"] == "succeeded", closed
    left = [blob.name for blob in world.inbox.list_blobs(prefix="incoming/forgotten/")]
    assert left == ["incoming/forgotten/job.yaml"]
