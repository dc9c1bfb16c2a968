"""One description, not two: what is committed for the stand-in is what Terraform would deploy."""

from __future__ import annotations

import msgspec
from sealtrain.rules import names, step_table
from sealtrain.rules.evidence import policy
from sealtrain.rules.settings import Settings

from cli.deploy import world
from cli.deploy.description import World
from cli.deploy.terraform_state import NOT_IMITATED
from cli.deploy.terraform_state import world as read
from tests.terraform_min import make_world
from tests.terraform_min.conftest import Applied
from tests.terraform_min.offline.terraform import resources
from tests.terraform_min.policy import block, of

SETTINGS = Settings(
    project=world.PROJECT,
    project_number=world.NUMBER,
    region="us-central1",
    trainer=world.TRAINER,
    approved_images=(world.DIGEST,),
)


def test_the_stand_ins_description_is_the_plans(placeholders: Applied) -> None:
    """world.json is made from the applied plan; `make world` writes it again."""
    assert world.FILE.read_text() == make_world.made(placeholders.state)


def test_what_is_not_imitated_is_used(everything: Applied) -> None:
    """Nothing stays on the list of exceptions that Terraform no longer makes."""
    types = {one["type"] for one in resources(everything.state["values"]["root_module"])}
    assert set(NOT_IMITATED) - types == set()


def test_the_names_are_those_that_the_functions_compute(placeholders: Applied) -> None:
    """Terraform and rules/names.py derive the same names, so that teardown finds everything."""
    made = {one.name for one in read(placeholders.state).resources}
    s = SETTINGS
    words = [f.trigger.removeprefix("topic:") for f in step_table.LISTENERS if f.trigger.startswith("topic:")]
    wanted = {
        names.inbox_bucket(s), names.state_bucket(s), names.evidence_bucket(s), names.models_bucket(s),
        names.checkpoints_bucket(s),
        *(names.key_ring(s, word) for word in ("release", "storage", "evidence", "owner")),
        names.storage_key(s), names.bundle_key(s), names.owner_key(s), names.pool(s),
        *(names.topic(s, word) for word in words), *(names.subscription(s, word) for word in words),
        names.workflow(s, names.WORKFLOW_TRAIN), names.workflow(s, names.WORKFLOW_TEAR_DOWN),
        f"projects/{s.project}/datasets/{names.dataset(s)}",
    }  # fmt: skip
    assert wanted - made == set()
    subnetworks = of(resources(placeholders.state["values"]["root_module"]), "google_compute_subnetwork")
    assert [one["values"]["id"] for one in subnetworks] == [names.subnetwork(s)]


def test_the_pools_condition_is_the_policys(placeholders: Applied) -> None:
    """What Google's exchange asks is what verify_evidence asks."""
    found = resources(placeholders.state["values"]["root_module"])
    provider = of(found, "google_iam_workload_identity_pool_provider")[0]["values"]
    assert provider["attribute_condition"] == policy.to_cel(policy.load(), SETTINGS)
    assert block(provider, "oidc")["allowed_audiences"] == [names.sts_audience(SETTINGS)]


def test_memory_time_and_account_are_the_step_tables(placeholders: Applied) -> None:
    """One table of functions."""
    found = of(resources(placeholders.state["values"]["root_module"]), "google_cloudfunctions2_function")
    told = {
        block(one["values"], "build_config")["entry_point"]: (
            block(one["values"], "service_config")["available_memory"],
            block(one["values"], "service_config")["timeout_seconds"],
            block(one["values"], "service_config")["service_account_email"],
            one["values"]["name"],
        )
        for one in found
    }
    assert told == {
        row.name: (
            f"{row.memory_mib}Mi",
            row.timeout_s,
            names.service_account(SETTINGS, row.name),
            names.hyphened(row.name),
        )
        for row in step_table.FUNCTIONS
    }


def test_every_kind_of_the_description_is_there() -> None:
    """The committed file is whole: accounts, grants, buckets, topics, keys, pool."""
    told = msgspec.json.decode(world.FILE.read_bytes(), type=World)
    kinds = {one.kind for one in told.resources}
    assert {"account", "role", "bucket", "topic", "key", "ring", "pool", "provider", "function"} <= kinds
