"""Why a run failed, as one word that carries no data."""

from typing import Literal

Reason = Literal[
    "order_mismatch",
    "attestation_failed",
    "release_timeout",
    "release_mismatch",
    "key_refused",
    "dataset_mismatch",
    "confinement_failed",
    "trainer_exit",
    "arguments_refused",
    "data_refused",
    "target_refused",
    "columns_refused",
    "rows_refused",
    "trainer_timeout",
    "trainer_disk",
    "model_missing",
    "model_pickled",
    "model_refused",
    "metrics_refused",
    "cloud_unavailable",
    "preempted",
    "internal",
]


class WorkloadError(Exception):
    """The run ends here. `reason` goes to the operator; `detail` never holds data or keys."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
