"""`python -m cli.deploy.blueprint`: what Terraform takes from the code, written to
terraform_min/blueprint.json.

- Functions, their grants and custom roles come from the step table; tables, the pool's condition and the
  machine shapes from the rules that the functions themselves use. Nothing of it is typed twice.
- `{project}`, `{region}`, `{deployment}` and `{images}` stand for what only a deployment knows.
- The file is committed, so that Terraform needs no Python; a test compares it with the code.
"""

from __future__ import annotations

import json
from typing import Any

from sealtrain.rules import names, shapes, step_table, tables
from sealtrain.rules.evidence import policy
from sealtrain.rules.settings import Settings

from cli.package import ROOT

FILE = ROOT / "terraform_min" / "blueprint.json"
_ANY = Settings(
    project="{project}",
    project_number="{number}",
    region="{region}",
    deployment="{deployment}",
    approved_images=("{images}",),
)
_ON_PROJECT_ONLY = frozenset({"storage.buckets.create"})


def blueprint() -> dict[str, Any]:
    """The whole file as data."""
    roles: dict[tuple[str, ...], str] = {}
    grants = [
        placed
        for function in step_table.FUNCTIONS
        for line in function.grants
        for placed in _placed(roles, function.name, line)
    ]
    return {
        "functions": {function.name: _function(function) for function in step_table.FUNCTIONS},
        "grants": _unique(grants),
        "pool": {
            "attribute_condition": policy.to_cel(policy.load(), _ANY),
            "attribute_mapping": policy.attribute_mapping(),
            "issuer": policy.load().issuer("google").iss,
        },
        "roles": {word: list(held) for held, word in roles.items()},
        "shapes": {shape.name: _shape(shape) for shape in shapes.SHAPES.values()},
        "tables": {name: [dict(field) for field in fields] for name, fields in tables.TABLES.items()},
    }


def text() -> str:
    """The file's text."""
    return json.dumps(blueprint(), indent=2, sort_keys=True) + "\n"


def _function(function: step_table.Function) -> dict[str, Any]:
    return {
        "kind": function.kind,
        "trigger": function.trigger,
        "memory_mib": function.memory_mib,
        "timeout_s": function.timeout_s,
        "invokers": list(function.invokers),
    }


def _shape(shape: shapes.Shape) -> dict[str, Any]:
    return {
        "technology": shape.technology,
        "gpu": shape.gpu,
        "boot_disk_gib": shape.boot_disk_gib,
        "zones": " ".join(shape.zones),
    }


def _placed(
    roles: dict[tuple[str, ...], str], function: str, line: step_table.Grant
) -> list[tuple[str, dict[str, str]]]:
    """The grants that one line becomes: making a bucket is a right on the project, there is no bucket yet."""
    on, condition, narrow = line.on, "", list(line.permissions)
    placed = []
    if on == "bucket:sealed":
        on = "project"
        condition = f'resource.name.startsWith("projects/_/buckets/{names.sealed_bucket_prefix(_ANY)}")'
        narrow = [one for one in narrow if one not in _ON_PROJECT_ONLY]
        wide = [one for one in line.permissions if one in _ON_PROJECT_ONLY]
        if wide:
            placed.append(_grant(function, on, _role(roles, wide, function, line.on), line))
    elif line.prefix:
        bucket = f"{_ANY.deployment}-{_ANY.project}-{on.partition(':')[2]}"
        condition = _named(f"projects/_/buckets/{bucket}/objects/{line.prefix}", line.endings)
    return [*placed, _grant(function, on, _role(roles, narrow, function, line.on), line, condition)]


def _unique(grants: list[tuple[str, dict[str, str]]]) -> dict[str, dict[str, str]]:
    """By key; two lines of one key would be one grant, and one of them lost."""
    found = dict(grants)
    if len(found) != len(grants):
        raise ValueError("two lines of the step table say the same of one place: join them")
    return found


def _named(begins: str, endings: tuple[str, ...]) -> str:
    """The condition that only objects are meant whose names begin so, and end in one of these if given."""
    start = f'resource.name.startsWith("{begins}")'
    ends = " || ".join(f'resource.name.endsWith("{ending}")' for ending in endings)
    return f"{start} && ({ends})" if ends else start


def _grant(
    account: str, on: str, role: str, line: step_table.Grant, condition: str = ""
) -> tuple[str, dict[str, str]]:
    """A key that stays when other grants come and go, and the grant."""
    where = f"{line.on}/{line.prefix}" if line.prefix else line.on
    where += f"…{' '.join(line.endings)}" if line.endings else ""
    grant = {"account": account, "on": on, "role": role, "reason": line.reason, "condition": condition}
    return f"{account} {role} {where}", grant


def _role(roles: dict[tuple[str, ...], str], permissions: list[str], function: str, on: str) -> str:
    """The word of the custom role with exactly these permissions; lines that say the same share it."""
    held = tuple(sorted(set(permissions)))
    return roles.setdefault(held, held[0] if len(held) == 1 else f"{function}.{on.replace(':', '.')}")


def main() -> None:
    """Write the file."""
    FILE.write_text(text())
    print(FILE.relative_to(ROOT))


if __name__ == "__main__":
    main()
