"""The life of an instance: PROVISIONING → RUNNING → STOPPING → TERMINATED, or gone.

- RUNNING means that its machine's process lives; when that ends by itself the instance is TERMINATED.
- `maxRunDuration` counts from RUNNING; at its end `instanceTerminationAction` happens, whoever lives.
- A fault planted on "compute.instances.boot" is a stock-out: the operation fails and there is no instance.
  The weather plants such faults, too, and takes Spot instances away.
- Tasks carry the instance's id, so that they never touch a later one of the same name.
"""

from __future__ import annotations

import shutil
import threading
from datetime import datetime

from localcloud.doors import Json
from localcloud.doors.compute_names import last, link
from localcloud.doors.compute_operations import begin_for, finish, name_of
from localcloud.doors.errors import ApiError
from localcloud.doors.planted import BOOT
from localcloud.machine import processes
from localcloud.machine.boot import PREFIX, folder_of, start_machine
from localcloud.machine.latency import GRACE_S
from localcloud.machine.rules import model, run_seconds
from localcloud.machine.told import run_folder
from localcloud.world.beat import task
from localcloud.world.cloud import Cloud, on_start, on_stop

KIND = "compute.instance"
_WATCH_EVERY_S = 0.1


def add(cloud: Cloud, name: str, body: Json, operation: str) -> None:
    """Remember a new instance and plan its boot. The name must be free."""
    cloud.store.put(KIND, name, body)
    payload = {"name": name, "id": body["id"], "operation": operation}
    cloud.beat.later(cloud.weather.seconds("boot"), "instance.boot", payload)


@task("instance.boot")
def boot(cloud: Cloud, payload: Json) -> None:
    """Start the machine, once, and begin to count its time."""
    body = _instance(cloud, payload)
    if body is not None and body["status"] == "PROVISIONING":
        if cloud.faults.take(BOOT, {"name": payload["name"]}) or _no_room(cloud, body):
            _stockout(cloud, payload)
            return
        start_machine(cloud, payload["name"], body)
    with cloud.store.transaction():
        body = _instance(cloud, payload)
        if body is not None and body["status"] == "PROVISIONING":
            now = cloud.clock.now()
            body |= {"status": "RUNNING", "lastStartTimestamp": cloud.clock.timestamp()}
            end = _end(now, body)
            if end is not None:
                body["scheduling"]["terminationTime"] = cloud.clock.timestamp(end)
                cloud.beat.later(end - now, "instance.expire", payload)
            cloud.store.put(KIND, payload["name"], body)
            if model(body) == "SPOT" and cloud.weather.happens("preempted"):
                cloud.beat.later(cloud.weather.seconds("preemption"), "instance.preempt", payload)
        finish(cloud, payload["operation"])


def _no_room(cloud: Cloud, body: Json) -> bool:
    """By the weather; capacity that was granted or reserved is there."""
    granted = body["scheduling"]["provisioningModel"] == "FLEX_START" or body.get("_reservation")
    return not granted and cloud.weather.happens("stockout")


def _stockout(cloud: Cloud, payload: Json) -> None:
    zone = payload["name"].split("/")[3]
    error = ApiError(
        503,
        f"The zone '{zone}' does not have enough resources available to fulfill the request. "
        "Try a different zone, or try again later.",
        status="ZONE_RESOURCE_POOL_EXHAUSTED",
    )
    with cloud.store.transaction():
        cloud.store.delete(KIND, payload["name"])
        finish(cloud, payload["operation"], error)


def _end(now: float, body: Json) -> float | None:
    seconds = run_seconds(body)
    if seconds is not None:
        return now + seconds
    at = body.get("scheduling", {}).get("terminationTime")
    return datetime.fromisoformat(at).timestamp() if at else None


@task("instance.expire", awaited=False)
def expire(cloud: Cloud, payload: Json) -> None:
    """The server's own brake: the instance is at the end of its time."""
    with cloud.store.transaction():
        body = _instance(cloud, payload)
        if body is None or body["status"] != "RUNNING":
            return
        action = body["scheduling"]["instanceTerminationAction"].lower()
        operation = begin_for(cloud, "system", f"{action}ByMaxRunDuration", payload["name"], body["id"])
        leave(cloud, payload["name"], body, action, name_of(operation))


@task("instance.preempt", awaited=False)
def preempt_spot(cloud: Cloud, payload: Json) -> None:
    """The weather takes a Spot instance away; its machine gets the notice that any stop gives."""
    with cloud.store.transaction():
        body = _instance(cloud, payload)
        if body is not None and body["status"] == "RUNNING":
            preempted = "compute.instances.preempted"
            operation = begin_for(cloud, "system", preempted, payload["name"], body["id"])
            preempt(cloud, payload["name"], body, name_of(operation))


def leave(cloud: Cloud, name: str, body: Json, verb: str, operation: str) -> None:
    """Begin to stop or delete (`verb`) an instance."""
    cloud.store.put(KIND, name, {**body, "status": "STOPPING"})
    payload = {"name": name, "id": body["id"], "operation": operation}
    cloud.beat.later(cloud.weather.seconds(verb), f"instance.{verb}", payload)


