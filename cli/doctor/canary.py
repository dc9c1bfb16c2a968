"""A canary: one upload that has to be refused, followed from the storage event to the written refusal.

- It crosses the trigger, the listener, the workflow and the first step, and makes no machine, key or bucket.
- The canary and the refusal are removed again, whatever comes of it.
"""

from __future__ import annotations

import time
from urllib.parse import quote

from sealtrain.rules import names
from sealtrain.rules.settings import Settings
from sealtrain.rules.uploads import Upload, run_of

from cli.api import Api
from cli.called import called
from cli.doctor import mending
from cli.doctor.line import Line, fail, ok
from cli.errors import CloudError

OBJECT = "incoming/doctor-canary/job.yaml"
JOB = b"canary: this job has to be refused\n"
_LOOK_EVERY_S = 0.5


def check(api: Api, settings: Settings, within_s: float) -> list[Line]:
    """One line: the refusal came, and how fast; or nothing came in time."""
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
    upload = Upload(bucket=bucket, object=OBJECT, generation=str(made["generation"]), attempt=1)
    refusal = names.refusal(run_of(upload))
    try:
        while time.monotonic() < started + within_s:
            if api.find("storage", f"/storage/v1/b/{bucket}/o/{quote(refusal, safe='')}"):
                return [
                    ok(
                        "canary",
                        f"an upload was seen, judged and refused in {time.monotonic() - started:.1f} s",
                    )
                ]
            time.sleep(_LOOK_EVERY_S)
        logs = f"{called()} logs {run_of(upload)}"
        return [fail("canary", f"an upload was not answered within {within_s:.0f} s", logs)]
    finally:
        for name in (OBJECT, refusal):
            api.send("DELETE", "storage", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}")
