"""What the workload's reason words mean, and what to do about each.

The workload tells why it failed in one word, so that no data can leave by that way; the words are those of
`workload/errors.py` (a test compares the lists). A word that is not known here is shown as it came.
"""

from __future__ import annotations

# word: (what happened, what to do)
SENTENCES: dict[str, tuple[str, str]] = {
    "order_mismatch": (
        "the order that the VM read is not the one it was started for",
        "treat it as tampering: look at who wrote to the state bucket",
    ),
    "attestation_failed": (
        "the VM got no attestation token",
        "look at the VM's serial console, where its launcher writes, then try again",
    ),
    "release_timeout": ("the data key was not handed over in time", "see what verify_evidence found"),
    "release_mismatch": (
        "what was handed over belongs to another order",
        "treat it as tampering: look at who wrote to the state bucket",
    ),
    "key_refused": (
        "the key service did not open the data key for this VM",
        "compare the VM's token with the conditions of the workload identity pool",
    ),
    "dataset_mismatch": (
        "the sealed data is not what the order names",
        "treat it as tampering: look at who wrote to the sealed bucket",
    ),
    "checkpoint_refused": (
        "the checkpoint of the earlier attempt is not the one that the order names",
        "start another attempt; if it stays, look at who wrote to the models bucket",
    ),
    "confinement_failed": ("the trainer could not be confined, so it was not run", "use a supported system"),
    "trainer_exit": (
        "the trainer's exit code was not 0",
        "run the trainer on a sample of your own: its output is not shown here, it could hold data",
    ),
    "arguments_refused": (
        "the trainer does not take these arguments",
        "correct `arguments` in job.yaml; the trainer's documentation lists them",
    ),
    "data_refused": (
        "the trainer cannot read the data: its form, encoding or header",
        "the default trainer reads CSV in UTF-8, one header with different names, rows of equal length",
    ),
    "target_refused": (
        "the trainer cannot learn the target column",
        "the default trainer learns `arguments: {target: NAME}`, else the last column: a value in "
        "every row, 2 to 100 different ones",
    ),
    "columns_refused": (
        "the trainer cannot learn from one of the columns",
        "for the default trainer, leave out columns of more than 100 different texts (names, ids, dates)",
    ),
    "rows_refused": (
        "the data has too few rows to learn from",
        "the default trainer needs 10 rows or more",
    ),
    "gpu_missing": (
        "the machine has a GPU that the trainer's libraries cannot use",
        "build the trainer's image with libraries for the driver's CUDA version, "
        "or choose a machine without a GPU",
    ),
    "trainer_timeout": ("the trainer did not end in time", "raise limits.seconds, or train on less"),
    "trainer_disk": (
        "the trainer wrote more to its disk than it may",
        "raise limits.disk_bytes, or write less",
    ),
    "trainer_processes": (
        "the trainer started more processes than it may",
        "train with threads, or with fewer processes",
    ),
    "model_missing": (
        "the trainer wrote no model",
        "write *.safetensors, *.onnx or *.skops into the folder given by --out",
    ),
    "model_pickled": (
        "the trainer wrote a pickle, which runs code when it is opened",
        "write the model as *.safetensors, *.onnx or *.skops",
    ),
    "model_refused": (
        "the trainer wrote something that is not a model by its bytes, its size or its name",
        "write only *.safetensors, *.onnx or *.skops, and metrics.json",
    ),
    "metrics_refused": (
        "metrics.json is missing, or not a flat object of finite numbers",
        "write metrics.json with plain names and finite numbers only",
    ),
    "cloud_unavailable": ("the VM could not reach the platform", "try again with the next attempt"),
    "preempted": (
        "the VM was stopped from outside",
        "the next attempt goes on from the checkpoint, if the trainer wrote one; it starts by itself up to "
        "`limits.attempts`, else by `sealtrain submit DATA --attempt N`",
    ),
    "internal": ("the workload failed in a way it does not know", "try again; if it stays, report it"),
}


def told(word: str) -> str:
    """The word with its sentence and remedy."""
    if word not in SENTENCES:
        return word
    happened, remedy = SENTENCES[word]
    return f"{word}: {happened}; {remedy}"


def split(reason: str) -> tuple[str, str]:
    """What happened, and what to do, of a reason that `told` gave; any other has no remedy here."""
    word = reason.partition(":")[0]
    if word not in SENTENCES or reason != told(word):
        return reason, ""
    happened, remedy = SENTENCES[word]
    return f"{word}: {happened}", remedy
