"""Machines that are not the run's own: the operator may start any, none of them gets a key."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from google.cloud.exceptions import NotFound
from sealtrain.rules import canonical, machine, names, order
from sealtrain.rules.capacity import Plan
from sealtrain.rules.job import FrozenJob
from sealtrain.rules.order import HeldKey, parse_order
from sealtrain.rules.uploads import run_of

from tests.journeys.world import World

DEBUG = "projects/confidential-space-images/global/images/family/confidential-space-debug"
Change = Callable[[dict[str, Any]], None]


def _debug_image(body: dict[str, Any]) -> None:
    body["disks"][0]["initializeParams"]["sourceImage"] = DEBUG


def _another_machine(body: dict[str, Any]) -> None:
    body["name"] = "of-nobody"
    body["labels"] = {}


def _upload_and_intrude(world: World, name: str, data: bytes, change: Change) -> str:
    """Start a run, and before its own VM is made start one like it, but for `change`; give the run."""
    run = run_of(world.upload(name, data, f"trainer: {world.trainers['minimal']}\n"))
    world.fault("compute.instances.get", 503, 1000, instance=names.machine(world.settings, run))
    world.until(lambda: world.json(world.state, names.order(run)), "the order is frozen")
    start_like(world, run, _order_digest(world, run), change)
    return run


def start_like(world: World, run: str, order_digest: str, change: Change) -> dict[str, Any]:
    """Start a VM as this run would, but for `change`; give its body."""
    frozen = msgspec.convert(world.json(world.state, names.job(run)), FrozenJob)
    plan = msgspec.convert(world.json(world.state, names.plan(run)), Plan)
    body = machine.instance(world.settings, frozen, plan.attempts[0], order_digest)
    change(body)
    world.post(f"/compute/v1/projects/{frozen_project(world)}/zones/{plan.attempts[0].zone}/instances", body)
    return {**body, "zone": plan.attempts[0].zone}


def frozen_project(world: World) -> str:
    return world.settings.project


def _order_digest(world: World, run: str) -> str:
    return canonical.digest(world.state.blob(names.order(run)).download_as_bytes())


def test_a_debug_image_gets_no_key(world: World, few_lines: bytes) -> None:
    """A VM under the run's own name, but with the image that lets its operator in, attests and is refused."""
    run = _upload_and_intrude(world, "debug-image", few_lines, _debug_image)
    world.no_faults()
    reasons = world.key_closed(run)
    assert "debug" in reasons, reasons


def test_a_token_of_another_machine_gets_no_key(world: World, few_lines: bytes) -> None:
    """Genuine image, genuine order, own signing key: but the ledger knows another VM for this run."""
    run = _upload_and_intrude(world, "another-machine", few_lines, _another_machine)
    world.until(lambda: world.record(names.token(run)), "the other VM has shown its token first")
    world.no_faults()
    reasons = world.key_closed(run)
    assert "instance" in reasons, reasons
    _remove(world, "of-nobody")


def test_a_stolen_sealed_dataset_opens_nowhere(world: World, few_lines: bytes) -> None:
    """Parts and wrapped key, copied while the run trains and given to a genuine VM under another order:
    Google's lock lets that VM in, and the key does not open, as it is bound to the order that was frozen.
    """
    upload = world.upload("robbed", few_lines, f"trainer: {world.trainers['hangs']}\n")
    run, thief = run_of(upload), "r0000000dead0"
    world.until(lambda: world.json(world.state, names.release(run)), "the key was handed over")
    frozen = parse_order(world.state.blob(names.order(run)).download_as_bytes())
    copies = world.storage.create_bucket(names.sealed_bucket(world.settings, thief), location="us-central1")
    for blob in world.storage.bucket(frozen.dataset.bucket).list_blobs():
        copies.blob(blob.name).upload_from_string(blob.download_as_bytes())
    stolen = msgspec.structs.replace(
        frozen,
        run=thief,
        dataset=msgspec.structs.replace(frozen.dataset, bucket=copies.name),
        evidence=msgspec.structs.replace(frozen.evidence, prefix=names.shown_prefix(thief)),
        release=msgspec.structs.replace(
            frozen.release, object=names.gs(world.state.name, names.release(thief))
        ),
    )
    digest = canonical.digest(order.encode(stolen))
    held = msgspec.convert(world.json(world.state, names.release(run)), HeldKey)
    world.state.blob(names.order(thief)).upload_from_string(order.encode(stolen))
    world.state.blob(names.release(thief)).upload_from_string(
        canonical.dumps(msgspec.structs.replace(held, order_digest=digest))
    )

    def other_order(body: dict[str, Any]) -> None:
        _another_machine(body)
        (cmd,) = [item for item in body["metadata"]["items"] if item["key"] == "tee-cmd"]
        place = names.gs(world.state.name, names.order(thief))
        cmd["value"] = json.dumps(["--order", place, "--order-digest", digest])

    body = start_like(world, run, digest, other_order)
    path = f"/compute/v1/projects/{world.settings.project}/zones/{body['zone']}/instances/of-nobody"
    console = world.until(
        lambda: next(
            (line for line in world.get(f"{path}/serialPort")["contents"].splitlines()
             if "workload.failed" in line), None
        ), "the thief's VM has ended",
    )  # fmt: skip
    assert json.loads(console)["reason"] == "key_refused"
    assert world.record(names.token(thief)), "it attested itself: the lock that held is the order's"
    assert world.record(names.receipt(thief)) is None
    assert list(world.models.list_blobs(prefix=thief)) == []
    _remove(world, "of-nobody")
    with suppress(NotFound):  # a sweep may have been quicker: nobody claimed that run
        copies.delete(force=True)
    message = base64.b64encode(json.dumps({"run": run, "reason": "robbed"}).encode()).decode()
    topic = names.topic(world.settings, "teardown-requests")
    world.post(f"/v1/{topic}:publish", {"messages": [{"data": message}]})
    assert "robbed" in world.closed(upload)["reason"]
    assert world.bills(run) == []


def _remove(world: World, name: str) -> None:
    import requests

    found = world.get(f"/compute/v1/projects/{world.settings.project}/aggregated/instances")["items"]
    for zone, content in found.items():
        for one in content.get("instances", []):
            if one["name"] == name:
                path = f"/compute/v1/projects/{world.settings.project}/{zone}/instances/{name}"
                requests.delete(world.endpoint + path, timeout=30).raise_for_status()
