"""The description of a deployment that `sealtrain up` makes, as Terraform would make it.

- It is terraform_min/ applied over placeholders and committed as world.json; `make world` writes it, and a
  gate compares it. Nothing about accounts, grants, buckets, topics, keys or the pool is decided in Python.
- `{project}`, `{number}`, `{trainer}`, `{owner}`, `{root}`, `{archive}` and the images stand for what a
  deployment knows. `{image}` in a grant's member makes one grant per approved image.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from sealtrain.rules import names
from sealtrain.rules.settings import Settings

from cli.deploy.description import Grant, Parts, Resource, World
from cli.package import ROOT

FILE = ROOT / "cli" / "deploy" / "world.json"

# What terraform is given where a deployment has its own, and the word that stands for it in the file. In this
# order: the number's digits occur in the digest.
DIGEST = "sha256:" + "1" * 64
PROJECT, NUMBER, OWNER = "placeholder-project", "111111111111", "user:owner@placeholder.example"
TRAINER = f"us-central1-docker.pkg.dev/{PROJECT}/trainers/tabular@{DIGEST}"
ROOT_CERTIFICATE = "placeholder-root"
_WORDS = {
    TRAINER: "{trainer}",
    f'["{DIGEST}"]': "{images:cel}",
    DIGEST: "{image}",
    PROJECT: "{project}",
    NUMBER: "{number}",
    OWNER: "{owner}",
    ROOT_CERTIFICATE: "{root}",
}


def describe(settings: Settings, parts: Parts) -> World:
    """Every resource in the order of making, and every grant with its reason."""
    told = msgspec.json.decode(FILE.read_bytes(), type=World)
    words = _filling(settings, parts)
    grants = [
        msgspec.structs.replace(grant, member=grant.member.replace("{image}", image))
        for grant in told.grants
        for image in (settings.approved_images if "{image}" in grant.member else ("",))
    ]
    return World(
        project=settings.project,
        region=settings.region,
        resources=tuple(_resource(one, words, parts) for one in told.resources),
        grants=tuple(sorted((_filled_grant(one, words) for one in grants), key=_order)),
        audits=told.audits,
    )


def pool(settings: Settings) -> list[Resource]:
    """The pool of attested workloads and its provider."""
    parts = Parts(owner="", archive="", workflows={}, environment={})
    told = msgspec.json.decode(FILE.read_bytes(), type=World)
    words = _filling(settings, parts)
    return [_resource(one, words, parts) for one in told.resources if one.kind in ("pool", "provider")]


def describe_agents(settings: Settings) -> tuple[str, list[str]]:
    """The storage key, and Google's service agents that use it."""
    told = msgspec.json.decode(FILE.read_bytes(), type=World)
    words = _filling(settings, Parts(owner="", archive="", workflows={}, environment={}))
    grants = [_filled_grant(one, words) for one in told.grants]
    key = names.storage_key(settings)
    return key, [one.member for one in grants if one.on == key]


def text(applied: World, archive: str) -> str:
    """The file's text: a world that was applied over the placeholders, with the words in their place."""
    words = {**_WORDS, archive: "{archive}"}
    document = _walk(msgspec.to_builtins(applied), words)
    for one in document["resources"]:
        if one["kind"] == "workflow":
            one["body"]["sourceContents"] = "{source}"
        if one["kind"] == "function":
            variables = one["body"]["serviceConfig"]["environmentVariables"]
            variables["SEALTRAIN_APPROVED_IMAGES"] = "{images}"
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _filling(settings: Settings, parts: Parts) -> dict[str, str]:
    """What each word of the file becomes."""
    return {
        "{project}": settings.project,
        "{number}": settings.project_number,
        "{owner}": parts.owner,
        "{trainer}": settings.trainer,
        "{root}": settings.attestation_root,
        "{archive}": parts.archive,
        "{images:cel}": json.dumps(list(settings.approved_images)),
        "{images}": ",".join(settings.approved_images),
    }


def _resource(resource: Resource, words: dict[str, str], parts: Parts) -> Resource:
    body = _walk(resource.body, words)
    if resource.kind == "workflow":
        body["sourceContents"] = parts.workflows[resource.name.rpartition("/")[2]]
    if resource.kind == "function":
        body["serviceConfig"]["environmentVariables"] |= parts.environment
    return Resource(resource.kind, _replaced(resource.name, words), body)


def _filled_grant(grant: Grant, words: dict[str, str]) -> Grant:
    filled: Grant = msgspec.convert(_walk(msgspec.to_builtins(grant), words), Grant)
    return filled


def _walk(node: Any, words: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _walk(value, words) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_walk(item, words) for item in node]
    return _replaced(node, words) if isinstance(node, str) else node


def _replaced(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _order(grant: Grant) -> tuple[str, str, str, str]:
    return grant.on, grant.role, grant.member, grant.condition
