"""For each clause of the policy, tokens that break that clause and no other, made from policy.toml itself."""

import copy
from typing import Any, NamedTuple

from sealtrain.rules.evidence import policy
from sealtrain.rules.settings import Settings

from tests.functions import authority

OTHER_IMAGE = "sha256:" + "ef" * 32
OPTIONAL = ("absent_or_equals", "absent_or_empty")


class Breaking(NamedTuple):
    """One broken token's claims, and the run and deployment that it breaks one clause of."""

    clause: policy.Clause
    shown: str
    claims: dict[str, Any]
    run: policy.Run
    settings: Settings
    alone: bool
    """Whether this clause alone is broken; an absent claim breaks every clause about that claim."""


def good(clause: policy.Clause) -> tuple[dict[str, Any], policy.Run]:
    """Claims that satisfy everything, of a machine to which the clause applies, and its run."""
    needs_gpu = clause.when == "run.gpu" or clause.claim.startswith("submods.nvidia_gpu.")
    tdx = clause.when == "run.tdx" or needs_gpu
    changes: dict[str, Any] = {}
    if tdx:
        changes |= {"hwmodel": "GCP_INTEL_TDX", "attester_tcb": ["INTEL"]}
    if needs_gpu:
        changes["submods__nvidia_gpu"] = authority.GPU
    run = authority.run_facts(
        hwmodel=changes.get("hwmodel", "GCP_AMD_SEV"), gpu=needs_gpu and clause.id != "gpu-mode"
    )
    return authority.claims(**changes), run


def tokens(rules: policy.Policy) -> list[Breaking]:
    """Every breaking token of every clause."""
    made = []
    for clause in rules.clauses:
        for value in clause.broken:
            made.append(_with_value(clause, value))
        if clause.operator not in OPTIONAL:
            made.append(_without(clause))
    return made


def _with_value(clause: policy.Clause, value: Any) -> Breaking:
    claims, run = good(clause)
    settings = authority.settings(approved_images=(authority.IMAGE, OTHER_IMAGE))
    if clause.id == "ordered-image":
        value = OTHER_IMAGE
    put(claims, clause.claim, value)
    if clause.id == "planned-hardware":
        claims["attester_tcb"] = ["INTEL"]  # a good TDX machine, only not the planned one
    # What the run's own records say follows the claim, so that the clause about them holds.
    facts = {"approved-image": "image_digest", "hardware": "hwmodel", "region": "zone"}
    if clause.id in facts:
        run = _changed(run, facts[clause.id], value)
    return Breaking(clause, repr(value), claims, run, settings, alone=True)


def _without(clause: policy.Clause) -> Breaking:
    claims, run = good(clause)
    put(claims, clause.claim, authority.REMOVED)
    settings = authority.settings(approved_images=(authority.IMAGE, OTHER_IMAGE))
    return Breaking(clause, "absent", claims, run, settings, alone=False)


def _changed(run: policy.Run, field: str, value: Any) -> policy.Run:
    import msgspec

    return msgspec.structs.replace(run, **{field: value})


def put(claims: dict[str, Any], path: str, value: Any) -> None:
    """Set or remove the claim at a path of policy.toml."""
    target: Any = claims
    keys = path.split(".")
    for key in keys[:-1]:
        target = target[key[:-2]][0] if key.endswith("[]") else target[key]
    if value is authority.REMOVED:
        del target[keys[-1]]
    else:
        target[keys[-1]] = copy.deepcopy(value)
