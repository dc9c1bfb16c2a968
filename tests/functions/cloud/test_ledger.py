"""Tests of `cloud.ledger` and `cloud.state`."""

import msgspec
import pytest
from msgspec import to_builtins
from sealtrain.rules import names
from sealtrain.rules.canonical import dumps
from sealtrain.rules.errors import ConflictError, EvidenceError, InvalidRequestError, NotFoundError
from sealtrain.rules.ledger import Entry, entry_object
from sealtrain.rules.order import HeldKey

from tests.functions.memory import World

RUN = "r0123456789ab"


def test_an_entry_is_kept_once() -> None:
    """A repeated entry gives back the first, with its time."""
    world = World()
    first = world.ledger.made(RUN, "key", "p/keys/k", {"id": "1"})
    assert world.ledger.made(RUN, "key", "p/keys/k", {"id": "1"}) == first
    assert world.ledger.entries(RUN) == [first]


def test_an_entry_that_tells_another_story_is_a_conflict() -> None:
    """A VM made again under the same name would be another VM."""
    world = World()
    world.ledger.made(RUN, "instance", "p/zones/z/instances/m", {"id": "1"})
    with pytest.raises(ConflictError):
        world.ledger.made(RUN, "instance", "p/zones/z/instances/m", {"id": "2"})


def test_entries_of_other_runs_are_not_seen() -> None:
    """A run's ledger is its own."""
    world = World()
    world.ledger.intent("r000000000000", "key", "p/keys/k")
    assert world.ledger.entries(RUN) == []


@pytest.mark.parametrize(
    "name",
    [
        f"runs/{RUN}/ledger/x/evidence/token.json",
        f"runs/{RUN}/ledger/m.log.json",
        f"runs/{RUN}/ledger/x/m@z.instance.made.json",
        f"runs/{RUN}/ledger/m@z.instance.made.json.json",
    ],
)
def test_what_another_account_could_put_there_is_no_entry(name: str) -> None:
    """Accounts are told apart by the endings of names: an entry counts under its own name alone."""
    world = World()
    forged = Entry(run=RUN, kind="instance", name="p/zones/z/instances/m", phase="made", time="t", by="x")
    world.storage.put(names.evidence_bucket(world.settings), name, dumps(forged))
    assert world.ledger.entries(RUN) == []


@pytest.mark.parametrize("change", [{"kind": "instance"}, {"phase": "gone"}, {"run": "r000000000000"}])
def test_an_entry_that_speaks_of_something_else_is_refused(change: dict[str, str]) -> None:
    """Who may write of a key cannot write of a machine: name and content have to agree."""
    world = World()
    entry = Entry(run=RUN, kind="key", name="p/keys/k", phase="made", time="t", by="x")
    lie = {**to_builtins(entry), **change}
    world.storage.put(names.evidence_bucket(world.settings), entry_object(entry), dumps(lie))
    with pytest.raises(EvidenceError, match="under a name that is not its own"):
        world.ledger.entries(RUN)


def test_a_record_is_kept_once() -> None:
    """Whoever comes second gets what stands."""
    world = World()
    first, second = (HeldKey(order_digest=d, wrapped_key="", key_version="") for d in "ab")
    assert world.state.keep("x.json", first) == first
    assert world.state.keep("x.json", second) == first
    assert world.state.find("x.json", HeldKey) == first


def test_a_record_that_is_missing_or_broken_is_told() -> None:
    """Missing is not found, broken is refused by name."""
    world = World()
    assert world.state.find("x.json", HeldKey) is None
    with pytest.raises(NotFoundError):
        world.state.plan(RUN)
    world.state.keep("x.json", msgspec.convert({"order_digest": "d"}, dict))
    with pytest.raises(InvalidRequestError, match=r"x\.json"):
        world.state.find("x.json", HeldKey)
