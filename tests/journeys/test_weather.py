"""Runs in bad weather, wholly in the stand-in's time: hours pass there while real work takes seconds here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sealtrain.rules import names
from sealtrain.rules.uploads import run_of

from cli.api import Api
from cli.trust import check
from cli.verbs.fetch import public_keys
from tests.journeys.conftest import MINIMAL
from tests.journeys.world import BOUND_S, World, start

CLEAN_ENDS = ("succeeded", "failed")
FLEX = "machine: {shape: a3-highgpu-1g, mode: flex-start}\n"
RESERVED = "machine: {shape: n2d-standard-4, mode: reservation}\n"


@pytest.fixture(scope="module")
def stormy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A deployed world whose weather its journeys choose."""
    stand_in, world = start(tmp_path_factory.mktemp("stormy"), [MINIMAL])
    yield world
    stand_in.__exit__(None, None, None)


def now(world: World) -> float:
    """The stand-in's time, epoch seconds."""
    return float(world.get("/_control/clock")["now"])


@pytest.mark.parametrize(("seed", "machine"), [(1, ""), (2, RESERVED), (4, "")])
def test_a_run_in_harsh_weather_ends_cleanly(
    stormy: World, few_lines: bytes, seed: int, machine: str
) -> None:
    """Slow operations, late lists, events twice and in any order, no room: it ends, proven, empty."""
    stormy.post("/_control/weather", {"name": "harsh", "seed": seed})
    job = f"trainer: {stormy.trainers['minimal']}\n{machine}"
    began = now(stormy)
    upload = stormy.upload(f"harsh-{seed}", few_lines, job)
    run = run_of(upload)

    closed = stormy.closed(upload, 2 * BOUND_S)

    assert closed["outcome"] in CLEAN_ENDS, closed
    assert stormy.bills(run) == []
    assert now(stormy) - began > 60  # nothing here is instant
    proof = stormy.record(names.proof(run))
    assert proof is not None
    bundle = stormy.evidence.blob(names.bundle(run)).download_as_bytes()
    keys = public_keys(Api(stormy.settings), stormy.settings)
    checks, _ = check(bundle, keys, datetime.fromtimestamp(now(stormy), UTC))
    assert [one for one in checks if not one.ok] == []


def test_a_wait_of_two_hours_for_capacity_passes_in_seconds(stormy: World, few_lines: bytes) -> None:
    """A flex-start request is granted after two hours of the stand-in's time; nobody slept for them."""
    stormy.post("/_control/weather", {"name": "harsh", "seed": 5, "exactly": {"capacity": 2 * 3600}})
    began, real = now(stormy), time.monotonic()
    upload = stormy.upload("two-hours", few_lines, f"trainer: {stormy.trainers['minimal']}\n{FLEX}")

    closed = stormy.closed(upload, 2 * BOUND_S)

    assert closed["outcome"] == "succeeded", closed
    assert now(stormy) - began >= 2 * 3600
    assert time.monotonic() - real < 2 * BOUND_S
    assert stormy.bills(run_of(upload)) == []
