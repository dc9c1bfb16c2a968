"""List prices in US dollars per hour, dated, each with source and grade. An estimate, never a bill.

Sources:
- CAT: skypilot-org/skypilot-catalog, catalogs/v9/gcp/vms.csv at 2c3d7ea, rows n2d-standard-2 (the price
  is linear in vCPUs: checked against n2d-standard-16 and n2d-highmem rows); C. Spot: column SpotPrice of
  rows n2d-standard-16 (linear as well: checked against n2d-standard-128, from which us-west4 is taken).
- BILL: Google's Billing Catalog on 2026-06-23, recorded by a third party, us-central1 only; C.
- No price of the confidential adder on N2D was found: 15 % of the machine is assumed; D.

A Spot price may change once a day (D); the headroom is all that covers that. Spot of a3-highgpu-1g was found
for us-central1 alone, and cannot be scaled: Spot prices differ by region for reasons of their own.

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
_N2D_STANDARD_16_SPOT = {
    "africa-south1": 0.32691, "asia-east1": 0.4105, "asia-east2": 0.28387, "asia-northeast1": 0.33229,
    "asia-northeast2": 0.12707, "asia-northeast3": 0.14672, "asia-south1": 0.22192,
    "asia-south2": 0.40704, "asia-southeast1": 0.15571, "asia-southeast2": 0.232,
    "australia-southeast1": 0.37754, "australia-southeast2": 0.18534, "europe-central2": 0.45178,
    "europe-north1": 0.22877, "europe-southwest1": 0.46077, "europe-west1": 0.29344,
    "europe-west10": 0.10979, "europe-west12": 0.12774, "europe-west2": 0.33184,
    "europe-west3": 0.50138, "europe-west4": 0.23686, "europe-west6": 0.31632,
    "europe-west8": 0.13229, "europe-west9": 0.20131, "me-central1": 0.21382, "me-central2": 0.15216,
    "me-west1": 0.14525, "northamerica-northeast1": 0.38541, "northamerica-northeast2": 0.27379,
    "southamerica-east1": 0.22, "southamerica-west1": 0.15658, "us-central1": 0.17792,
    "us-east1": 0.17792, "us-east4": 0.3696, "us-east5": 0.15011, "us-south1": 0.20771,
    "us-west1": 0.17792, "us-west2": 0.33994, "us-west3": 0.21309, "us-west4": 0.17152,
}  # fmt: skip
_N2D_ADDER_SHARE = 0.15
_A3_FLEX_USD = 4.708
_A3_FLEX_ADDER_USD = 0.5122
_A3_SPOT_USD = 5.439
_A3_SPOT_ADDER_USD = 0.4392
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
    found = _find(shape, mode, region)
    if found is not None:
        return found
    priced = [other for other in shape.modes if _find(shape, other, region)]
    nearest = f"{shape.name}, mode {priced[0]}" if priced else "a machine and region of the price table"
    raise UnsupportedError(
        "no price is known for this machine",
        code="no_price",
        field="machine.mode" if priced else "machine.shape",
        got=f"{shape.name}, {mode}, {region}",
        expected=nearest,
        remedy=f"ask for {nearest}" if priced else "use another region, or add a dated price",
    )


def _find(shape: Shape, mode: str, region: str) -> Price | None:
    if shape.name.startswith("n2d-standard-") and region in _N2D_STANDARD_2:
        two = _N2D_STANDARD_16_SPOT[region] / 8 if mode == "spot" else _N2D_STANDARD_2[region]
        machine = two * shape.vcpus / 2
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
    if shape.name == "a3-highgpu-1g" and mode == "spot" and region == "us-central1":
        total = round(_A3_SPOT_USD + _A3_SPOT_ADDER_USD, 5)
        return Price(usd_per_hour=total, source=f"BILL {DATED}", grade="C")
    return None


def worst_case_usd(usd_per_hour: float, seconds: int) -> float:
    """What a machine may cost over its whole allowed time, headroom included."""
    return round(usd_per_hour * seconds / 3600 * HEADROOM, 4)
