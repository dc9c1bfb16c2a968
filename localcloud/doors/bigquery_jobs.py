"""Query jobs: run at once, kept with their results, answered in pages.

Rules
- A bad query by `jobs.query` is the HTTP error itself; by `jobs.insert` it is a job that is DONE
  with `errorResult`, and asking for its results is the error. A permission that is missing is an
  HTTP error in both.
- Only query jobs are imitated: load, copy and extract are refused.
- Results are read by who made the job, or by whoever holds `bigquery.jobs.get`.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from localcloud.doors import Call, door, project, require, shown
from localcloud.doors.bigquery_datasets import milliseconds
from localcloud.doors.bigquery_pages import page_of
from localcloud.doors.bigquery_sql import Result, execute
from localcloud.doors.bigquery_types import answered
from localcloud.doors.errors import ApiError, invalid
from localcloud.world.cloud import Cloud

Json = dict[str, Any]

_JOB = "bigquery.job"  # name: job id


@door("bigquery.jobs.query", "bigquery.jobs.create", on=project)
def query(cloud: Cloud, call: Call) -> Json:
    """Run a query and answer its first rows."""
    dry_run = bool(call.body.get("dryRun"))
    result = execute(cloud, call.body, _permit(cloud, call), dry_run=dry_run)
    job = _keep(cloud, call, f"job_{uuid.uuid4().hex[:24]}", {"query": _settings(call.body)}, result)
    exact = bool(call.body.get("formatOptions", {}).get("useInt64Timestamp"))
    return {
        **_page(job, *page_of({"maxResults": call.body.get("maxResults")}), microseconds=exact),
        "kind": "bigquery#queryResponse",
        "statementType": result.statement,
        "location": "US",
        "queryId": job["jobReference"]["jobId"],
    }


@door("bigquery.jobs.insert", "bigquery.jobs.create", on=project)
def insert(cloud: Cloud, call: Call) -> Json:
    """Run a query job."""
    configuration = call.body.get("configuration", {})
    if "query" not in configuration:
        raise ApiError(501, f"job {sorted(configuration)}: the stand-in only imitates query jobs")
    job_id = call.body.get("jobReference", {}).get("jobId") or f"job_{uuid.uuid4().hex[:24]}"
    if not re.fullmatch(r"[\w-]{1,1024}", job_id):
        raise invalid(f'Invalid job ID "{job_id}"')
    if cloud.store.get(_JOB, job_id) is not None:
        raise ApiError(409, f"Already Exists: Job {cloud.project}:US.{job_id}", reason="duplicate")
    if configuration["query"].get("destinationTable"):
        raise ApiError(501, "destinationTable: the stand-in does not imitate it")
    dry_run, error = bool(configuration.get("dryRun")), None
    try:
        result = execute(cloud, configuration["query"], _permit(cloud, call), dry_run=dry_run)
    except ApiError as refused:
        if refused.code != 400:
            raise
        result, error = Result("SELECT", [], []), refused
    return shown(_keep(cloud, call, job_id, configuration, result, error))


@door("bigquery.jobs.get", None)
def get(cloud: Cloud, call: Call) -> Json:
    """One job."""
    return shown(_own(cloud, call))


@door("bigquery.jobs.getQueryResults", None)
def get_query_results(cloud: Cloud, call: Call) -> Json:
    """A page of a job's rows."""
    job, params = _own(cloud, call), call.params
    error = job["status"].get("errorResult")
    if error is not None:
        raise ApiError(400, error["message"], reason=error["reason"])
    exact = bool(params.get("formatOptions.useInt64Timestamp"))
    page = _page(job, *page_of(params), microseconds=exact)
    return {**page, "kind": "bigquery#getQueryResultsResponse", "etag": job["etag"]}


def _own(cloud: Cloud, call: Call) -> Json:
    job = cloud.store.get(_JOB, call.params["jobId"])
    if job is None:
        raise ApiError(404, f"Not found: Job {cloud.project}:{call.params['jobId']}")
    if job["user_email"] != (call.caller.email or call.caller.principal):
        require(cloud, call, "bigquery.jobs.get", f"projects/{cloud.project}")
    return job


def _permit(cloud: Cloud, call: Call) -> Any:
    return lambda permission, resource: require(cloud, call, permission, resource)


def _keep(
    cloud: Cloud,
    call: Call,
    job_id: str,
    configuration: Json,
    result: Result,
    error: ApiError | None = None,
) -> Json:
    now = milliseconds(cloud)
    status: Json = {"state": "DONE"}
    if error is not None:
        status["errorResult"] = {"reason": error.reason, "message": error.message, "location": "query"}
        status["errors"] = [status["errorResult"]]
    about: Json = {"statementType": result.statement, "totalBytesProcessed": "0", "cacheHit": False}
    if result.changed is not None:
        about["numDmlAffectedRows"] = str(result.changed)
    job: Json = {
        "kind": "bigquery#job",
        "id": f"{cloud.project}:US.{job_id}",
        "etag": job_id,
        "selfLink": f"{cloud.endpoint}/bigquery/v2/projects/{cloud.project}/jobs/{job_id}",
        "jobReference": {"projectId": cloud.project, "jobId": job_id, "location": "US"},
        "configuration": {"jobType": "QUERY", **configuration},
        "status": status,
        "statistics": {"creationTime": now, "startTime": now, "endTime": now, "query": about},
        "user_email": call.caller.email or call.caller.principal,
        "_fields": result.fields,
        "_rows": result.rows,
    }
    if not configuration.get("dryRun"):
        cloud.store.put(_JOB, job_id, job)
    return job


def _page(job: Json, start: int, limit: int, *, microseconds: bool) -> Json:
    fields, rows = job["_fields"], job["_rows"]
    end = min(len(rows), start + limit)
    answer: Json = {
        "schema": {"fields": fields},
        "jobReference": job["jobReference"],
        "jobComplete": True,
        "totalRows": str(len(rows)),
        "totalBytesProcessed": "0",
        "cacheHit": False,
        "rows": [answered(fields, row, microseconds=microseconds) for row in rows[start:end]],
    }
    changed = job["statistics"]["query"].get("numDmlAffectedRows")
    if changed is not None:
        answer["numDmlAffectedRows"] = changed
        answer.pop("schema")
    if end < len(rows):
        answer["pageToken"] = str(end)
    return answer


def _settings(body: Json) -> Json:
    kept = ("query", "useLegacySql", "parameterMode", "queryParameters", "defaultDataset")
    return {field: body[field] for field in kept if field in body}
