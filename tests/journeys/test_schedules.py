"""What the clock starts: the period's report, asked for by the schedule itself."""

from __future__ import annotations

from tests.journeys.world import World


def test_the_schedule_asks_for_a_report_and_it_is_written(world: World) -> None:
    """The job's message reaches the listener by its topic; the report lies with the evidence."""
    settings = world.settings
    job = (
        f"projects/{settings.project}/locations/{settings.region}/jobs/{settings.deployment}-report-requests"
    )

    def written() -> set[str]:
        return {blob.name for blob in world.evidence.list_blobs(prefix="reports/")}

    before, told = written(), world.told("report.written")
    world.post(f"/v1/{job}:run", {})
    world.until(lambda: world.told("report.written") == told + 1, "a report was written")
    made = written() - before
    assert {name.rpartition(".")[2] for name in made} == {"html", "json"}

    world.post(f"/v1/{job}:run", {})
    world.until(lambda: world.told("report.written") == told + 2, "the same period is reported again")
    assert written() - before == made, "and compared with what stands"
