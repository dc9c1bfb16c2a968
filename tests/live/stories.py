"""The journeys that a real project can be asked for: they cost a few cents each, and none is long."""

from __future__ import annotations

import json

from sealtrain.rules import names
from sealtrain.rules.uploads import Upload, run_of

from tests.live.cloud import Cloud

WITHIN_S = 3600.0
LINES = b"a,b,c\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n" * 20


def main_job(cloud: Cloud) -> None:
    """An upload becomes a model, a bundle and a project in which nothing of the run stands."""
    run = _uploaded(cloud, "incoming/live-main.csv", LINES, attempt=1)
    evidence = names.evidence_bucket(cloud.settings)
    closed = cloud.wait_for(evidence, names.closed(run), {"outcome": "succeeded"}, WITHIN_S)
    assert closed["outcome"] == "succeeded", closed
    assert cloud.wait_for(evidence, names.bundle(run), {"payload": "…"}, WITHIN_S)
    assert cloud.wait_for(
        names.models_bucket(cloud.settings), names.model_manifest(run), {"files": []}, WITHIN_S
    )
    assert cloud.machines(run) == []
    cloud.remove("incoming/live-main.csv")


def direct_execution(cloud: Cloud) -> None:
    """The other way in: the workflow started by hand, as a later attempt of the same upload."""
    name = "incoming/live-direct.csv"
    upload = _upload(cloud, name, LINES, attempt=2)
    cloud.execute(json.dumps({f: getattr(upload, f) for f in ("bucket", "object", "generation", "attempt")}))
    run = run_of(upload)
    closed = cloud.wait_for(
        names.evidence_bucket(cloud.settings), names.closed(run), {"outcome": "succeeded"}, WITHIN_S
    )
    assert closed["outcome"] == "succeeded", closed
    assert cloud.machines(run) == []
    cloud.remove(name)


def refused_upload(cloud: Cloud) -> None:
    """A job that cannot be meant is refused beside the upload, and nothing is made."""
    name = "incoming/live-refused/job.yaml"
    run = _uploaded(cloud, name, b"nonsense: true\n", attempt=1)
    inbox = names.inbox_bucket(cloud.settings)
    assert cloud.wait_for(inbox, names.refusal(run), {"field": "nonsense"}, 600.0)
    assert cloud.machines(run) == []
    cloud.remove(name)


def operator_cannot_open(cloud: Cloud) -> None:
    """Whoever runs this may administer the project and still not open a data key."""
    run = _uploaded(cloud, "incoming/live-operator.csv", LINES, attempt=1)
    cloud.wait_for(names.state_bucket(cloud.settings), names.order(run), {"run": run}, 900.0)
    assert cloud.decrypt(run) == 403
    closed = cloud.wait_for(
        names.evidence_bucket(cloud.settings), names.closed(run), {"outcome": "succeeded"}, WITHIN_S
    )
    assert closed
    cloud.remove("incoming/live-operator.csv")


STORIES = {
    story.__name__: story for story in (main_job, direct_execution, refused_upload, operator_cannot_open)
}


def _uploaded(cloud: Cloud, name: str, data: bytes, attempt: int) -> str:
    return run_of(_upload(cloud, name, data, attempt))


def _upload(cloud: Cloud, name: str, data: bytes, attempt: int) -> Upload:
    generation = cloud.upload(name, data)
    return Upload(
        bucket=names.inbox_bucket(cloud.settings), object=name, generation=generation, attempt=attempt
    )
