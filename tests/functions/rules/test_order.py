"""Tests of `rules.order`."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules import names
from sealtrain.rules.canonical import digest, dumps
from sealtrain.rules.errors import EvidenceError
from sealtrain.rules.freeze import order_of
from sealtrain.rules.job import FrozenJob, Job, SourceObject
from sealtrain.rules.order import Dataset, Order, encode, parse_order
from sealtrain.rules.sealed import Part, SealedFile, dataset_id, id_of

from tests.functions.memory import DIGEST, IMAGE, SETTINGS

RUN = "r0123456789ab"


def an_order() -> Order:
    """The order of a run with one file."""
    part = Part(object="data/x/part-00000", size=3, sha256=DIGEST, sealed_size=40, sealed_sha256=DIGEST)
    file = SealedFile(path="data.csv", size=3, sha256=DIGEST, parts=(part,))
    found = id_of([file])
    dataset = Dataset(sealed_by="service", id=found, bucket="b", prefix="data/x/", files=(file,))
    frozen = FrozenJob(
        run=RUN, job=Job(arguments={"é": 1.5}), image=IMAGE, image_digest=DIGEST, bucket="inbox",
        objects=(SourceObject("incoming/data.csv", "data.csv", "7", 3, "crc"),), memory_bytes=1,
        worst_case_usd=1.0, admitted_at="t", expires=1,
    )  # fmt: skip
    return order_of(SETTINGS, frozen, dataset, "02" + "ab" * 32)


def test_an_order_survives_its_bytes() -> None:
    """What is read back is what was written, and its bytes are the same again."""
    order = an_order()
    assert parse_order(encode(order)) == order


def test_an_order_names_its_key_and_its_places() -> None:
    """The workload finds everything in the order."""
    order = an_order()
    assert order.release.kms_key == names.run_key(SETTINGS, RUN)
    assert order.release.object == f"gs://sealtrain-demo-project-state/runs/{RUN}/release.json"
    assert order.output.kms_key == names.owner_key(SETTINGS)
    assert order.evidence.audience == "sealtrain-evidence"
    assert set(msgspec.to_builtins(order)) == {
        "version", "run", "project", "project_number", "region", "deployment", "dataset", "source", "image",
        "image_digest", "format", "arguments", "limits", "release", "output", "checkpoint", "evidence",
        "events_topic",
    }  # fmt: skip


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_is_another_order_or_none(where: int, change: int) -> None:
    """A byte changed anywhere changes the digest; and often the order cannot be read any more."""
    data = bytearray(encode(an_order()))
    data[where % len(data)] ^= change
    assert digest(bytes(data)) != digest(encode(an_order()))
    with contextlib.suppress(EvidenceError):
        assert encode(parse_order(bytes(data))) == bytes(data)


@pytest.mark.parametrize(
    "change",
    [{"extra": 1}, {"version": 2}, {"image": 1}, {"format": "pickle"}],
)
def test_a_wrong_order_is_refused(change: dict[str, object]) -> None:
    """Unknown fields, versions and values are refused."""
    with pytest.raises(EvidenceError):
        parse_order(dumps({**msgspec.to_builtins(an_order()), **change}))


def test_an_order_whose_dataset_id_is_not_its_files_is_refused() -> None:
    """The id cannot be claimed, it follows from the files."""
    plain = msgspec.to_builtins(an_order())
    plain["dataset"]["id"] = DIGEST
    with pytest.raises(EvidenceError) as caught:
        parse_order(dumps(plain))
    assert caught.value.body.field == "dataset.id"


def test_an_order_in_another_spelling_is_refused() -> None:
    """Spaces would give the same order another digest."""
    with pytest.raises(EvidenceError):
        parse_order(encode(an_order()) + b" ")


def test_dataset_id_depends_on_content_and_not_on_order() -> None:
    """Equal files have an equal id; a changed file another."""
    one, two = ("a", 1, DIGEST), ("b", 2, DIGEST)
    assert dataset_id([one, two]) == dataset_id([two, one])
    assert dataset_id([one]) != dataset_id([("a", 2, DIGEST)])
