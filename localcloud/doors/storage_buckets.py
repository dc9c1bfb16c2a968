"""Buckets: made, read, listed, changed, locked, deleted; and the agent that uses keys for them."""

from __future__ import annotations

import base64
from typing import Any

from localcloud.doors import Answer, Call, door, project
from localcloud.doors.errors import ApiError, condition_not_met, invalid
from localcloud.doors.iam_policies import replace_policy
from localcloud.doors.storage_bucket_rules import WRITABLE, complete, location_type, retention
from localcloud.doors.storage_conditions import check_conditions
from localcloud.doors.storage_listing import page_size
from localcloud.doors.storage_names import (
    BUCKET,
    LIVE,
    NONCURRENT,
    agent,
    bucket_for,
    bucket_resource,
    check_bucket_name,
    merged,
    moment,
)
from localcloud.doors.storage_rates import bucket_made
from localcloud.doors.storage_soft_delete import end_all
from localcloud.world.cloud import Cloud
from localcloud.world.inventory import inventory_source

Json = dict[str, Any]


@door("storage.buckets.insert", "storage.buckets.create", on=project)
def insert(cloud: Cloud, call: Call) -> Json:
    """Make a bucket."""
    name = call.body.get("name", "")
    check_bucket_name(name)
    if call.params["project"] not in (cloud.project, cloud.number):
        raise ApiError(404, f"project {call.params['project']} was not found")
    now, location = moment(cloud), str(call.body.get("location", "US")).upper()
    bucket: Json = {
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "selfLink": f"{cloud.endpoint}/storage/v1/b/{name}",
        "projectNumber": cloud.number,
        "location": location,
        "locationType": location_type(location),
        "timeCreated": now,
        "updated": now,
        "metageneration": "1",
        "etag": _etag(1),
    }
    wanted = {key: value for key, value in call.body.items() if key in WRITABLE}
    bucket = merged(bucket, wanted)
    if call.body.get("hierarchicalNamespace"):
        raise ApiError(501, "hierarchicalNamespace: the stand-in does not imitate it")
    retention(cloud, {}, bucket)
    bucket = complete(cloud, bucket)
    bucket_made(cloud)
    if not cloud.store.create(BUCKET, name, bucket):
        raise ApiError(
            409, "Your previous request to create the named bucket succeeded and you already own it."
        )
    return bucket


@door("storage.buckets.get", None)
def get(cloud: Cloud, call: Call) -> Json:
    """One bucket."""
    bucket = bucket_for(cloud, call, "storage.buckets.get")
    check_conditions(call.params, bucket, reading=True)
    return bucket


@door("storage.buckets.list", "storage.buckets.list", on=project)
def list_buckets(cloud: Cloud, call: Call) -> Json:
    """The project's buckets, in pages."""
    prefix, after = call.params.get("prefix", ""), call.params.get("pageToken", "")
    limit = page_size(call.params)
    items = [body for name, body in cloud.store.documents(BUCKET, prefix) if name > after]
    answer: Json = {"kind": "storage#buckets", "items": items[:limit]}
    if len(items) > limit:
        answer["nextPageToken"] = items[limit - 1]["name"]
    return answer


@door("storage.buckets.patch", None)
def patch(cloud: Cloud, call: Call) -> Json:
    """Change some settings; null removes one."""
    bucket = bucket_for(cloud, call, "storage.buckets.update")
    check_conditions(call.params, bucket)
    for key in call.body:
        if key not in WRITABLE and call.body[key] != bucket.get(key):
            raise invalid(f"{key}: cannot be changed")
    return _replace(cloud, bucket, merged(bucket, call.body))


@door("storage.buckets.lockRetentionPolicy", None)
def lock_retention_policy(cloud: Cloud, call: Call) -> Json:
    """Lock the retention policy for ever."""
    bucket = bucket_for(cloud, call, "storage.buckets.update")
    check_conditions(call.params, bucket)
    policy = bucket.get("retentionPolicy")
    if policy is None:
        raise invalid("The bucket does not have a retention policy.")
    return _replace(cloud, bucket, {**bucket, "retentionPolicy": {**policy, "isLocked": True}})


@door("storage.buckets.delete", None)
def delete(cloud: Cloud, call: Call) -> Answer:
    """Delete an empty bucket."""
    bucket = bucket_for(cloud, call, "storage.buckets.delete")
    check_conditions(call.params, bucket)
    name = bucket["name"]
    if any(cloud.store.documents(kind, f"{name}/") for kind in (LIVE, NONCURRENT)):
        raise ApiError(409, "The bucket you tried to delete is not empty.")
    end_all(cloud, name)
    cloud.store.delete(BUCKET, name)
    cloud.store.delete("iam.policy", bucket_resource(name))
    return Answer(204)


@door("storage.buckets.getIamPolicy", None)
def get_iam_policy(cloud: Cloud, call: Call) -> Json:
    """The bucket's allow policy."""
    bucket = bucket_for(cloud, call, "storage.buckets.getIamPolicy")
    return _policy(cloud, bucket["name"])


@door("storage.buckets.setIamPolicy", None)
def set_iam_policy(cloud: Cloud, call: Call) -> Json:
    """Replace the bucket's allow policy."""
    bucket = bucket_for(cloud, call, "storage.buckets.setIamPolicy")
    resource = bucket_resource(bucket["name"])
    etag = call.body.get("etag")
    if etag and etag != cloud.iam.policy(resource)["etag"]:
        raise condition_not_met("etag")
    kept: Json = {key: call.body[key] for key in ("version", "bindings") if key in call.body}
    replace_policy(cloud, resource, kept)
    return _policy(cloud, bucket["name"])


@door("storage.buckets.testIamPermissions", None)
def test_iam_permissions(cloud: Cloud, call: Call) -> Json:
    """Which of the permissions the caller holds."""
    resource = bucket_resource(call.params["bucket"])
    asked = call.params["permissions"]
    asked = asked if isinstance(asked, list) else [asked]
    held = [one for one in asked if cloud.iam.allowed(call.caller, one, resource)]
    return {"kind": "storage#testIamPermissionsResponse", "permissions": held}


@door("storage.projects.serviceAccount.get", "resourcemanager.projects.get", on=project)
def service_account(cloud: Cloud, call: Call) -> Json:
    """The storage agent of the project."""
    return {"kind": "storage#serviceAccount", "email_address": agent(cloud)}


def _policy(cloud: Cloud, name: str) -> Json:
    resource = bucket_resource(name)
    return {"kind": "storage#policy", "resourceId": resource, **cloud.iam.policy(resource)}


def _replace(cloud: Cloud, old: Json, new: Json) -> Json:
    retention(cloud, old, new)
    number = int(old["metageneration"]) + 1
    new = {**new, "metageneration": str(number), "etag": _etag(number), "updated": moment(cloud)}
    new = complete(cloud, new)
    cloud.store.put(BUCKET, new["name"], new)
    return new


def _etag(metageneration: int) -> str:
    return base64.b64encode(b"\x08" + metageneration.to_bytes(2, "little").rstrip(b"\0")).decode()


def _inventory(cloud: Cloud) -> list[Json]:
    return [
        {
            "name": bucket_resource(name),
            "labels": bucket.get("labels", {}),
            "bills": True,
            "created": bucket["timeCreated"],
        }
        for name, bucket in cloud.store.documents(BUCKET)
    ]


inventory_source("storage.bucket", _inventory)
