"""The workload image: deterministic, complete, minimal; and pushing it."""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from cli.image import layout as image
from cli.image.layout import ImageError
from cli.image.push import push

REPOSITORY = Path(image.__file__).parents[2]
TABULAR = REPOSITORY / "workload" / "trainers" / "tabular"


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()


def layer_of(layout: Path) -> tarfile.TarFile:
    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(blob(layout, index["manifests"][0]["digest"]))
    packed = blob(layout, manifest["layers"][0]["digest"])
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed)))


def content(layout: Path) -> dict[str, bytes]:
    return {p.relative_to(layout).as_posix(): p.read_bytes() for p in layout.rglob("*") if p.is_file()}


def test_two_checkouts_give_the_same_bytes(tmp_path: Path) -> None:
    """Path, umask, file times, caches, bytecode, locale, time zone and hash seed do not reach the image."""
    copy = tmp_path / "another" / "place"
    for part in ("workload", "cli", "functions/sealtrain"):
        shutil.copytree(REPOSITORY / part, copy / part, copy_function=shutil.copyfile)
    trainer = copy / "workload" / "trainers" / "tabular"
    (trainer / "trainer" / "__pycache__").mkdir(exist_ok=True)
    (trainer / "trainer" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"?")
    for path in copy.rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1, 1))
    command = [sys.executable, "-m", "cli.image", "build", trainer, "-o", tmp_path / "two"]
    odd = {"LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "7"}
    built = subprocess.run(
        command, cwd=copy, env={**os.environ, **odd}, capture_output=True, text=True, check=True,
        umask=0o077, timeout=60,
    )  # fmt: skip
    assert built.stdout.strip() == image.build(TABULAR, tmp_path / "one")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_every_digest_and_size_is_true(tmp_path: Path) -> None:
    """Index, manifest, config and layer name each other by right digests and sizes."""
    digest = image.build(TABULAR, tmp_path)
    assert json.loads((tmp_path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    [top] = json.loads((tmp_path / "index.json").read_bytes())["manifests"]
    manifest = json.loads(blob(tmp_path, digest))
    for described in (top, manifest["config"], *manifest["layers"]):
        data = blob(tmp_path, described["digest"])
        assert described["size"] == len(data)
        assert described["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    config = json.loads(blob(tmp_path, manifest["config"]["digest"]))
    layer = gzip.decompress(blob(tmp_path, manifest["layers"][0]["digest"]))
    assert top["digest"] == digest
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert len(list((tmp_path / "blobs" / "sha256").iterdir())) == 3


def test_the_launcher_is_told_what_it_may_override(tmp_path: Path) -> None:
    """The command may be set from the VM's metadata; the environment may not."""
    manifest = json.loads(blob(tmp_path, image.build(TABULAR, tmp_path)))
    run = json.loads(blob(tmp_path, manifest["config"]["digest"]))["config"]
    assert run["Entrypoint"] == ["python3", "-m", "workload"]
    assert run["Labels"] == {
        "tee.launch_policy.allow_cmd_override": "true",
        "tee.launch_policy.log_redirect": "always",
    }


def test_the_layer_holds_what_is_imported_and_no_more(tmp_path: Path) -> None:
    """No cloud client, step, build tool, other trainer or bytecode is in the image."""
    image.build(TABULAR, tmp_path)
    with layer_of(tmp_path) as layer:
        members = layer.getmembers()
    names = [member.name for member in members]
    assert {m.mtime for m in members} | {m.uid for m in members} | {m.gid for m in members} == {0}
    assert {m.mode for m in members if m.isfile()} == {0o644}
    files = [m.name for m in members if m.isfile()]
    assert files == sorted(files)
    assert {"app/workload/__main__.py", "app/workload/confine.py", "app/trainer/__main__.py"} <= set(names)
    assert "app/sealtrain/sealing/stream.py" in names
    unwanted = re.compile(r"pyc|pycache|trainers|image\.py|push\.py|/cloud/|/steps|/listeners")
    assert [name for name in names if unwanted.search(name)] == []


def test_the_unpacked_image_runs(tmp_path: Path) -> None:
    """The layer alone, with Python and its libraries, is a program that asks for its order."""
    image.build(TABULAR, tmp_path / "layout")
    with layer_of(tmp_path / "layout") as layer:
        for member in layer.getmembers():
            content = layer.extractfile(member)
            if content is not None:
                (tmp_path / member.name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / member.name).write_bytes(content.read())
    ran = subprocess.run(
        [sys.executable, "-m", "workload"],
        cwd=tmp_path / "app",
        env={"PYTHONPATH": str(tmp_path / "app")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 2
    assert "--order" in ran.stderr


def test_one_changed_byte_of_the_trainer_is_another_image(tmp_path: Path) -> None:
    """The digest covers the trainer."""
    shutil.copytree(TABULAR, tmp_path / "t")
    before = image.build(tmp_path / "t", tmp_path / "one")
    with (tmp_path / "t" / "trainer" / "__main__.py").open("a") as file:
        file.write("\n")
    assert image.build(tmp_path / "t", tmp_path / "two") != before


def test_a_folder_without_a_trainer_is_refused(tmp_path: Path) -> None:
    """The refusal says what is expected."""
    with pytest.raises(ImageError, match=r"__main__\.py"):
        image.build(tmp_path, tmp_path / "out")


def test_a_link_in_the_trainer_is_refused(tmp_path: Path) -> None:
    """What a link points to would not be in the digest."""
    shutil.copytree(TABULAR, tmp_path / "t")
    (tmp_path / "t" / "trainer" / "x.py").symlink_to("/etc/hostname")
    with pytest.raises(ImageError, match="plain files"):
        image.build(tmp_path / "t", tmp_path / "out")


class Registry(BaseHTTPRequestHandler):
    """The part of an OCI registry that a push uses; refuses bytes of another digest."""

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": "0"} | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def do_HEAD(self) -> None:
        self.answer(200 if self.path.rsplit("/", 1)[1] in self.server.stored else 404)  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        self.server.uploads += 1  # type: ignore[attr-defined]
        status = 404 if self.server.refuses else 202  # type: ignore[attr-defined]
        self.answer(status, Location="/v2/upload-1?state=a")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        stored = self.server.stored  # type: ignore[attr-defined]
        name = requests.utils.unquote(self.path)
        if "/manifests/" in name:
            parts = json.loads(body)
            known = all(p["digest"] in stored for p in (parts["config"], *parts["layers"]))
            stored |= {name.split("/v2/")[1]: body, digest: body}
            self.answer(201 if known and self.headers["Content-Type"] == image.MANIFEST_TYPE else 400)
        else:
            stored[digest] = body
            self.answer(201 if name.endswith(f"state=a&digest={digest}") else 400)


@pytest.fixture
def registry() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    server.stored, server.uploads, server.refuses = {}, 0, False  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


NAME = "us-central1-docker.pkg.dev/demo-project/trainers/tabular"


def test_a_pushed_image_is_in_the_registry_under_digest_and_tag(
    tmp_path: Path, registry: ThreadingHTTPServer
) -> None:
    """All blobs and the manifest arrive; a second push sends no blob again."""
    digest = image.build(TABULAR, tmp_path)
    endpoint = f"http://127.0.0.1:{registry.server_port}"
    for _ in range(2):
        pushed = push(tmp_path, endpoint, f"{NAME}:v1", requests.Session())
    path = "demo-project/trainers/tabular/manifests"
    stored, uploads = registry.stored, registry.uploads  # type: ignore[attr-defined]
    assert pushed == f"{NAME}@{digest}"
    assert stored[f"{path}/{digest}"] == stored[f"{path}/v1"] == blob(tmp_path, digest)
    assert uploads == 2


@pytest.mark.parametrize(
    ("endpoint", "reference", "says"),
    [
        ("http://127.0.0.1:1", f"{NAME}@sha256:{'0' * 64}", "the layout is sha256:"),
        ("http://127.0.0.1:1", "tabular", "HOST/NAME"),
        ("https://registry.example", NAME, "127.0.0.1"),
    ],
)
def test_a_wrong_push_is_refused_before_any_call(
    tmp_path: Path, endpoint: str, reference: str, says: str
) -> None:
    """Another digest, no host, an endpoint that is not loopback."""
    image.build(TABULAR, tmp_path)
    with pytest.raises(ImageError, match=says):
        push(tmp_path, endpoint, reference, requests.Session())


def test_a_damaged_layout_is_not_pushed(tmp_path: Path, registry: ThreadingHTTPServer) -> None:
    """A blob whose bytes changed on disk is noticed."""
    digest = image.build(TABULAR, tmp_path)
    layer = json.loads(blob(tmp_path, digest))["layers"][0]["digest"].removeprefix("sha256:")
    with (tmp_path / "blobs" / "sha256" / layer).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ImageError, match="other bytes"):
        push(tmp_path, f"http://127.0.0.1:{registry.server_port}", NAME, requests.Session())


def test_the_command_says_why_a_push_was_refused(tmp_path: Path, registry: ThreadingHTTPServer) -> None:
    """A registry's refusal ends the command with one line, not with a traceback."""
    image.build(TABULAR, tmp_path)
    registry.refuses = True  # type: ignore[attr-defined]
    endpoint = f"http://127.0.0.1:{registry.server_port}"
    command = [sys.executable, "-m", "cli.image", "push", tmp_path, NAME]
    ran = subprocess.run(
        [*command, "--endpoint", endpoint],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("refused: starting an upload: HTTP 404")


def test_the_dockerfile_says_the_same_as_the_layout() -> None:
    """Entry point, environment, labels and folder are written twice and must agree."""
    text = (REPOSITORY / "workload" / "Dockerfile").read_text()
    run = image._RUN
    assert f"ENTRYPOINT {json.dumps(run['Entrypoint'])}" in text
    assert f"ENV {' '.join(run['Env'])}\n" in text
    assert f"WORKDIR {run['WorkingDir']}\n" in text
    assert f"LABEL {' '.join(f'{k}={v}' for k, v in run['Labels'].items())}\n" in text  # type: ignore[attr-defined]
    assert "ARG BASE\n" in text


def test_the_images_libraries_are_the_ones_tested_here() -> None:
    """Every pinned library of the image is pinned to that version for this machine too."""
    here = (REPOSITORY / "requirements-dev.txt").read_text().splitlines()
    pinned = {line.split(" ;")[0].strip() for line in here}
    wanted = (REPOSITORY / "workload" / "requirements.txt").read_text().splitlines()
    assert {line for line in wanted if line and not line.startswith("#")} <= pinned
