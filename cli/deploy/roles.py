"""Custom roles, and the step table's grants as bindings on named resources.

- A role holds exactly the permissions of one line of the step table; lines that say the same share a role.
- A grant stands on the narrowest resource that the platform allows. Making a bucket is a right on the project
  (there is no bucket yet), so that one permission is taken out of `bucket:sealed` and given there.
- Nobody is granted a role that may change IAM, and there are no keys for accounts.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealtrain.rules import names, step_table
from sealtrain.rules.settings import Settings

from cli.deploy.description import Grant, Resource, bucket, named

_ON_PROJECT_ONLY = frozenset({"storage.buckets.create"})


class Roles:
    """The custom roles that were asked for, each once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[tuple[str, ...], Resource] = {}

    def role(self, permissions: Iterable[str], hint: str) -> str:
        """The name of the role with exactly these permissions; `hint` names it if it holds several."""
        held = tuple(sorted(set(permissions)))
        if held not in self._made:
            word = held[0] if len(held) == 1 else hint
            prefix = self._settings.deployment.replace("-", "_")
            role_id = f"{prefix}.{word}".replace("-", "_").replace(":", ".")
            body = {
                "title": f"{self._settings.deployment} {word}",
                "stage": "GA",
                "includedPermissions": list(held),
            }
            self._made[held] = Resource("role", f"projects/{self._settings.project}/roles/{role_id}", body)
        return self._made[held].name

    def resources(self) -> list[Resource]:
        """The roles to make."""
        return [self._made[held] for held in sorted(self._made)]


def of_functions(settings: Settings, roles: Roles) -> list[Grant]:
    """Every grant of the step table, and the right of each function's callers to call it."""
    grants = []
    for function in step_table.FUNCTIONS:
        member = account(settings, function.name)
        for line in function.grants:
            grants += _placed(settings, roles, member, function.name, line)
        for invoker in function.invokers:
            grants.append(
                Grant(
                    on=service(settings, function.name),
                    role="roles/run.invoker",
                    member=account(settings, invoker),
                    reason=f"{invoker} calls {function.name}",
                )
            )
    return grants


def account(settings: Settings, word: str) -> str:
    """The IAM member of one of our accounts."""
    return f"serviceAccount:{names.service_account(settings, word)}"


def service(settings: Settings, word: str) -> str:
    """The Cloud Run service behind a function, where the right to call it is kept."""
    return f"projects/{settings.project}/locations/{settings.region}/services/{names.hyphened(word)}"


def place(settings: Settings, on: str) -> tuple[str, str]:
    """Resource name and condition (or "") of a word of the step table such as `ring:release`."""
    s = settings
    kind, _, word = on.partition(":")
    if on == "bucket:sealed":
        sealed = bucket(names.sealed_bucket_prefix(s))
        return f"projects/{s.project}", f'resource.name.startsWith("{sealed}")'
    if kind == "bucket":
        return bucket(bucket_name(s, word)), ""
    return {
        "project": f"projects/{s.project}",
        "dataset": f"projects/{s.project}/datasets/{names.dataset(s)}",
        "ring": names.key_ring(s, word),
        "key": key(s, word) if kind == "key" else "",
        "topic": names.topic(s, word),
        "account": f"projects/{s.project}/serviceAccounts/{names.service_account(s, word)}",
        "repository": repository(s),
    }[kind], ""


def bucket_name(settings: Settings, word: str) -> str:
    """The name of a bucket by its word."""
    return f"{settings.deployment}-{settings.project}-{word}"


def key(settings: Settings, word: str) -> str:
    """The full name of a key by its word."""
    evidence = f"{names.key_ring(settings, 'evidence')}/cryptoKeys/storage"
    return {
        "storage": names.storage_key(settings),
        "bundle": names.bundle_key(settings),
        "sealing": names.sealing_key(settings),
        "models": names.owner_key(settings),
        "checkpoints": names.checkpoint_key(settings),
        "datasets": names.datasets_key(settings),
        "evidence": evidence,
    }[word]


def repository(settings: Settings) -> str:
    """The full name of the repository of trainers."""
    return f"projects/{settings.project}/locations/{settings.region}/repositories/trainers"


def _placed(
    settings: Settings, roles: Roles, member: str, function: str, line: step_table.Grant
) -> list[Grant]:
    on, condition = place(settings, line.on)
    if line.prefix:
        condition = named(bucket_name(settings, line.on.partition(":")[2]), line.prefix, *line.endings)
    project = f"projects/{settings.project}"
    everywhere = [p for p in line.permissions if p in _ON_PROJECT_ONLY]
    narrow = [p for p in line.permissions if p not in _ON_PROJECT_ONLY or not condition]
    hint = f"{function}.{line.on}"
    grants = [Grant(on, roles.role(narrow, hint), member, line.reason, condition)]
    if condition and everywhere:
        grants.append(Grant(project, roles.role(everywhere, hint), member, line.reason))
    return grants
