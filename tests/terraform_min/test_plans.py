"""Plans over defaults, two regions, everything on and everything off: valid, and the same twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cli.doctor.monitoring import ALERTS
from tests.terraform_min.conftest import EVERYTHING, OFF, Applied
from tests.terraform_min.offline.terraform import Terraform, resources
from tests.terraform_min.policy import PER_PROJECT, findings, held_on_the_project, of

CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "two regions": {"regions": EVERYTHING["regions"]},
    "every optional part off": OFF,
}


def planned(plan: dict[str, Any]) -> dict[str, Any]:
    """What a plan makes, by address."""
    found = resources(plan["planned_values"]["root_module"])
    return {one["address"]: one["values"] for one in found}


@pytest.mark.parametrize("case", CASES)
def test_a_plan_is_valid_the_same_twice_and_keeps_the_rules(case: str, tmp_path: Path) -> None:
    """Two plans from nothing are equal; what is applied keeps every rule."""
    terraform = Terraform(tmp_path).init()
    first = terraform.plan(**CASES[case])
    assert planned(terraform.plan(**CASES[case])) == planned(first)
    assert findings(resources(terraform.apply()["values"]["root_module"])) == []


def test_everything_on_keeps_the_rules(everything: Applied) -> None:
    """Two regions, alerts, budget, auditors, deployers."""
    assert findings(resources(everything.state["values"]["root_module"])) == []


def test_no_reason_stays_for_a_right_on_the_project_that_nobody_has(everything: Applied) -> None:
    """The reviewed list shrinks with the grants."""
    held = held_on_the_project(resources(everything.state["values"]["root_module"]))
    assert [one for one in PER_PROJECT if not any(right.startswith(one) for right in held)] == []


def test_a_second_plan_after_an_apply_changes_nothing(everything: Applied) -> None:
    """Applying twice is applying once."""
    plan = everything.terraform.plan(**everything.variables)
    changes = [c["address"] for c in plan.get("resource_changes", []) if c["change"]["actions"] != ["no-op"]]
    assert changes == []


def test_regions_share_nothing_and_each_has_everything(everything: Applied) -> None:
    """The same kinds in both regions, each with its own names, each in its own place."""
    found = resources(everything.state["values"]["root_module"])
    by_region = {
        region: [one for one in found if f'module.region["{region}"]' in one["address"]]
        for region in EVERYTHING["regions"]
    }
    kinds = [Counter(one["type"] for one in part) for part in by_region.values()]
    assert kinds[0] == kinds[1]
    for region, part in by_region.items():
        places = {
            str(v).lower() for one in part for k, v in one["values"].items() if k in ("location", "region")
        }
        assert {p for p in places if not p.startswith("location-")} == {region}
    buckets = [one["values"]["name"] for one in found if one["type"] == "google_storage_bucket"]
    assert len(buckets) == len(set(buckets)) == 14


def test_alerts_and_budget_come_with_somebody_to_tell(everything: Applied, placeholders: Applied) -> None:
    """Six alerts and a budget per region; without an address none."""
    count = Counter(one["type"] for one in resources(everything.state["values"]["root_module"]))
    assert count["google_monitoring_alert_policy"] == 12
    assert count["google_billing_budget"] == 2
    none = Counter(one["type"] for one in resources(placeholders.state["values"]["root_module"]))
    assert none["google_monitoring_alert_policy"] == none["google_billing_budget"] == 0


def test_googles_billing_may_publish_only_where_a_budget_is(
    everything: Applied, placeholders: Applied
) -> None:
    """Its account is the same for all customers: without a budget of ours it has no right here."""

    def topics(applied: Applied) -> list[str]:
        members = of(
            resources(applied.state["values"]["root_module"]), "google_pubsub_topic_iam_member"
        )
        agent = "serviceAccount:billing-budget-alert@system.gserviceaccount.com"
        return sorted(one["values"]["topic"] for one in members if one["values"]["member"] == agent)

    assert [name.rpartition("/")[2] for name in topics(everything)] == [
        "seal-eu-budget-alerts",
        "sealtrain-budget-alerts",
    ]
    assert topics(placeholders) == []


def test_the_alerts_are_those_that_the_doctor_looks_for(everything: Applied) -> None:
    """Each title stands in both places."""
    found = resources(everything.state["values"]["root_module"])
    titles = {one["values"]["display_name"] for one in of(found, "google_monitoring_alert_policy")}
    prefixes = ("sealtrain us-central1: ", "seal-eu europe-west4: ")
    assert titles == {f"{prefix}{title}" for prefix in prefixes for title in ALERTS}


def test_destroy_stops_at_the_evidence_and_goes_on_without_it(tmp_path: Path) -> None:
    """A plain destroy is refused; after the evidence is taken out of the state it removes the rest."""
    terraform = Terraform(tmp_path).init()
    terraform.plan()
    terraform.apply()
    variables = ["-var=project_id=placeholder-project", "-var=wait_for_iam=0"]
    refused = terraform.run("plan", "-destroy", "-no-color", *variables)
    assert refused.returncode != 0
    assert "prevent_destroy" in refused.stderr
    terraform.do("state", "rm", 'module.region["us-central1"].module.evidence')
    terraform.do("destroy", "-auto-approve", "-no-color", *variables)
    assert terraform.do("state", "list").split() == []


def test_terraforms_own_tests_pass(tmp_path: Path) -> None:
    """`terraform test`, for those who have the real provider."""
    terraform = Terraform(tmp_path).init()
    told = terraform.do("test", "-no-color")
    assert ", 0 failed" in told
