"""The HTTP call of a scheduled job, with its token, and its repetition after an error."""

from __future__ import annotations

from typing import Any

from localcloud.doors.kms_material import from_base64
from localcloud.doors.scheduler_jobs import JOB
from localcloud.workflows import HttpFailure, HttpRequest
from localcloud.workflows.connections import Connections
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud
from localcloud.world.names import resolve

Json = dict[str, Any]


@task("cloudscheduler.call")
def _call(cloud: Cloud, payload: Json) -> None:
    job = cloud.store.get(JOB, payload["name"])
    if job is None:
        return
    status = _request(cloud, job)
    with cloud.store.transaction():
        job = cloud.store.get(JOB, payload["name"])
        if job is None:
            return
        good, attempt = 200 <= status < 300, payload["attempt"]
        job["status"] = {} if good else {"code": 13, "message": f"HTTP status {status}"}
        cloud.store.put(JOB, job["name"], job)
        policy = job.get("retryConfig", {})
        if not good and attempt < policy.get("retryCount", 0):
            wait = _wait_s(policy, attempt)
            again = {"name": job["name"], "attempt": attempt + 1}
            cloud.beat.later(wait, "cloudscheduler.call", again)


def _request(cloud: Cloud, job: Json) -> int:
    target = job["httpTarget"]
    headers = {
        "User-Agent": "Google-Cloud-Scheduler",
        "X-CloudScheduler": "true",
        "X-CloudScheduler-JobName": job["name"].rpartition("/")[2],
        **target.get("headers", {}),
        **_authorization(cloud, target),
    }
    body = from_base64(target.get("body") or "")
    timeout = float(job["attemptDeadline"].rstrip("s"))
    verb, url = target.get("httpMethod") or "POST", resolve(cloud, target["uri"])
    try:
        answer = Connections(most_idle=0).send(HttpRequest(verb, url, body=body, timeout=timeout), headers)
    except HttpFailure:
        return 503
    return answer.status


def _authorization(cloud: Cloud, target: Json) -> dict[str, str]:
    oidc, oauth = target.get("oidcToken"), target.get("oauthToken")
    if oidc:
        audience = oidc.get("audience") or target["uri"].partition("?")[0]
        token = cloud.tokens.id_token(oidc["serviceAccountEmail"], audience)
    elif oauth:
        token = cloud.tokens.access_token(f"serviceAccount:{oauth['serviceAccountEmail']}")
    else:
        return {}
    return {"Authorization": f"Bearer {token}"}


def _wait_s(policy: Json, attempt: int) -> float:
    least = float(policy.get("minBackoffDuration", "5s").rstrip("s"))
    most = float(policy.get("maxBackoffDuration", "3600s").rstrip("s"))
    doublings = min(attempt, int(policy.get("maxDoublings", 5)))
    return float(min(most, least * 2.0**doublings))
