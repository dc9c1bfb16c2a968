"""Puts a dataset into the inbox: what is asked for is checked here first, then uploaded in the right order.

- A lone file goes to `incoming/FILE`. With a job, or as a folder, the data goes to `incoming/NAME/…` and
  `job.yaml` last, because that is what starts the run.
- The same bytes under the same name are not sent again: then the run that they started is the run.
- Uploads go through Google's own client, which resumes and checks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from sealtrain.rules import names
from sealtrain.rules.dataset import SNIFFED_BYTES, check_look
from sealtrain.rules.job import default_job
from sealtrain.rules.job_file import LARGEST_JOB_BYTES, parse_job
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import INCOMING, JOB_FILE, Upload, check_object_name, check_upload

from cli import objects
from cli.api import Api, no_credentials
from cli.errors import CloudError, CommandError

_PROBE_BYTES = 64 * 1024


class Plan(msgspec.Struct, frozen=True):
    """What is uploaded: (object name, file) in order; the last one starts the run.

    `data` is the dataset alone: (path in the dataset, file).
    """

    files: tuple[tuple[str, Path], ...]
    data: tuple[tuple[str, Path], ...]


def plan(data: Path, job: Path | None) -> Plan:
    """The files of a submission, checked. Raises CommandError or RefusedError naming what is wrong."""
    if not data.exists():
        raise CommandError(
            "there is no such data",
            field="DATA",
            got=str(data),
            remedy="give a CSV file, or a folder of data",
        )
    job = job or (data / JOB_FILE if data.is_dir() and (data / JOB_FILE).is_file() else None)
    if job is None:
        if data.is_dir():
            raise CommandError(
                "a folder needs a job.yaml",
                field="--job",
                got="nothing",
                expected=f"{data / JOB_FILE}, or --job FILE",
                remedy="write one; an empty file means the defaults",
            )
        _check_data(data)
        return Plan(((f"{INCOMING}{data.name}", data),), ((data.name, data),))
    _check_job(job)
    sources = _data_files(data, job)
    folder = f"{INCOMING}{data.resolve().stem if data.is_file() else data.resolve().name}/"
    named = [(folder + path, file) for path, file in sources]
    return Plan((*named, (folder + JOB_FILE, job)), tuple(sources))


def look(planned: Plan) -> None:
    """Judge the data by its first bytes as admission does. Raises RefusedError.

    What needs the deployment is not judged: prices, approved images, how large a machine is.
    """
    starter, file = planned.files[-1]
    lone = len(planned.files) == 1
    job = default_job(starter) if lone else parse_job(file.read_bytes())
    check_look(
        [(path, each.stat().st_size, partial(_head, each)) for path, each in planned.data],
        job,
        own=not job.trainer,
    )


def _head(file: Path) -> bytes:
    with file.open("rb") as source:
        return source.read(SNIFFED_BYTES)


def send(api: Api, settings: Settings, planned: Plan, attempt: int) -> tuple[Upload, bool]:
    """Upload what is not there yet; the upload that the run is derived from, and whether it is new.

    A later attempt is one at an upload that stands; CommandError if there is none.
    """
    inbox = names.inbox_bucket(settings)
    starter = planned.files[-1][0]
    check_upload(Upload(bucket=inbox, object=starter, generation="0", attempt=attempt), inbox)
    for name, _ in planned.files:
        check_object_name(name)
    there = [_same(api, inbox, name, file) for name, file in planned.files]
    started = there[-1]
    if started is not None and None not in there:
        return Upload(bucket=inbox, object=starter, generation=started.generation, attempt=attempt), False
    if attempt > 1:
        raise CommandError(
            "there is no such upload to try again",
            field="--attempt",
            got=f"{attempt}, and {starter} is not there with the same bytes",
            remedy="submit it without --attempt first",
        )
    changed = [pair for pair, found in zip(planned.files[:-1], there, strict=False) if found is None]
    # The starter goes last and always: it is what the event is about.
    generations = _put(client(settings).bucket(inbox), [*changed, planned.files[-1]])
    return Upload(bucket=inbox, object=starter, generation=generations[-1], attempt=attempt), True


def _same(api: Api, inbox: str, name: str, file: Path) -> objects.Object | None:
    """The object, if it holds the file's bytes already."""
    there = objects.find(api, inbox, name)
    if there is None or there.size != file.stat().st_size or there.md5 != objects.md5_of(file):
        return None
    return there


def _put(bucket: Any, files: Sequence[tuple[str, Path]]) -> list[str]:
    """Upload in this order; the new objects' generations."""
    from google.api_core.exceptions import GoogleAPIError
    from requests import RequestException

    generations = []
    for name, file in files:
        blob = bucket.blob(name)
        try:
            blob.upload_from_filename(str(file), checksum="crc32c")
        except (GoogleAPIError, RequestException) as error:
            code = int(getattr(error, "code", None) or 500)
            raise CloudError(f"{file} cannot be uploaded: {error}", status=code) from error
        generations.append(str(blob.generation))
    return generations


def client(settings: Settings) -> Any:
    """Google's storage client for this deployment; on the stand-in, the person at the keyboard."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    if settings.endpoint:
        return storage.Client(
            project=settings.project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": settings.endpoint},
        )
    try:
        return storage.Client(project=settings.project)
    except DefaultCredentialsError as error:
        raise no_credentials() from error


def _data_files(data: Path, job: Path) -> list[tuple[str, Path]]:
    if data.is_file():
        _check_data(data)
        return [(data.name, data)]
    found = []
    for file in sorted(data.rglob("*")):
        path = file.relative_to(data)
        if file.is_dir() or file.resolve() == job.resolve() or any(p.startswith(".") for p in path.parts):
            continue
        _check_data(file)
        found.append((path.as_posix(), file))
    if not found:
        raise CommandError(
            "the folder holds no data", field="DATA", got=str(data), remedy="put the data files into it"
        )
    return found


def _check_data(file: Path) -> None:
    if file.is_symlink() or not file.is_file():
        raise CommandError("not a plain file", field="DATA", got=str(file), remedy="give the file itself")
    if file.stat().st_size == 0:
        raise CommandError("the file is empty", field="DATA", got=f"{file}: 0 bytes", expected="data")
    if file.suffix.lower() == ".csv":
        with file.open("rb") as source:
            head = source.read(_PROBE_BYTES)
        if b"\0" in head:
            raise CommandError(
                "the file is not a CSV",
                field="DATA",
                got=f"{file}: a NUL byte at {head.index(0)}",
                expected="rows of text",
                remedy="export it as CSV in UTF-8",
            )


def _check_job(job: Path) -> None:
    if not job.is_file():
        raise CommandError("there is no such job", field="--job", got=str(job), remedy="give a job.yaml")
    with job.open("rb") as source:
        parse_job(source.read(LARGEST_JOB_BYTES + 1))
