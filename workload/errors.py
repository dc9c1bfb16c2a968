"""Why a run ends, as one word that carries no data."""

from typing import Literal

Reason = Literal[
    "order_mismatch", "attestation_failed", "release_timeout", "release_mismatch", "key_refused",
    "dataset_mismatch", "checkpoint_refused", "confinement_failed", "trainer_exit", "arguments_refused",
    "data_refused", "target_refused", "columns_refused", "rows_refused", "gpu_missing", "trainer_timeout",
    "trainer_disk", "trainer_processes", "model_missing", "model_pickled", "model_refused", "metrics_refused",
    "cloud_unavailable", "preempted", "internal",
]  # fmt: skip


class WorkloadError(Exception):
    """The run ends here. `reason` goes to the operator; `detail` never holds data or keys."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Preempted(BaseException):
    """The platform is stopping this VM. No `except Exception` holds it up. `left`: checkpoint's digest."""

    left: str | None = None
