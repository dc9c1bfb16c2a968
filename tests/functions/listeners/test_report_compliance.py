"""A period's report: from rows compared with records, the same bytes every time."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sealtrain.listeners import report_compliance
from sealtrain.rules import names, period
from sealtrain.rules.errors import InvalidRequestError

from tests.functions.closing import World

DAY = {"start": "2026-11-22T00:00:00Z", "end": "2026-11-23T00:00:00Z"}
PLACE = "reports/20261122T000000Z_20261123T000000Z"


def reported(world: World) -> tuple[Any, dict[str, Any], str]:
    world.time += timedelta(days=1)
    found = world.call(report_compliance, **DAY)
    made = json.loads(world.storage.get(world.evidence, f"{PLACE}.json"))
    return found, made, world.storage.get(world.evidence, f"{PLACE}.html").decode()


def test_closed_runs_are_counted_by_claim() -> None:
    """Each claim's verdicts are counted over the period's runs, equal in JSON and page."""
    world = World()
    world.end(world.succeed())
    found, made, page = reported(world)
    assert (found.runs, found.complete, found.unchanged) == (1, True, True)
    counts = {line["id"]: line["counts"] for line in made["claims"]}
    assert counts["workload_attested"]["met"] == 1
    assert counts["key_log"]["no_evidence"] == 1
    assert made["outcomes"] == {"succeeded": 1}
    assert made["runs"][0]["evidence"] == "intact"
    assert "SIMULATED" in page
    assert made["statement"] in page
    assert made["caveat"] in page


def test_empty_period_says_so() -> None:
    """A period without runs is told to be empty, and never complete or compliant."""
    found, made, page = reported(World())
    assert not found.complete
    assert made["statement"] == period.EMPTY
    assert period.EMPTY in page


def test_same_period_gives_the_same_bytes() -> None:
    """Asked again, later, the report is the same; a late row is told and replaces nothing."""
    world = World()
    world.end(world.succeed())
    reported(world)
    before = dict(world.storage.objects)
    assert reported(world)[0].unchanged
    assert world.storage.objects == before
    row = dict(next(r for (t, _), r in world.bigquery.rows.items() if t == "runs"))
    row |= {"row_id": "late", "run": "r000000000000"}
    world.bigquery.rows["runs", "late"] = row
    assert not reported(world)[0].unchanged
    assert world.storage.objects == before


@pytest.mark.parametrize("state", ["missing", "changed"])
def test_row_without_its_record_is_a_gap(state: str) -> None:
    """A row whose bundle is missing or another one makes the report incomplete, by name."""
    world = World()
    run = world.succeed()
    world.end(run)
    world.storage.delete(world.evidence, names.bundle(run))
    if state == "changed":
        world.storage.put(world.evidence, names.bundle(run), b"{}")
    found, made, page = reported(world)
    assert not found.complete
    assert made["gaps"] == [f"{run}: the bundle is {state}"]
    assert "INCOMPLETE" in page


def test_record_without_a_row_is_a_gap() -> None:
    """A closed run that no row tells of makes the report incomplete."""
    world = World()
    run = world.succeed()
    world.end(run)
    world.bigquery.rows.clear()
    _, made, _ = reported(world)
    assert made["gaps"] == [f"{run}: closed, and no row says so"]
    assert made["statement"] != period.EMPTY


def test_duplicate_rows_count_once() -> None:
    """A row that was written twice is one run."""
    world = World()
    world.end(world.succeed())
    (table, row_id), row = next(iter(world.bigquery.rows.items()))
    world.bigquery.rows[table, f"{row_id}-again"] = row
    assert reported(world)[0].runs == 1


def test_without_dates_it_is_the_last_full_day() -> None:
    """A scheduler that gives no dates reports yesterday in UTC."""
    world = World()
    world.time += timedelta(days=1)
    assert world.call(report_compliance).report.endswith(f"{PLACE}.json")


@pytest.mark.parametrize(
    "fields",
    [
        {"start": "2026-11-22"},
        {"start": "yesterday"},
        {"start": "2026-11-22T00:00:00Z", "end": "2026-11-21T00:00:00Z"},
        {"start": "2026-11-22T00:00:00Z", "end": "2027-01-01T00:00:00Z"},
        {"start": "2020-01-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"},
    ],
)
def test_period_that_cannot_be_is_refused(fields: dict[str, str]) -> None:
    """No zone, no time, backwards, in the future, or longer than a year is refused."""
    with pytest.raises(InvalidRequestError):
        World().call(report_compliance, **fields)


def test_names_are_escaped_on_the_page() -> None:
    """What came from outside cannot become markup."""
    world = World()
    run = world.succeed()
    world.end(run)
    for row in world.bigquery.rows.values():
        if "outcome" in row:
            row["outcome"] = "<script>alert(1)</script>"
    _, _, page = reported(world)
    assert "<script" not in page
    assert "&lt;script" in page
