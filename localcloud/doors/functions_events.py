"""Storage events for functions: each finalized object goes to every function whose trigger names its bucket.

- The event is a CloudEvent in binary mode, POSTed through the front door with the trigger's own identity.
- Its id is the same however often it is delivered.
- `RETRY_POLICY_RETRY`: delivered again until the function answers 2xx, with growing pauses, for 24 hours.
  Otherwise: delivered once, a failure is dropped.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from urllib.parse import quote

from localcloud.doors import Json
from localcloud.doors.functions import KIND
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud
from localcloud.world.events import FINALIZED, on_object

WINDOW_S = 24 * 3600
LONGEST_PAUSE_S = 600
_TASK = "functions.deliver"


@on_object
def plant(cloud: Cloud, event_type: str, resource: Json) -> None:
    """Plan one delivery per function that wants this object."""
    if event_type != FINALIZED:
        return
    for name, function in cloud.store.documents(KIND):
        if resource["bucket"] in _buckets(function):
            payload = {
                "function": name,
                "event": event(cloud, event_type, resource),
                "data": resource,
                "attempt": 1,
                "until": cloud.clock.now() + WINDOW_S,
            }
            for _ in range(2 if cloud.weather.happens("twice") else 1):
                cloud.beat.later(cloud.weather.seconds("event"), _TASK, payload)


def event(cloud: Cloud, event_type: str, resource: Json) -> dict[str, str]:
    """The CloudEvent's attributes, as header values."""
    bucket, name = resource["bucket"], resource["name"]
    facts = [event_type, bucket, name, resource["generation"], str(resource.get("metageneration"))]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return {
        "ce-specversion": "1.0",
        "ce-id": str(int(digest[:14], 16)),
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "ce-type": event_type,
        "ce-subject": quote(f"objects/{name}", safe="/!#$&'()*+,:;=?@[]~ "),
        "ce-time": resource.get("updated") or cloud.clock.timestamp(),
        "ce-bucket": bucket,
    }


@task(_TASK)
def deliver(cloud: Cloud, payload: Json) -> None:
    """One delivery; a failed one plans the next."""
    function = cloud.store.get(KIND, payload["function"])
    if function is None or _post(cloud, function, payload):
        return
    trigger = function["eventTrigger"]
    pause = min(2 ** (payload["attempt"] - 1), LONGEST_PAUSE_S)
    again = trigger.get("retryPolicy") == "RETRY_POLICY_RETRY"
    if again and cloud.clock.now() + pause < payload["until"]:
        cloud.beat.later(pause, _TASK, {**payload, "attempt": payload["attempt"] + 1})


def _post(cloud: Cloud, function: Json, payload: Json) -> bool:
    default = f"{cloud.number}-compute@developer.gserviceaccount.com"
    email = function["eventTrigger"].get("serviceAccountEmail", default)
    token = cloud.tokens.id_token(email, function["url"])
    headers = {**payload["event"], "Content-Type": "application/json"}
    headers["Authorization"] = f"Bearer {token}"
    url = f"{cloud.front}/{function['name'].rpartition('/')[2]}"
    request = urllib.request.Request(url, json.dumps(payload["data"]).encode(), headers)  # noqa: S310
    try:
        urllib.request.urlopen(request, timeout=600).close()  # noqa: S310 - our own front door
    except (urllib.error.URLError, OSError):
        return False
    return True


def _buckets(function: Json) -> set[str]:
    filters = function.get("eventTrigger", {}).get("eventFilters", [])
    return {item["value"] for item in filters if item.get("attribute") == "bucket"}
