"""List prices in US dollars per hour, dated, each with source and grade. An estimate, never a bill.

Sources:
- CAT: skypilot-org/skypilot-catalog, catalogs/v9/gcp/vms.csv at 2c3d7ea, rows n2d-standard-2 (the price
  is linear in vCPUs: checked against n2d-standard-16 and n2d-highmem rows); C.
- BILL: Google's Billing Catalog on 2026-06-23, recorded by a third party, us-central1 only; C.
- No price of the confidential adder on N2D was found: 15 % of the machine is assumed; D.

Not in here: disks, network, KMS, storage operations, taxes, discounts.
"""

from __future__ import annotations

import msgspec

from sealtrain.rules.errors import UnsupportedError
from sealtrain.rules.shapes import Shape

DATED = "2026-06-23"
HEADROOM = 1.25
"""Worst case: prices move and regions differ; what is reserved is a quarter above the list."""

_N2D_STANDARD_2 = {
    "africa-south1": 0.09295, "asia-east1": 0.09783, "asia-east2": 0.11822, "asia-northeast1": 0.1084,
    "asia-northeast2": 0.10851, "asia-northeast3": 0.10851, "asia-south1": 0.05577,
    "asia-south2": 0.10148, "asia-southeast1": 0.10423, "asia-southeast2": 0.11362,
    "australia-southeast1": 0.11989, "australia-southeast2": 0.10191, "europe-central2": 0.10223,
    "europe-north1": 0.09303, "europe-southwest1": 0.0997, "europe-west1": 0.09295,
    "europe-west10": 0.10886, "europe-west12": 0.10899, "europe-west2": 0.10885,
    "europe-west3": 0.10885, "europe-west4": 0.09302, "europe-west6": 0.11068,
    "europe-west8": 0.09801, "europe-west9": 0.09801, "me-central1": 0.10266, "me-central2": 0.13519,
    "me-west1": 0.09294, "northamerica-northeast1": 0.09302, "northamerica-northeast2": 0.09302,
    "southamerica-east1": 0.13412, "southamerica-west1": 0.12082, "us-central1": 0.08449,
    "us-east1": 0.08449, "us-east4": 0.09516, "us-east5": 0.08449, "us-south1": 0.0997,
    "us-west1": 0.08449, "us-west2": 0.10148, "us-west3": 0.10148, "us-west4": 0.09516,
}  # fmt: skip
_N2D_ADDER_SHARE = 0.15
_A3_FLEX_USD = 4.708
_A3_FLEX_ADDER_USD = 0.5122
_A3_HOST_RATIO = {"us-central1": 1.0, "us-east5": 1.127, "europe-west4": 1.05}


class Price(msgspec.Struct, frozen=True):
    """Dollars per hour of one machine in one mode, with where the figure comes from."""

    usd_per_hour: float
    source: str
    grade: str


def price(shape: Shape, mode: str, region: str) -> Price:
    """The list price with the confidential adder. A reservation costs what it reserves.

    Raises UnsupportedError where no price is known: what has no price is not started.
    """
    if shape.name.startswith("n2d-standard-") and region in _N2D_STANDARD_2:
        machine = _N2D_STANDARD_2[region] * shape.vcpus / 2
        return Price(
            usd_per_hour=round(machine * (1 + _N2D_ADDER_SHARE), 5),
            source=f"CAT {DATED} or earlier; adder assumed",
            grade="D",
        )
    if shape.name == "a3-highgpu-1g" and mode == "flex-start" and region in _A3_HOST_RATIO:
        ratio = _A3_HOST_RATIO[region]
        return Price(
            usd_per_hour=round((_A3_FLEX_USD + _A3_FLEX_ADDER_USD) * ratio, 5),
            source=f"BILL {DATED}" + ("" if ratio == 1 else "; scaled to the region by the host's price"),
            grade="C" if ratio == 1 else "D",
        )
    raise UnsupportedError(
        "no price is known for this machine",
        code="no_price",
        field="machine.shape",
        got=f"{shape.name}, {mode}, {region}",
        expected="a machine and region of the price table",
        remedy="use another region, or add a dated price",
    )


def worst_case_usd(usd_per_hour: float, seconds: int) -> float:
    """What a machine may cost over its whole allowed time, headroom included."""
    return round(usd_per_hour * seconds / 3600 * HEADROOM, 4)
