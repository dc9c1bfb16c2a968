"""What checking a request costs: an instance-insert body against schema and rules.

    python bench/doors.py

The floor beside it, in the same run, is `json.loads` of the same body: what it costs to read it at all.
Medians of repeated rounds, in microseconds; the aim for the check is 200.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

from localcloud.doors.schema import check_body
from localcloud.machine.catalog import SHAPES, find_image
from localcloud.machine.rules import check_instance

ROUNDS, TIMES = 30, 200
IMAGE = "projects/confidential-space-images/global/images/family/confidential-space"
BODY = {
    "name": "sealtrain-r737700a86bb6",
    "machineType": "zones/us-central1-a/machineTypes/n2d-standard-4",
    "labels": {"sealtrain-deployment": "sealtrain", "sealtrain-run": "r737700a86bb6"},
    "confidentialInstanceConfig": {"confidentialInstanceType": "SEV"},
    "shieldedInstanceConfig": {
        "enableSecureBoot": True,
        "enableVtpm": True,
        "enableIntegrityMonitoring": True,
    },
    "disks": [
        {
            "boot": True,
            "autoDelete": True,
            "initializeParams": {"sourceImage": IMAGE, "diskSizeGb": "20", "diskType": "pd-balanced"},
            "diskEncryptionKey": {"kmsKeyName": "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"},
        }
    ],
    "networkInterfaces": [{"subnetwork": "regions/us-central1/subnetworks/sealtrain", "nicType": "GVNIC"}],
    "serviceAccounts": [{"email": "workload@p.iam.gserviceaccount.com", "scopes": ["cloud-platform"]}],
    "metadata": {"items": [{"key": f"tee-env-{n}", "value": "v" * 60} for n in range(12)]},
    "scheduling": {
        "provisioningModel": "STANDARD",
        "maxRunDuration": {"seconds": "3600"},
        "instanceTerminationAction": "DELETE",
        "onHostMaintenance": "TERMINATE",
        "automaticRestart": False,
    },
    "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"},
}


def measured(work: Callable[[], object]) -> float:
    """Median microseconds of one call."""
    work()
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(TIMES):
            work()
        rounds.append((time.perf_counter() - start) / TIMES * 1e6)
    return statistics.median(rounds)


def main() -> None:
    """Print the table."""
    raw = json.dumps(BODY)
    image, shape = find_image(IMAGE), SHAPES["n2d-standard-4"]
    assert image is not None  # noqa: S101 - it is in the catalog
    floor = measured(lambda: json.loads(raw))
    schema = measured(lambda: check_body("compute", "Instance", BODY, method="compute.instances.insert"))
    rules = measured(lambda: check_instance(BODY, shape, "us-central1-a", image, 20))
    print(f"instance-insert body, {len(raw):,} bytes          µs    × floor")
    for name, cost in (("floor: json.loads", floor), ("schema", schema), ("rules between fields", rules)):
        print(f"  {name:32} {cost:8.1f} {cost / floor:8.1f}")
    print(f"  {'check in all (aim: 200)':32} {schema + rules:8.1f} {(schema + rules) / floor:8.1f}")


if __name__ == "__main__":
    main()
