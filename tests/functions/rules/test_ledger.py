"""Tests of `rules.ledger`."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules.canonical import dumps
from sealtrain.rules.errors import ConflictError, EvidenceError
from sealtrain.rules.ledger import (
    Entry,
    check_same,
    entry_object,
    open_intents,
    parse_entry,
    tree_root,
    zone_of,
)

RUN = "r0123456789ab"


def entry(kind: str = "key", phase: str = "intent", name: str = "p/keys/k", **detail: object) -> Entry:
    """An entry with the parts that a test cares for."""
    return Entry(run=RUN, kind=kind, name=name, phase=phase, time="t", by="f", detail=detail)  # type: ignore[arg-type]


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def test_roots_follow_the_standard() -> None:
    """Zero to three leaves hash as RFC 6962 section 2.1 says."""
    entries = [entry(name=f"p/keys/{n}") for n in "abc"]
    one, two, three = (sha(b"\x00", dumps(e)) for e in entries)
    assert tree_root([]) == sha().hex()
    assert tree_root(entries[:1]) == one.hex()
    assert tree_root(entries[:2]) == sha(b"\x01", one, two).hex()
    assert tree_root(entries) == sha(b"\x01", sha(b"\x01", one, two), three).hex()


@given(st.permutations(range(7)))
def test_root_does_not_depend_on_the_order_of_reading(order: list[int]) -> None:
    """The leaves are sorted by object name."""
    entries = [entry(name=f"p/keys/k{n}") for n in range(7)]
    assert tree_root([entries[n] for n in order]) == tree_root(entries)


@given(st.integers(0, 6), st.text(min_size=1, max_size=5).filter(str.isalnum))
def test_root_changes_with_any_entry(which: int, word: str) -> None:
    """An entry that tells another story gives another root."""
    entries = [entry(name=f"p/keys/k{n}") for n in range(7)]
    changed = [entry(name=e.name, note=word) if n == which else e for n, e in enumerate(entries)]
    assert tree_root(changed) != tree_root(entries)


def test_the_same_machine_in_two_zones_has_two_entries() -> None:
    """Tries in different zones do not overwrite each other."""
    names = [f"projects/p/zones/us-central1-{z}/instances/m" for z in "ab"]
    assert [zone_of(n) for n in names] == ["us-central1-a", "us-central1-b"]
    assert (
        entry_object(entry("instance", name=names[0]))
        == f"runs/{RUN}/ledger/m@us-central1-a.instance.intent.json"
    )
    assert len({entry_object(entry("instance", name=n)) for n in names}) == 2


def test_a_repeated_entry_must_tell_the_same() -> None:
    """Another id under the same name is a conflict; another sighting of absence is not."""
    check_same(entry(phase="made", id="1"), entry(phase="made", id="1"))
    check_same(entry(phase="gone", seen="1"), entry(phase="gone", seen="2"))
    check_same(entry(phase="listed", kms_key=""), entry(phase="listed", kms_key="k"))
    with pytest.raises(ConflictError):
        check_same(entry(phase="made", id="1"), entry(phase="made", id="2"))


def test_an_intent_without_an_outcome_is_open() -> None:
    """Its maker died or is still at it; made and refused are outcomes."""
    entries = [
        entry(name="a"),
        entry(name="b"),
        entry(name="b", phase="made"),
        entry(name="c"),
        entry(name="c", phase="refused"),
        entry(name="d"),
        entry(name="d", phase="gone"),
    ]
    assert open_intents(entries) == {("key", "a"), ("key", "d")}


@pytest.mark.parametrize("data", [b"{}", b"[]", dumps({**{"extra": 1}, "run": RUN}), b"x"])
def test_a_broken_entry_is_refused(data: bytes) -> None:
    """What is not an entry is not read as one."""
    with pytest.raises(EvidenceError):
        parse_entry(data, f"runs/{RUN}/ledger/k.key.intent.json")
