"""What to do about a check of a bundle that fails, and about a claim that is not shown.

A test compares both lists with the checks and the claims that there are. What to do about a finding of the
attestation stands in reasons.toml, about an end of a run in its own record.
"""

from __future__ import annotations

from sealtrain.rules.claims import Claim

_SIGNER = (
    "the signature holds, so the deployment itself signed what its records do not show: rely on nothing in "
    "it, and ask its operator; the records as they were issued lie in the evidence bucket"
)
CHECKS = {
    "signature": "take the keys of the deployment that signed it from somebody whom you trust "
    "(`--trust FILE`), and the file as it was issued (`sealtrain fetch RUN`); if it fails still, rely on "
    "nothing in it: it was changed after it was signed, or somebody else signed it",
    "statement": "use the version of sealtrain that wrote it; if that is this one, it is no bundle of a run",
    "contents": _SIGNER,
    "trust root": "take the root of attestation tokens of that deployment from somebody whom you trust, as "
    "`attestation_root_pem` in the file for --trust; if it is the right one, the bundle names another's",
    "policy": "use the version of sealtrain whose policy.toml has this version: the one here has other rules",
    "records": _SIGNER,
    "subjects": _SIGNER,
    "token": _SIGNER,
    "later attestations": _SIGNER,
    "receipt": "the model is not shown to be that machine's: do not use it; " + _SIGNER,
    "completion": _SIGNER,
    "ledger root": _SIGNER,
    "ledger": "`sealtrain status RUN` shows what stands, `sealtrain teardown RUN` has it removed; the bundle "
    "stays as it was signed",
    "cost": _SIGNER,
    "claims": _SIGNER,
    "outcome": _SIGNER,
    "time": "set this machine's clock right; a stand-in whose clock was moved ahead dates its bundles so",
}

_MACHINE = "rely on nothing that this machine made, and do what is said of each finding"
_ASK_LOGS = (
    "entries that came after the run was closed, and those that did not fit, are under runs/RUN/logs/ in the "
    "evidence bucket"
)
# Claim -> what to do where it is not met, and where a run that succeeded has no evidence of it.
CLAIMS = {
    "dataset_bound": (
        "do not use the model: it was trained on something else; look at who wrote to the sealed bucket",
        "do not use the model: nothing says what it was trained on",
    ),
    "workload_attested": (_MACHINE, _MACHINE),
    "key_released_after_verdict": (
        "hold the data for known to whoever ran the machine; look at who wrote to the state bucket",
        "look at who wrote to the state bucket: the record of the hand-over is gone",
    ),
    "key_log": (
        "hold the data for known to the principals that are named; `sealtrain doctor --keys` tells who can "
        "decrypt",
        "of data that its owner sealed, the log of the key is the owner's: ask the owner who used it; of "
        f"other data, {_ASK_LOGS}",
    ),
    "model_from_attested_workload": (
        "do not use the model; look at who wrote to the models bucket, then run the upload again",
        "do not use the model: nothing says who made it",
    ),
    "encrypted_at_rest": (
        "`sealtrain doctor --deployed` tells what was changed in the deployment; mend it, then run again",
        "`sealtrain doctor --deployed` tells whether the deployment's key is in force",
    ),
    "confidential_hardware": (_MACHINE, _MACHINE),
    "gpu_attested": (_MACHINE, _MACHINE),
    "within_limits": (
        "`sealtrain status RUN` tells when what was made and gone; raise `limits` in job.yaml if it may",
        "`sealtrain status RUN` tells when what was made and gone",
    ),
    "nothing_left": (
        "`sealtrain status RUN` shows what stands; `sealtrain teardown RUN` has it removed, a checkpoint too "
        "(the next attempt then begins anew)",
        "`sealtrain teardown RUN` removes what stands and writes the proof",
    ),
    "logs_recorded": (
        "read each alarm: it names what was seen; " + _MACHINE,
        "of data that its owner sealed, most of the log is the owner's; `sealtrain doctor --deployed` tells "
        f"whether the log sink delivers; {_ASK_LOGS}",
    ),
}
ENDED = "nothing about these: the run ended before it came so far; do what is said about its end"


def of_check(name: str, run: str = "") -> str:
    """What to do about a failed check."""
    return _for(CHECKS[name], run)


def of_claim(claim: Claim, outcome: str, run: str) -> str:
    """What to do about a claim that is not met or has no evidence."""
    unmet, unknown = CLAIMS[claim.id]
    if claim.verdict == "not_met":
        return _for(unmet, run)
    return _for(unknown, run) if outcome == "succeeded" else ENDED


def _for(text: str, run: str) -> str:
    return text.replace("RUN", run) if run else text
