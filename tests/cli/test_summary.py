"""What of a run still bills."""

from __future__ import annotations

from cli.summary import bills

RUN = "r0123456789ab"


def one(name: str, *, bills: bool = True, labels: dict[str, str] | None = None) -> dict[str, object]:
    """A line of the inventory."""
    return {"name": name, "bills": bills, "labels": labels or {}, "kind": "x", "created": ""}


def test_what_bears_the_runs_label_or_name_and_bills_is_found() -> None:
    """By label, and by name for what takes no labels."""
    inventory = [
        one("projects/p/zones/z/instances/sealtrain-r0123456789ab"),
        one("projects/p/disks/other", labels={"sealtrain-run": RUN}),
        one("projects/_/buckets/sealtrain-demo-project-r0123456789ab"),
    ]
    assert len(bills(inventory, RUN)) == 3


def test_what_costs_nothing_or_is_of_another_run_is_not() -> None:
    """A key that waits for its destruction does not bill; other runs are not ours to judge."""
    inventory = [
        one("projects/p/locations/l/keyRings/k/cryptoKeys/r0123456789ab", bills=False),
        one("projects/p/zones/z/instances/sealtrain-rffffffffffff"),
        one("projects/_/buckets/sealtrain-demo-project-models"),
    ]
    assert bills(inventory, RUN) == []
