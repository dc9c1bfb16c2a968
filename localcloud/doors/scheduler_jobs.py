"""Scheduled jobs: made, read, listed, changed in state, run now, deleted; and what happens when
they are due.

Rules
- Schedules are unix-cron in a named time zone; a job that was due while nobody ran fires once, then
  goes on.
- A Pub/Sub target publishes in the same transaction that plans the next time. An HTTP target is
  called at least once, with its OIDC or OAuth token, and again after an error as often as
  `retryConfig.retryCount` says.
- A paused job does not fire; `run` fires any job at once and leaves its schedule alone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localcloud.doors import Call, door, require
from localcloud.doors.errors import ApiError, already_exists, failed_precondition, invalid, not_found
from localcloud.doors.kms_material import from_base64
from localcloud.doors.paging import page
from localcloud.doors.scheduler_cron import parse
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud
from localcloud.world.events import publish
from localcloud.world.inventory import plain_source

Json = dict[str, Any]

JOB = "cloudscheduler.job"
_ROOM = "cloudscheduler.projects.locations.jobs"
_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/jobs/[A-Za-z0-9_-]{1,500}")
_KEPT = ("description", "httpTarget", "pubsubTarget", "retryConfig", "schedule", "timeZone")


@door(f"{_ROOM}.create", "cloudscheduler.jobs.create")
def create(cloud: Cloud, call: Call) -> Json:
    """Make a job."""
    body, name = call.body, str(call.body.get("name", ""))
    if not _NAME.fullmatch(name) or not name.startswith(f"{call.params['parent']}/jobs/"):
        raise invalid(f"name: got {name!r}, expected {call.params['parent']}/jobs/ID")
    job: Json = {
        "name": name,
        "timeZone": "Etc/UTC",
        "attemptDeadline": body.get("attemptDeadline", "180s"),
        "state": "ENABLED",
        "userUpdateTime": cloud.clock.timestamp(),
        **{field: body[field] for field in _KEPT if field in body},
    }
    _check_target(cloud, call, body)
    _plan(cloud, job)
    if not cloud.store.create(JOB, name, job):
        raise already_exists(f"Job {name}")
    return job


@door(f"{_ROOM}.get", "cloudscheduler.jobs.get")
def get(cloud: Cloud, call: Call) -> Json:
    """One job."""
    return _job(cloud, call)


@door(f"{_ROOM}.list", "cloudscheduler.jobs.list")
def list_jobs(cloud: Cloud, call: Call) -> Json:
    """The jobs of a location."""
    return page(call, "jobs", cloud.store.documents(JOB, f"{call.params['parent']}/jobs/"))


@door(f"{_ROOM}.delete", "cloudscheduler.jobs.delete")
def delete(cloud: Cloud, call: Call) -> Json:
    """Delete a job."""
    cloud.store.delete(JOB, _job(cloud, call)["name"])
    return {}


@door(f"{_ROOM}.pause", "cloudscheduler.jobs.pause")
def pause(cloud: Cloud, call: Call) -> Json:
    """Let a job rest."""
    job = _job(cloud, call)
    if job["state"] != "ENABLED":
        raise failed_precondition(f"Job {job['name']} is {job['state']}, expected ENABLED")
    job.pop("scheduleTime", None)
    return _put(cloud, {**job, "state": "PAUSED"})


@door(f"{_ROOM}.resume", "cloudscheduler.jobs.enable")
def resume(cloud: Cloud, call: Call) -> Json:
    """Let a paused job fire again."""
    job = _job(cloud, call)
    if job["state"] != "PAUSED":
        raise failed_precondition(f"Job {job['name']} is {job['state']}, expected PAUSED")
    job["state"] = "ENABLED"
    _plan(cloud, job)
    return _put(cloud, job)


@door(f"{_ROOM}.run", "cloudscheduler.jobs.run")
def run(cloud: Cloud, call: Call) -> Json:
    """Fire now."""
    job = _job(cloud, call)
    _fire(cloud, job)
    return _put(cloud, job)


def _check_target(cloud: Cloud, call: Call, body: Json) -> None:
    targets = [field for field in ("pubsubTarget", "httpTarget", "appEngineHttpTarget") if field in body]
    if len(targets) != 1:
        raise invalid(f"target: got {targets}, expected exactly one of pubsubTarget and httpTarget")
    if targets == ["appEngineHttpTarget"]:
        raise ApiError(501, "appEngineHttpTarget: the stand-in does not imitate it")
    if targets == ["pubsubTarget"]:
        target = body["pubsubTarget"]
        if not re.fullmatch(r"projects/[^/]+/topics/[^/]+", target.get("topicName", "")):
            raise invalid("pubsubTarget.topicName: expected projects/P/topics/T")
        if not from_base64(target.get("data") or "") and not target.get("attributes"):
            raise invalid("pubsubTarget: needs data or an attribute")
        return
    target = body["httpTarget"]
    if not re.match(r"https?://", target.get("uri", "")):
        raise invalid(f"httpTarget.uri: got {target.get('uri')!r}, expected http:// or https://")
    for field in ("oidcToken", "oauthToken"):
        email = target.get(field, {}).get("serviceAccountEmail")
        if email:
            account = f"projects/{cloud.project}/serviceAccounts/{email}"
            require(cloud, call, "iam.serviceAccounts.actAs", account)


def _plan(cloud: Cloud, job: Json) -> None:
    """Set the next time and remember to fire then. Raises 400 for a schedule that is none."""
    try:
        cron = parse(str(job.get("schedule", "")))
    except ValueError as error:
        raise invalid(f"schedule: {error}") from error
    try:
        zone = ZoneInfo(job["timeZone"])
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise invalid(f"timeZone: got {job['timeZone']!r}, expected a name of the tz database") from error
    now = cloud.clock.now()
    when = cron.after(datetime.fromtimestamp(now, UTC), zone)
    if when is None:
        raise invalid(f"schedule: {job['schedule']!r} never comes")
    job["scheduleTime"] = cloud.clock.timestamp(when.timestamp())
    payload = {"name": job["name"], "due": job["scheduleTime"]}
    cloud.beat.later(when.timestamp() - now, "cloudscheduler.due", payload)


@task("cloudscheduler.due", awaited=False)
def _due(cloud: Cloud, payload: Json) -> None:
    with cloud.store.transaction():
        job = cloud.store.get(JOB, payload["name"])
        if job is None or job["state"] != "ENABLED" or job.get("scheduleTime") != payload["due"]:
            return  # deleted, paused or planned anew in between
        _plan(cloud, job)
        _fire(cloud, job)
        _put(cloud, job)


def _fire(cloud: Cloud, job: Json) -> None:
    job["lastAttemptTime"] = cloud.clock.timestamp()
    target = job.get("pubsubTarget")
    if target is None:
        cloud.beat.later(0, "cloudscheduler.call", {"name": job["name"], "attempt": 0})
        return
    data = from_base64(target.get("data") or "")
    try:
        publish(cloud, target["topicName"], data, target.get("attributes", {}))
        job["status"] = {}
    except KeyError:
        job["status"] = {"code": 5, "message": f"Resource not found (resource={target['topicName']})."}


def _job(cloud: Cloud, call: Call) -> Json:
    found = cloud.store.get(JOB, call.params["name"])
    if found is None:
        raise not_found(f"Job {call.params['name']}")
    return found


def _put(cloud: Cloud, job: Json) -> Json:
    cloud.store.put(JOB, job["name"], job)
    return job


plain_source(JOB, "userUpdateTime")