def preempt(cloud: Cloud, name: str, body: Json, operation: str) -> bool:
    """Take a running instance from its user, with notice; False for one that would migrate instead.

    Spot obeys `instanceTerminationAction`; any other instance stops where it stands.
    """
    scheduling = body["scheduling"]
    if model(body) == "SPOT":
        verb = scheduling.get("instanceTerminationAction", "STOP").lower()
    elif scheduling["onHostMaintenance"] == "TERMINATE":
        verb = "stop"
    else:
        return False
    leave(cloud, name, body, verb, operation)
    return True


@task("instance.stop")
def stop(cloud: Cloud, payload: Json) -> None:
    """The machine has stopped; the instance stays."""
    if _instance(cloud, payload) is not None:
        processes.end(cloud, PREFIX + payload["id"], GRACE_S)
    with cloud.store.transaction():
        body = _instance(cloud, payload)
        if body is not None:
            cloud.store.put(KIND, payload["name"], _terminated(cloud, body))
        finish(cloud, payload["operation"])


@task("instance.delete")
def delete(cloud: Cloud, payload: Json) -> None:
    """The machine has stopped and nothing of it is left."""
    if _instance(cloud, payload) is not None:
        processes.end(cloud, PREFIX + payload["id"], GRACE_S)
        shutil.rmtree(folder_of(cloud, payload["id"]), ignore_errors=True)
        shutil.rmtree(run_folder(payload["id"]), ignore_errors=True)
    with cloud.store.transaction():
        if _instance(cloud, payload) is not None:
            cloud.store.delete(KIND, payload["name"])
            cloud.store.delete("machine.key", payload["id"])
        finish(cloud, payload["operation"])


def new_instance(cloud: Cloud, name: str, body: Json) -> Json:
    """`body` with all that the platform adds to a new instance."""
    place = "/".join(name.split("/")[:4])
    now, identity = cloud.clock.timestamp(), cloud.new_id()
    metadata = {"kind": "compute#metadata", "fingerprint": "AAAAAAAAAAA=", **body.get("metadata", {})}
    network = [{"name": "nic0", "networkIP": "10.128.0.2", **nic} for nic in body["networkInterfaces"]]
    return {
        **body,
        "kind": "compute#instance",
        "id": identity,
        "name": last(name),
        "zone": link(place),
        "machineType": link(f"{place}/machineTypes/{last(body['machineType'])}"),
        "metadata": metadata,
        "networkInterfaces": network,
        "labelFingerprint": "42WmSpB8rSM=",
        "fingerprint": "AAAAAAAAAAA=",
        "status": "PROVISIONING",
        "creationTimestamp": now,
        "selfLink": link(name),
        "scheduling": {
            "provisioningModel": "STANDARD",
            "onHostMaintenance": "MIGRATE",
            **body.get("scheduling", {}),
        },
    }


def _instance(cloud: Cloud, payload: Json) -> Json | None:
    body = cloud.store.get(KIND, payload["name"])
    return body if body is not None and body["id"] == payload["id"] else None


def _terminated(cloud: Cloud, body: Json) -> Json:
    scheduling = {k: v for k, v in body["scheduling"].items() if k != "terminationTime"}
    stopped = {"status": "TERMINATED", "lastStopTimestamp": cloud.clock.timestamp()}
    return {**body, **stopped, "scheduling": scheduling}


@on_start
def watch(cloud: Cloud) -> None:
    """Notice machines that ended by themselves, also those from before a restart."""
    stop = threading.Event()
    cloud.live["machines.stop"] = stop
    thread = threading.Thread(target=_watch, args=(cloud, stop), name="machines", daemon=True)
    cloud.live["machines.watch"] = thread
    thread.start()


def _watch(cloud: Cloud, stop: threading.Event) -> None:
    while not stop.wait(_WATCH_EVERY_S):
        for name, record in cloud.store.documents(processes.KIND, PREFIX):
            if not processes.alive(cloud, name, record):
                _note_end(cloud, name, record["instance"])


def _note_end(cloud: Cloud, name: str, instance: str) -> None:
    shutil.rmtree(run_folder(name.removeprefix(PREFIX)), ignore_errors=True)  # if it was killed
    with cloud.store.transaction():
        body = cloud.store.get(KIND, instance)
        status = body["status"] if body is not None and PREFIX + body["id"] == name else "gone"
        if body is not None and status == "RUNNING":
            cloud.store.put(KIND, instance, _terminated(cloud, body))
        if status != "PROVISIONING":  # else its boot is not finished yet: then it will be noticed
            cloud.store.delete(processes.KIND, name)


@on_stop
def end_watch(cloud: Cloud) -> None:
    """Machines outlive the stand-in: only the watching ends."""
    cloud.live["machines.stop"].set()
    cloud.live["machines.watch"].join()
