"""The product on a stand-in that really runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from sealtrain.rules import names, step_table

from cli.api import Api
from cli.deploy.stand_in import DEFAULT_TRAINER, Deployed, built, deploy
from cli.stand_in import StandIn


def test_deploying_again_changes_nothing(stand_in: StandIn, deployed: Deployed) -> None:
    """The second time every resource and every policy is as it should be."""
    again = deploy(stand_in.ready, stand_in.state, ())
    assert (again.outcome.created, again.outcome.changed) == (0, 0)
    assert again.settings == deployed.settings


def test_every_function_of_the_table_stands(api: Api, deployed: Deployed) -> None:
    """Deployed under its own name, with its own account."""
    settings = deployed.settings
    location = f"projects/{settings.project}/locations/{settings.region}"
    found = api.get("cloudfunctions", f"/v2/{location}/functions", pageSize=100)["functions"]
    accounts = {f["name"].rpartition("/")[2]: f["serviceConfig"]["serviceAccountEmail"] for f in found}
    assert accounts == {
        names.hyphened(row.name): names.service_account(settings, row.name) for row in step_table.FUNCTIONS
    }


def test_the_default_trainer_is_pinned_and_approved(deployed: Deployed) -> None:
    """By the digest that was built, not by a tag."""
    settings = deployed.settings
    assert settings.trainer.partition("@")[2] in settings.approved_images


def test_a_trainer_of_an_earlier_start_stays_approved(tmp_path: Path) -> None:
    """Starting again without --trainer takes no approval away; a new build of the same name replaces it."""
    minimal = DEFAULT_TRAINER.parent / "minimal"
    first = built(tmp_path, [DEFAULT_TRAINER, minimal])
    assert built(tmp_path, [DEFAULT_TRAINER]) == first
    other = tmp_path / "other" / "minimal"
    shutil.copytree(minimal, other)
    (other / "trainer" / "more.py").write_text("")
    assert built(tmp_path, [DEFAULT_TRAINER, other])["minimal"] != first["minimal"]


def test_what_somebody_took_away_is_put_back(stand_in: StandIn, api: Api, deployed: Deployed) -> None:
    """A policy that was emptied by hand is repaired by the next deployment; foreign members stay."""
    topic = names.topic(deployed.settings, "job-events")
    path = f"/v1/{topic}"
    before = api.get("pubsub", f"{path}:getIamPolicy")
    foreign = {"role": "roles/pubsub.viewer", "members": ["user:auditor@example.org"]}
    api.post("pubsub", f"{path}:setIamPolicy", {"policy": {"bindings": [foreign]}})
    outcome = deploy(stand_in.ready, stand_in.state, ()).outcome
    after = api.get("pubsub", f"{path}:getIamPolicy")
    assert outcome.changed == 1
    assert foreign in after["bindings"]
    assert all(binding in after["bindings"] for binding in before["bindings"])
