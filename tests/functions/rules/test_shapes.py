"""Tests of `rules.shapes` and `rules.prices`."""

import pytest
from sealtrain.rules.errors import UnsupportedError
from sealtrain.rules.prices import price, worst_case_usd
from sealtrain.rules.shapes import SHAPES, find_shape, zones_in


def refusal(*args: str) -> UnsupportedError:
    """The refusal of a machine."""
    with pytest.raises(UnsupportedError) as caught:
        find_shape(*args)
    assert caught.value.code == "unsupported_shape"
    assert caught.value.body.expected
    return caught.value


@pytest.mark.parametrize(
    ("name", "technology", "mode", "region"),
    [
        ("n2d-standard-2", "", "on-demand", "us-central1"),
        ("n2d-standard-4", "SEV", "reservation", "europe-west4"),
        ("n2d-standard-96", "", "spot", "us-west4"),
        ("a3-highgpu-1g", "TDX", "flex-start", "us-central1"),
        ("a3-highgpu-1g", "", "spot", "us-central1"),
    ],
)
def test_what_exists_is_found(name: str, technology: str, mode: str, region: str) -> None:
    """A machine of the table, in a mode and region that it has."""
    shape = find_shape(name, technology, mode, region)
    assert zones_in(shape, region)
    assert price(shape, mode, region).usd_per_hour > 0


@pytest.mark.parametrize(
    ("args", "field", "word"),
    [
        (("a2-highgpu-1g", "SEV_SNP", "reservation", "us-central1"), "machine.shape", "A100"),
        (("g4-standard-48", "SEV", "reservation", "us-central1"), "machine.shape", "Confidential Space"),
        (("a3-highgpu-8g", "TDX", "flex-start", "us-central1"), "machine.shape", "one GPU"),
        (("a4-highgpu-8g", "", "flex-start", "us-central1"), "machine.shape", "A4"),
        (("e2-standard-2", "", "on-demand", "us-central1"), "machine.shape", "no confidential machine"),
        (("n2d-standard-2", "SEV_SNP", "on-demand", "us-central1"), "machine.technology", "SEV and TDX only"),
        (("n2d-standard-2", "TDX", "on-demand", "us-central1"), "machine.technology", "SEV"),
        (("a3-highgpu-1g", "TDX", "reservation", "us-central1"), "machine.mode", "cannot use reservations"),
        (("a3-highgpu-1g", "", "on-demand", "us-central1"), "machine.mode", "flex-start"),
        (("n2d-standard-2", "", "flex-start", "us-central1"), "machine.mode", "GPU"),
        (("a3-highgpu-1g", "", "calendar", "us-central1"), "machine.mode", "8 GPUs only"),
        (("n2d-standard-2", "", "calendar", "us-central1"), "machine.mode", "8 GPUs only"),
        (("a3-highgpu-1g", "TDX", "flex-start", "europe-west1"), "machine.shape", "not in europe-west1"),
        (("n2d-standard-2", "", "on-demand", "europe-west5"), "machine.shape", "not in europe-west5"),
    ],
)
def test_what_does_not_exist_is_refused_with_reason_and_nearest(
    args: tuple[str, ...], field: str, word: str
) -> None:
    """Each known wrong recipe is refused before any call, with its reason."""
    error = refusal(*args)
    assert error.body.field == field
    assert word in error.body.message


def test_the_nearest_that_is_named_exists() -> None:
    """Whoever follows the advice gets a machine."""
    for name in ("a2-highgpu-1g", "g4-standard-48", "e2-standard-2", "c3-standard-4"):
        told = refusal(name, "", "on-demand", "us-central1").body.expected or ""
        shape, _, rest = told.partition(" with ")
        technology, _, mode = rest.partition(", mode ")
        assert find_shape(shape, technology, mode, "us-central1")


def test_every_shape_has_zones_a_source_and_a_price() -> None:
    """A row without a source or a price is no row."""
    for shape in SHAPES.values():
        assert shape.source
        for region in {zone.rpartition("-")[0] for zone in shape.zones}:
            found = price(shape, shape.modes[0], region)
            assert found.usd_per_hour > 0
            assert found.grade in {"A", "B", "C", "D"}


def test_spot_costs_less_wherever_a_shape_is_had_both_ways() -> None:
    """In each region of the table; a Spot machine above its other price would be a slip of the table."""
    two = SHAPES["n2d-standard-2"]
    for region in {zone.rpartition("-")[0] for zone in two.zones}:
        spot, whole = (price(two, mode, region).usd_per_hour for mode in ("spot", "on-demand"))
        assert 0.05 < spot / whole < 0.7, region


def test_spot_without_a_sourced_price_is_refused_with_the_nearest_that_has_one() -> None:
    """Spot prices of the H100 are on record for one region; elsewhere flex-start is named."""
    with pytest.raises(UnsupportedError) as caught:
        price(SHAPES["a3-highgpu-1g"], "spot", "europe-west4")
    assert (caught.value.code, caught.value.body.field) == ("no_price", "machine.mode")
    assert caught.value.body.expected == "a3-highgpu-1g, mode flex-start"


def test_price_is_linear_in_the_size() -> None:
    """Twice the machine costs twice as much."""
    two, four = (price(SHAPES[f"n2d-standard-{n}"], "on-demand", "us-central1") for n in (2, 4))
    assert four.usd_per_hour == pytest.approx(2 * two.usd_per_hour, rel=1e-4)


def test_worst_case_has_headroom() -> None:
    """The worst case is above the list price of the whole time."""
    assert worst_case_usd(4.0, 1800) == 2.5


def test_what_has_no_price_is_not_started() -> None:
    """A machine whose price nobody knows is refused."""
    with pytest.raises(UnsupportedError) as caught:
        price(SHAPES["n2d-standard-2"], "on-demand", "mars-north1")
    assert caught.value.code == "no_price"
