"""Push: a message is POSTed to an address in Google's envelope, with an identity token if one is
asked for.

Rules
- 102, 200, 201, 202 and 204 acknowledge; everything else, and silence until the ack deadline, is a
  failure.
- Redirects are not followed.
- A delivery has a thread of its own while its request is under way, so that a slow receiver delays
  nobody else.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from localcloud.doors.pubsub_deliveries import SUBSCRIPTION, acknowledged, claim, failed
from localcloud.workflows import HttpFailure, HttpRequest
from localcloud.workflows.connections import Connections
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud, on_stop
from localcloud.world.names import resolve

Json = dict[str, Any]

_ACKNOWLEDGE = (102, 200, 201, 202, 204)
_AT_ONCE = 64


@task("pubsub.push")
def _push(cloud: Cloud, payload: Json) -> None:
    delivery = claim(cloud, payload["name"])
    if delivery is None:
        return
    subscription = cloud.store.get(SUBSCRIPTION, delivery["subscription"])
    if subscription is not None:
        arguments = (cloud, subscription, delivery)
        threading.Thread(target=_deliver, args=arguments, name="push", daemon=True).start()


def _deliver(cloud: Cloud, subscription: Json, delivery: Json) -> None:
    gate: threading.Semaphore = cloud.live.setdefault("pubsub.gate", threading.Semaphore(_AT_ONCE))
    with cloud.clock.working(), gate:
        arrived = _post(cloud, subscription, delivery)
    if "pubsub.stopped" in cloud.live:
        return  # the row is still there: the next start delivers again
    (acknowledged if arrived else failed)(cloud, delivery["name"], delivery["attempt"])


def _post(cloud: Cloud, subscription: Json, delivery: Json) -> bool:
    config = subscription["pushConfig"]
    headers = {"Content-Type": "application/json", "User-Agent": "CloudPubSub-Google"}
    oidc = config.get("oidcToken")
    if oidc:
        audience = oidc.get("audience") or config["pushEndpoint"]
        token = cloud.tokens.id_token(oidc["serviceAccountEmail"], audience)
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps(envelope(subscription, delivery)).encode()
    url, timeout = resolve(cloud, config["pushEndpoint"]), subscription["ackDeadlineSeconds"]
    try:
        answer = Connections(most_idle=0).send(HttpRequest("POST", url, body=body, timeout=timeout), headers)
    except HttpFailure:
        return False
    return answer.status in _ACKNOWLEDGE


def envelope(subscription: Json, delivery: Json) -> Json:
    """The body of a push request."""
    message = delivery["message"]
    twice = {"message_id": message["messageId"], "publish_time": message["publishTime"]}
    body: Json = {"message": {**message, **twice}, "subscription": subscription["name"]}
    if "deadLetterPolicy" in subscription:
        body["deliveryAttempt"] = delivery["attempt"]
    return body


@on_stop
def _stop(cloud: Cloud) -> None:
    cloud.live["pubsub.stopped"] = True
