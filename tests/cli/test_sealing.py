"""`sealtrain seal`, `open` and `rewrap`, on a stand-in that really runs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sealtrain.rules import names
from sealtrain.rules.dataset import MANIFEST
from sealtrain.sealing import DataKey, SealingError, WrappedKey, parse_manifest, parse_owners_manifest

from cli import sealed
from cli.api import Api
from cli.deploy.stand_in import Deployed
from cli.errors import CommandError
from cli.keys import OwnersKey
from cli.sealing import FolderVault, seal_folder
from cli.verbs import open as open_verb
from cli.verbs import rewrap as rewrap_verb
from cli.verbs import seal as seal_verb
from cli.verbs import submit as submit_verb

FILES = {"a.csv": b"0123456789" * 3 + b"tail", "sub/b.csv": b"9876543210" * 2}
PART_BYTES = 10


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of data, with a job and a hidden file."""
    for name, content in {**FILES, "job.yaml": b"{}", ".hidden": b"x"}.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(content)
    return tmp_path / "data"


@pytest.fixture
def key(api: Api, deployed: Deployed) -> OwnersKey:
    """The owner's key for datasets."""
    return OwnersKey(api, names.datasets_key(deployed.settings))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, deployed: Deployed) -> None:
    """The verbs speak to the stand-in."""
    settings = deployed.settings
    monkeypatch.chdir(tmp_path)
    for name in ("project", "project_number", "region", "endpoint"):
        monkeypatch.setenv(f"SEALTRAIN_{name.upper()}", str(getattr(settings, name)))


