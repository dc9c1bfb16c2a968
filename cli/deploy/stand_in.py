"""The product on a stand-in: trainers' images, the functions' archive, and the described world.

- The trainers that are deployed are the trainers that are approved; `tabular` is the default. One that an
  earlier start on the same state brought stays approved.
- Deploying again onto the same state changes only what changed (the address, say, after a restart).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import requests
from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli import package
from cli.api import Api
from cli.deploy.apply import Outcome, apply
from cli.deploy.description import Parts, World
from cli.deploy.world import describe
from cli.errors import CommandError
from cli.stand_in import Ready

REGION = "us-central1"  # the stand-in has one
DEFAULT_TRAINER = package.ROOT / "workload" / "trainers" / "tabular"
KEYBOARD = "user:you@localhost"
MACHINE_ENV = {"SEALTRAIN_ENDPOINT": "{endpoint}", "SEALTRAIN_LAUNCHER_SOCKET": "{socket}"}
_WORD = re.compile(r"[a-z][a-z0-9-]{0,61}")


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """What stands: its settings, the approved trainers (reference by name), and what had to be done."""

    settings: Settings
    trainers: dict[str, str]
    outcome: Outcome


def deploy(ready: Ready, state: Path, trainer_dirs: Sequence[Path], attest_every_s: int = 3600) -> Deployed:
    """Deploy onto the stand-in that answers at `ready`. Raises PlaceError or CommandError."""
    images = built(state / "images", [DEFAULT_TRAINER, *trainer_dirs])
    bare = Settings(project=ready.project, project_number="0", region=REGION, endpoint=ready.endpoint)
    api = Api(bare, pause=_in_its_time(ready.endpoint))
    trainers = {
        name: f"{REGION}-docker.pkg.dev/{ready.project}/trainers/{name}@{digest}"
        for name, digest in images.items()
    }
    settings = msgspec.structs.replace(
        bare,
        project_number=_project_number(api, ready.project),
        trainer=trainers[DEFAULT_TRAINER.name],
        approved_images=tuple(images.values()),
        attest_every_s=attest_every_s,
        attestation_root=api.send("GET", "control", "/_control/attestation-root").text,
    )
    archive = package.archive()
    parts = Parts(
        owner=KEYBOARD,
        archive=package.object_name(archive),
        workflows=workflows(),
        environment={
            "SEALTRAIN_ENDPOINT": ready.endpoint,
            "SEALTRAIN_ATTEST_EVERY_S": str(attest_every_s),
        },
    )
    world = describe(settings, parts)

    def bring() -> None:
        _upload(api, _source_bucket(world), parts.archive, archive)
        for name, reference in trainers.items():
            _push(ready.endpoint, state / "images" / name, reference)

    outcome = apply(api, settings, world, before={"function": bring})
    return Deployed(settings=settings, trainers=trainers, outcome=outcome)


def _in_its_time(endpoint: str) -> Callable[[float], None]:
    """Waits for the stand-in's rate limits by moving its clock: nobody has to sit through them."""

    def pause(seconds: float) -> None:
        answer = requests.post(f"{endpoint}/_control/clock", json={"advance": seconds}, timeout=10)
        answer.raise_for_status()

    return pause


def environment(settings: Settings) -> dict[str, str]:
    """The settings as the variables they are read from; what is unset is left out."""
    values = {
        "SEALTRAIN_PROJECT": settings.project,
        "SEALTRAIN_PROJECT_NUMBER": settings.project_number,
        "SEALTRAIN_REGION": settings.region,
        "SEALTRAIN_DEPLOYMENT": settings.deployment,
        "SEALTRAIN_TRAINER": settings.trainer,
        "SEALTRAIN_APPROVED_IMAGES": ",".join(settings.approved_images),
        "SEALTRAIN_ATTESTATION_ROOT": settings.attestation_root,
        "SEALTRAIN_ATTEST_EVERY_S": str(settings.attest_every_s),
        "SEALTRAIN_ENDPOINT": settings.endpoint or "",
    }
    return {key: value for key, value in values.items() if value}


def built(folder: Path, trainer_dirs: Sequence[Path]) -> dict[str, str]:
    """Image digest by trainer's name: these, built anew, and what `folder` holds from before."""
    from cli.image.layout import ImageError, build

    found: dict[str, str] = {}
    for trainer in trainer_dirs:
        name = trainer.resolve().name
        if not _WORD.fullmatch(name) or name in found:
            raise CommandError(
                "a trainer needs a name of its own",
                field="--trainer",
                got=str(trainer),
                expected="a folder named with a-z, 0-9 and -, each name once",
            )
        shutil.rmtree(folder / name, ignore_errors=True)
        try:
            found[name] = build(trainer, folder / name)
        except ImageError as error:
            raise CommandError(str(error), field="--trainer", remedy="see workload/README.md") from error
    return _earlier(folder, found) | found


def _earlier(folder: Path, built: dict[str, str]) -> dict[str, str]:
    """Digest by name of what earlier starts on this state built."""
    layouts = sorted(file for file in folder.glob("*/index.json") if file.parent.name not in built)
    return {
        file.parent.name: msgspec.json.decode(file.read_bytes())["manifests"][0]["digest"] for file in layouts
    }


def _push(endpoint: str, layout: Path, reference: str) -> None:
    from requests import RequestException

    from cli.image.layout import ImageError
    from cli.image.push import push, session_for

    try:
        push(layout, endpoint, reference, session_for(endpoint))
    except (ImageError, RequestException) as error:
        raise CommandError(f"a trainer's image cannot be pushed: {error}") from error


def _source_bucket(world: World) -> str:
    """The bucket that the functions' source is taken from."""
    function = next(one for one in world.resources if one.kind == "function")
    return str(function.body["buildConfig"]["source"]["storageSource"]["bucket"])


def _project_number(api: Api, project: str) -> str:
    return str(api.get("cloudresourcemanager", f"/v3/projects/{project}")["name"]).rpartition("/")[2]


def workflows() -> dict[str, str]:
    """The workflows' source text by name."""
    folder = package.ROOT / "workflows"
    return {
        name: (folder / f"{name}.workflows.yaml").read_text()
        for name in (names.WORKFLOW_TRAIN, names.WORKFLOW_TEAR_DOWN)
    }


def _upload(api: Api, bucket: str, name: str, data: bytes) -> None:
    params = {"uploadType": "media", "name": name}
    headers = {"Content-Type": "application/zip"}
    path = f"/upload/storage/v1/b/{bucket}/o"
    api.call("POST", "storage", path, data=data, headers=headers, params=params)
