"""A canary: one upload that has to be refused, followed from the storage event to the written refusal.

- It crosses the trigger, the listener, the workflow and the first step, and makes no machine, key or bucket.
- All that it leaves is removed again, whatever comes of it: the upload, the refusal, and last the claim, or
  the sweep would take it for a run that never ended. What cannot be removed is told.
- An event that comes once more after that leaves a run that is refused: its upload is gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import quote

from sealtrain.rules import names
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Upload, run_of

from cli import objects
from cli.api import Api
from cli.called import called
from cli.doctor import mending
from cli.doctor.line import Line, fail, ok, warn
from cli.errors import CloudError

OBJECT = "incoming/doctor-canary/job.yaml"
JOB = b"canary: this job has to be refused\n"
_LOOK_EVERY_S = 0.5
_GONE = (200, 204, 404)


def check(api: Api, settings: Settings, within_s: float) -> list[Line]:
    """The refusal came, and how fast, or nothing came in time; and what of the canary stays."""
    bucket, started = names.inbox_bucket(settings), time.monotonic()
    try:
        made = api.call(
            "POST",
            "storage",
            f"/upload/storage/v1/b/{bucket}/o",
            data=JOB,
            headers={"Content-Type": "application/yaml"},
            params={"uploadType": "media", "name": OBJECT},
        )
    except CloudError as error:
        return [fail("canary", f"cannot be uploaded: {error}", mending.again(settings))]
    run = run_of(Upload(bucket=bucket, object=OBJECT, generation=str(made["generation"]), attempt=1))
    try:
        line = _followed(api, bucket, run, started, within_s)
    finally:
        stays = list(_removed(api, settings, run))
    return [line, *stays]


def _followed(api: Api, bucket: str, run: str, started: float, within_s: float) -> Line:
    """Wait for the refusal."""
    while time.monotonic() < started + within_s:
        if objects.find(api, bucket, names.refusal(run)):
            took = time.monotonic() - started
            return ok("canary", f"an upload was seen, judged and refused in {took:.1f} s")
        time.sleep(_LOOK_EVERY_S)
    return fail("canary", f"an upload was not answered within {within_s:.0f} s", f"{called()} logs {run}")


def _removed(api: Api, settings: Settings, run: str) -> Iterator[Line]:
    """Remove all of it; a line for what stays."""
    inbox, state = names.inbox_bucket(settings), names.state_bucket(settings)
    for bucket, name in ((inbox, OBJECT), (inbox, names.refusal(run)), (state, names.claim(run))):
        answer = api.send("DELETE", "storage", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}")
        if answer.status_code not in _GONE:
            told = f"{names.gs(bucket, name)} could not be removed: HTTP {answer.status_code}"
            yield warn("canary", told, mending.remove_object(settings, bucket, name))
