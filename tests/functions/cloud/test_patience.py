"""Tests of `cloud.patience`, by every library that is called."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from sealtrain.cloud.connect import Cloud
from sealtrain.cloud.patience import AGAIN_WITHIN_S, ANSWER_WITHIN_S, briefly, storage_briefly
from sealtrain.rules import names
from sealtrain.rules.errors import ThrottledError, UnavailableError
from sealtrain.rules.step_table import FUNCTIONS

Ask = Callable[[Cloud], Any]
ASKED: dict[str, Ask] = {
    "storage.buckets.get": lambda c: c.get("storage").get_bucket("none-of-that-name"),
    "storage.objects.get": lambda c: c.get("storage").stat("none-of-that-name", "x"),
    "cloudkms.projects.locations.keyRings.cryptoKeys.get": lambda c: c.get("kms").get_key(
        names.storage_key(c.settings)
    ),
    "compute.instances.get": lambda c: c.get("compute").get(
        "instance", names.instance(c.settings, "r000000000000", "us-central1-a")
    ),
    "pubsub.projects.topics.publish": lambda c: c.get("pubsub").publish(
        names.topic(c.settings, "job-events"), b"{}"
    ),
}


def plant(cloud: Cloud, api: str, answer: Any) -> None:
    """Every call of that API meets this, once for each of a hundred."""
    url = f"{cloud.settings.endpoint}/_control/faults"
    requests.delete(url, timeout=10).raise_for_status()
    requests.post(url, json={"api": api, "answer": answer, "times": 100}, timeout=10).raise_for_status()


def met(cloud: Cloud) -> int:
    """How many calls met the fault; it is taken away."""
    url = f"{cloud.settings.endpoint}/_control/faults"
    (fault,) = requests.get(url, timeout=10).json()["faults"]
    requests.delete(url, timeout=10).raise_for_status()
    return int(fault["consumed"])


@pytest.fixture(autouse=True)
def half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sits through the seconds."""
    for made in (briefly(), storage_briefly()):
        monkeypatch.setitem(made, "retry", made["retry"].with_timeout(0.5))


@pytest.mark.parametrize("api", ASKED)
@pytest.mark.parametrize(("answer", "error"), [(429, ThrottledError), (503, UnavailableError)])
def test_whoever_owns_the_retries_is_told_in_time(
    cloud: Cloud, api: str, answer: int, error: type[Exception]
) -> None:
    """A "not now" is told by what it was: by Cloud Storage's library in seconds, by any other at once."""
    plant(cloud, api, answer)
    try:
        with pytest.raises(error):
            ASKED[api](cloud)
    finally:
        calls = met(cloud)
    assert calls > 1 if api.startswith("storage.") else calls == 1


@pytest.mark.parametrize("api", ASKED)
def test_a_connection_that_breaks_is_bridged(cloud: Cloud, api: str) -> None:
    """Without any answer the call is sent again, for seconds; then that is told."""
    plant(cloud, api, "reset")
    try:
        with pytest.raises(UnavailableError):
            ASKED[api](cloud)
    finally:
        calls = met(cloud)
    assert calls > 1
    ASKED[api](cloud)


def test_no_function_reaches_its_limit_over_one_call() -> None:
    """A call that is never answered leaves each function the time to say so."""
    assert min(one.timeout_s for one in FUNCTIONS) / 2 >= AGAIN_WITHIN_S + ANSWER_WITHIN_S
