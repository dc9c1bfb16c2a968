"""Runs that the platform refuses something: the owner reads the platform's own words."""

from __future__ import annotations

from sealtrain.rules import names
from sealtrain.rules.ledger import zone_of
from sealtrain.rules.uploads import run_of

from tests.journeys.world import World


def test_a_key_that_is_refused_is_told_in_the_platforms_words(world: World, few_lines: bytes) -> None:
    """One of two steps at once is refused: the record says what refused it, not that a branch failed."""
    world.fault("cloudkms.projects.locations.keyRings.cryptoKeys.create", 403, 1)
    upload = world.upload("no-key", few_lines, f"trainer: {world.trainers['minimal']}\n")

    closed = world.closed(upload)

    assert closed["outcome"] == "failed", closed
    assert "account may not do this" in closed["reason"], closed
    assert world.bills(run_of(upload)) == []


def test_a_stock_out_that_is_told_late_leads_to_the_next_zone(world: World, few_lines: bytes) -> None:
    """The machine is listed, then its operation fails: the plan's next zone is asked, the run succeeds."""
    world.fault("compute.instances.insert", "stockout", 1)
    upload = world.upload("stock-out", few_lines, f"trainer: {world.trainers['minimal']}\n")
    run = run_of(upload)

    closed = world.closed(upload)

    assert closed["outcome"] == "succeeded", closed
    refused, made = (world.ledger(run, "instance", phase) for phase in ("refused", "made"))
    assert [zone_of(one["name"]) for one in refused] == ["us-central1-a"]
    assert [zone_of(one["name"]) for one in made] == ["us-central1-b"]
    report = world.record(names.report(run, "json"))
    assert report
    assert (report["no_room"], report["taken"]) == (["us-central1-a"], "us-central1-b")
    (there,) = [one for one in report["resources"] if zone_of(one["name"]) == "us-central1-a"]
    assert there["created"] == ""  # it never ran, and costs nothing
    assert world.bills(run) == []


def test_no_zone_with_room_is_told_as_that(world: World, few_lines: bytes) -> None:
    """Each zone's operation fails after the machine was listed: the run ends as a stock-out."""
    world.fault("compute.instances.insert", "stockout", 9)
    upload = world.upload("no-room", few_lines, f"trainer: {world.trainers['minimal']}\n")

    closed = world.closed(upload)
    world.no_faults()

    assert closed["outcome"] == "failed", closed
    assert "no zone of the plan has this machine now" in closed["reason"], closed
    assert world.bills(run_of(upload)) == []
