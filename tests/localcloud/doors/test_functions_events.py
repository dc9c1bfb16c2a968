"""Objects that start functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.localcloud.conftest import World, eventually
from tests.localcloud.deploying import deploy

LISTENER = """
import json, os, pathlib
import functions_framework

@functions_framework.cloud_event
def main(event):
    file = pathlib.Path(os.environ["SEEN"])
    seen = file.read_text().splitlines() if file.exists() else []
    facts = {key: event[key] for key in ("id", "type", "subject")}
    facts |= {key: event.data[key] for key in ("name", "generation")}
    file.write_text("\\n".join([*seen, json.dumps(facts)]))
    if len(seen) < int(os.environ["FAILURES"]):
        raise RuntimeError("not yet")
"""


def listen(world: World, name: str, seen: Path, failures: int, policy: str) -> None:
    """A bucket, and a function on its finalized objects that fails the first `failures` times."""
    world.storage().create_bucket(f"bucket-{name}", location="us-central1")
    trigger = {
        "eventType": "google.cloud.storage.object.v1.finalized",
        "eventFilters": [{"attribute": "bucket", "value": f"bucket-{name}"}],
        "serviceAccountEmail": f"run-{name}@demo-project.iam.gserviceaccount.com",
        "retryPolicy": policy,
    }
    variables = {"SEEN": str(seen), "FAILURES": str(failures)}
    made = deploy(world, name, LISTENER, trigger, environmentVariables=variables)
    world.grant(made["name"], "roles/run.invoker", world.member(f"run-{name}"))


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_an_event_is_delivered_until_the_function_accepts_it(world: World, tmp_path: Path) -> None:
    """With the retry policy: again and again, always with the same id; then never more."""
    seen = tmp_path / "seen"
    listen(world, "retried", seen, failures=2, policy="RETRY_POLICY_RETRY")
    world.storage().bucket("bucket-retried").blob("incoming/ä.csv").upload_from_string("a,b")
    eventually(lambda: len(lines(seen)) == 3, 20)
    assert len(set(lines(seen))) == 1
    assert '"name": "incoming/\\u00e4.csv"' in lines(seen)[0]


def test_a_failed_event_is_dropped_without_the_retry_policy(world: World, tmp_path: Path) -> None:
    """The default: one delivery. A second object shows that the first one's time has passed."""
    seen = tmp_path / "seen"
    listen(world, "dropped", seen, failures=1, policy="RETRY_POLICY_DO_NOT_RETRY")
    bucket = world.storage().bucket("bucket-dropped")
    bucket.blob("one").upload_from_string("1")
    eventually(lambda: len(lines(seen)) == 1, 20)
    bucket.blob("two").upload_from_string("2")
    eventually(lambda: len(lines(seen)) == 2, 20)
    assert ['"name": "one"' in line for line in lines(seen)] == [True, False]


@pytest.mark.parametrize(
    ("event", "named"), [("finalized", "eventFilters"), ("deleted", "eventTrigger.eventType")]
)
def test_a_trigger_that_is_not_served_is_refused(world: World, event: str, named: str) -> None:
    """Without a bucket, or of another event: 400 that names the field."""
    trigger = {"eventType": f"google.cloud.storage.object.v1.{event}", "eventFilters": []}
    with pytest.raises(Exception, match=named):
        deploy(world, "nowhere", LISTENER, trigger)