def contents(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def opened(api: Api, folder: Path, out: Path) -> dict[str, bytes]:
    place = sealed.find(api, str(folder))
    manifest = parse_manifest(place.manifest())
    assert manifest.key is not None
    sealed.open_files(place, manifest, DataKey.parse(OwnersKey(api).unwrap(manifest.key)), out)
    return contents(out)


@pytest.mark.usefixtures("here")
def test_what_is_sealed_opens_again(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`seal` writes a folder ready for upload that shows no plain byte; `open` gives the files back."""
    assert seal_verb.seal(data, None, "", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    target = tmp_path / "data.sealed"
    assert (told["folder"], told["files"], told["parts"]) == (str(target), 2, 2)
    written = contents(target)
    assert {name.partition("/")[0] for name in written} == {MANIFEST, "parts", "job.yaml"}
    assert not any(plain in content for plain in FILES.values() for content in written.values())
    assert parse_owners_manifest(written[MANIFEST])[0].sealed_by == "owner"
    assert open_verb.open_(str(target), Path("out"), as_json=False) == 0
    assert contents(Path("out")) == FILES


@pytest.mark.usefixtures("here")
def test_a_sealed_folder_has_the_id_of_its_data(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `submit --dry-run` prints to pin a dataset is the same before and after sealing."""
    ids = []
    (data / "job.yaml").write_text("format: files\ntrainer: my/trainer@sha256:00\n")
    seal_verb.seal(data, None, "", as_json=True)
    for folder in (data, tmp_path / "data.sealed"):
        capsys.readouterr()
        assert submit_verb.dry_run(folder, None, as_json=True) == 0
        ids.append(json.loads(capsys.readouterr().out)["dataset"])
    assert ids[0] == ids[1]


def test_a_seal_that_was_cut_off_anywhere_goes_on(
    data: Path, tmp_path: Path, key: OwnersKey, api: Api
) -> None:
    """Wherever it was cut off, the same command ends with one manifest, and no part that it does not name."""
    cuts = 0
    for after in range(1, 40):
        out = tmp_path / f"out-{after}"
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            _die_at(patch, after)
            seal_folder(data, out, key, PART_BYTES)
            break
        cuts += 1
        manifest = seal_folder(data, out, key, PART_BYTES)
        named = {part.object for file in manifest.files for part in file.parts}
        assert set(contents(out)) == {MANIFEST, "job.yaml", *named}
        assert opened(api, out, tmp_path / f"plain-{after}") == FILES
    assert cuts > 10


def _die_at(patch: pytest.MonkeyPatch, write: int) -> None:
    left = [write]

    def dying(method: Callable[..., object]) -> Callable[..., object]:
        def call(self: FolderVault, *given: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return method(self, *given)

        return call

    for name in ("keep", "writer", "finish"):
        patch.setattr(FolderVault, name, dying(getattr(FolderVault, name)))


def test_data_that_changed_since_a_cut_is_refused(data: Path, tmp_path: Path, key: OwnersKey) -> None:
    """Other files than those that were hashed are told before anything goes on."""
    with pytest.MonkeyPatch.context() as patch:
        _die_at(patch, 6)
        with pytest.raises(KeyboardInterrupt):
            seal_folder(data, tmp_path / "out", key, PART_BYTES)
    (data / "a.csv").write_bytes(b"longer than before, and other" * 2)
    with pytest.raises(CommandError, match="not what it was"):
        seal_folder(data, tmp_path / "out", key, PART_BYTES)


def test_a_sealed_folder_is_not_sealed_over(data: Path, tmp_path: Path, key: OwnersKey) -> None:
    """Two datasets in one folder would be none."""
    seal_folder(data, tmp_path / "out", key)
    with pytest.raises(CommandError, match="stands there already"):
        seal_folder(data, tmp_path / "out", key)


def drop(folder: Path, names_: list[str]) -> str:
    (folder / names_[1]).unlink()
    return "no such object"


def swap(folder: Path, names_: list[str]) -> str:
    one, two = folder / names_[1], folder / names_[2]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    return "part 3 of 4 of a.csv"


def truncate(folder: Path, names_: list[str]) -> str:
    content = (folder / names_[1]).read_bytes()
    (folder / names_[1]).write_bytes(content[:-1])
    return f"{len(content) - 1} bytes"


@pytest.mark.parametrize("tamper", [drop, swap, truncate])
def test_a_folder_that_was_changed_is_refused_and_the_part_named(
    data: Path, tmp_path: Path, key: OwnersKey, api: Api, tamper: Callable[[Path, list[str]], str]
) -> None:
    """Which file, which part, what was there and what was expected; nothing of the file is left."""
    manifest = seal_folder(data, tmp_path / "out", key, PART_BYTES)
    found = tamper(tmp_path / "out", [part.object for part in manifest.files[0].parts])
    with pytest.raises(SealingError, match=r"part 2 of 4 of a\.csv") as caught:
        opened(api, tmp_path / "out", tmp_path / "plain")
    assert found in str(caught.value)
    assert contents(tmp_path / "plain") == {}


def test_a_manifest_that_was_changed_opens_nothing(data: Path, tmp_path: Path, key: OwnersKey) -> None:
    """The owner's key is bound to files and parts: another list is refused, and so is another binding."""
    seal_folder(data, tmp_path / "out", key)
    file = tmp_path / "out" / MANIFEST
    text = file.read_text()
    renamed = text.replace("a.csv", "z.csv").encode()
    with pytest.raises(SealingError, match="manifest id"):
        parse_owners_manifest(renamed)
    manifest, wrapped = parse_owners_manifest(text.encode())
    moved = WrappedKey(wrapped.kms_key, wrapped.key_version, wrapped.wrapped, "sha256:" + "0" * 64)
    with pytest.raises(SealingError, match="key refused"):
        key.unwrap(moved)
    assert manifest.binding() == wrapped.associated_data


@pytest.mark.usefixtures("here")
def test_rewrap_moves_to_the_newest_version_and_touches_no_part(
    data: Path, tmp_path: Path, api: Api, deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a rotation old versions still open; after rewrap the old one may go."""
    out = tmp_path / "out"
    seal_verb.seal(data, out, "", as_json=True)
    before = contents(out)
    versions = f"/v1/{names.datasets_key(deployed.settings)}/cryptoKeyVersions"
    old = json.loads(before[MANIFEST])["key"]["key_version"]
    assert rewrap_verb.rewrap(str(out), "", as_json=True) == 0
    assert contents(out) == before
    new = str(api.post("cloudkms", versions)["name"])
    api.post(
        "cloudkms",
        f"/v1/{names.datasets_key(deployed.settings)}:updatePrimaryVersion",
        {"cryptoKeyVersionId": new.rpartition("/")[2]},
    )
    assert opened(api, out, tmp_path / "old version") == FILES
    capsys.readouterr()
    assert rewrap_verb.rewrap(str(out), "", as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"before": old, "after": new, "changed": True}
    after = contents(out)
    assert {name for name in after if after[name] != before[name]} == {MANIFEST}
    api.post("cloudkms", f"/v1/{old}:destroy")
    assert opened(api, out, tmp_path / "new version") == FILES


@pytest.mark.usefixtures("here")
def test_rewrap_moves_an_uploaded_dataset_to_another_key(
    data: Path, tmp_path: Path, api: Api, deployed: Deployed
) -> None:
    """In Cloud Storage too, and only over the manifest that was read."""
    from cli.upload import client

    out = tmp_path / "out"
    seal_verb.seal(data, out, "", as_json=False)
    inbox = client(deployed.settings).bucket(names.inbox_bucket(deployed.settings))
    for name, content in contents(out).items():
        inbox.blob(f"elsewhere/{name}").upload_from_string(content)
    where = f"gs://{inbox.name}/elsewhere"
    other = names.owner_key(deployed.settings)
    stale = sealed.find(api, where)
    stale_manifest = stale.manifest()
    assert rewrap_verb.rewrap(where, other, as_json=False) == 0
    _, wrapped = parse_owners_manifest(sealed.find(api, where).manifest())
    assert wrapped.kms_key == other
    with pytest.raises(CommandError, match="412"):
        stale.replace(stale_manifest)
    assert open_verb.open_(where, tmp_path / "plain", as_json=False) == 0
    assert contents(tmp_path / "plain") == FILES


def test_a_file_in_the_way_is_left_alone(data: Path, tmp_path: Path, key: OwnersKey, api: Api) -> None:
    """Opening overwrites nothing of other content."""
    seal_folder(data, tmp_path / "out", key)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.csv").write_bytes(b"mine")
    with pytest.raises(CommandError, match="in the way"):
        opened(api, tmp_path / "out", tmp_path / "plain")
    assert (tmp_path / "plain" / "a.csv").read_bytes() == b"mine"


def test_a_key_that_one_may_not_use_is_told(data: Path, tmp_path: Path, api: Api, deployed: Deployed) -> None:
    """The person at the keyboard may not use the deployment's own keys."""
    with pytest.raises(CommandError, match="you may not encrypt"):
        seal_folder(data, tmp_path / "out", OwnersKey(api, names.sealing_key(deployed.settings)))
