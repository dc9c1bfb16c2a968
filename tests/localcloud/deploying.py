"""Deploying functions to a stand-in as a user would, and calling them."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import requests

from tests.localcloud.conftest import World

PARENT = "projects/demo-project/locations/us-central1"


def account(world: World, short: str) -> str:
    """A service account, made if need be; its address."""
    email = f"{short}@demo-project.iam.gserviceaccount.com"
    name = f"projects/demo-project/serviceAccounts/{email}"
    if world.cloud.store.get("iam.serviceAccount", name) is None:
        accounts = world.api("iam", "v1").projects().serviceAccounts()
        accounts.create(name="projects/demo-project", body={"accountId": short}).execute()
    return email


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, text in files.items():
            target.writestr(name, text)
    return buffer.getvalue()


def upload(world: World, name: str, content: bytes) -> dict[str, str]:
    """A storageSource with this content."""
    client = world.storage()
    bucket = client.bucket("sources")
    if not bucket.exists():
        bucket = client.create_bucket(bucket, location="us-central1")
    bucket.blob(name).upload_from_string(content)
    return {"bucket": "sources", "object": name}


def function_body(world: World, name: str, source: str | bytes, **service: Any) -> dict[str, Any]:
    content = source if isinstance(source, bytes) else archive({"main.py": source})
    return {
        "buildConfig": {
            "runtime": "python311",
            "entryPoint": "main",
            "source": {"storageSource": upload(world, f"{name}.zip", content)},
        },
        "serviceConfig": {"serviceAccountEmail": account(world, f"run-{name}"), **service},
    }


def deploy(
    world: World,
    name: str,
    source: str | bytes,
    trigger: dict[str, Any] | None = None,
    caller: str | None = None,
    **service: Any,
) -> dict[str, Any]:
    """Deploy `source` (a main.py, or a whole archive) under `name`; the function."""
    body = function_body(world, name, source, **service)
    if trigger:
        body["eventTrigger"] = trigger
    functions = world.api("cloudfunctions", "v2", caller).projects().locations().functions()
    operation = functions.create(parent=PARENT, functionId=name, body=body).execute()
    assert operation["done"]
    result: dict[str, Any] = operation["response"]
    return result


def call(world: World, name: str, token: str | None = None, **given: Any) -> requests.Response:
    """POST to the front door, as the keyboard or with a token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.post(f"{world.cloud.front}/{name}", headers=headers, timeout=60, **given)
